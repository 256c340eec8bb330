"""The meeting page: the official Prebuilt UI, served by this server for each room code.

Owns: `/meeting/<room code>`, the built files behind it (`meeting-ui/` builds them into `static/`), the page's headers,
and the address of the page as people are given it.
"""

from callboard.meeting.assets import Built, load
from callboard.meeting.http import meeting_handlers
from callboard.meeting.links import has_devices, link

__all__ = ["Built", "has_devices", "link", "load", "meeting_handlers"]
