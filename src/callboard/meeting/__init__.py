"""The meeting page: the official Prebuilt UI, served by this server for each room code.

Owns: `/meeting/<room code>`, the built files behind it (`meeting-ui/` builds them into `static/`), the page.s headers,
its layout, and its address as people are given it.
"""

from callboard.meeting.assets import Built, load
from callboard.meeting.http import meeting_handlers
from callboard.meeting.layout_http import layout_handler
from callboard.meeting.links import has_devices, link

__all__ = ["Built", "has_devices", "layout_handler", "link", "load", "meeting_handlers"]
