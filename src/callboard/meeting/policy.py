"""What a browser may do with the page: the response headers. Pure.

Owns: `page_headers`, `asset_headers`, and the sources of the Content-Security-Policy.

Always holds: a page of ours can reach this server and nothing else. The client under the UI has addresses of its
publisher's hosts in it (signal.md §8.2): the policy is what makes them unreachable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ORIGIN = re.compile(r"(ws|wss)://[A-Za-z0-9.-]+(:\d{1,5})?|(ws|wss)://\[[0-9A-Fa-f:.]+\](:\d{1,5})?")

PERMISSIONS: Final = ", ".join(
    (
        "camera=(self)",
        "microphone=(self)",
        "display-capture=(self)",
        "autoplay=(self)",
        "fullscreen=(self)",
        "picture-in-picture=(self)",
        "screen-wake-lock=(self)",
        "speaker-selection=(self)",
        "geolocation=()",
        "payment=()",
        "usb=()",
    )
)

ALWAYS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    }
)


def content_security_policy(websocket: str = "") -> str:
    """The policy of the page. `websocket` is the origin of our WebSocket (`wss://host:port`): not all browsers take it
    to be part of 'self'. One that is not an origin is left out."""
    sources = {
        "default-src": "'self'",
        "script-src": "'self'",
        "worker-src": "'self' blob:",  # timers and HLS run in workers that the scripts make themselves
        "style-src": "'self' 'unsafe-inline'",  # the UI's styles are made as they are needed
        "img-src": "'self' data: blob:",
        "media-src": "'self' blob: data:",
        "font-src": "'self' data:",
        "connect-src": f"'self' {websocket}" if ORIGIN.fullmatch(websocket) else "'self'",
        "frame-src": "'none'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
    }
    return "; ".join(f"{name} {value}" for name, value in sources.items())


def page_headers(websocket: str = "") -> dict[str, str]:
    """The headers of the page: never kept, so that a new build is seen at once."""
    return {
        **ALWAYS,
        "content-security-policy": content_security_policy(websocket),
        "permissions-policy": PERMISSIONS,
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
    }


def asset_headers(name: str) -> dict[str, str]:
    """The headers of a built file: for ever when its name has its hash (RFC 8246), else asked for again."""
    hashed = re.search(r"-[A-Z0-9]{8}\.", name) is not None
    return {**ALWAYS, "cache-control": "public, max-age=31536000, immutable" if hashed else "no-cache"}
