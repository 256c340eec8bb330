"""The address of a room's page. Pure.

Owns: `link`, `has_devices`.
"""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import quote, urlsplit


def link(base_url: str, code: str) -> str:
    """Where people meet who have this room code, on the server at `base_url` (`https://rooms.example.org`)."""
    return f"{base_url.rstrip('/')}/meeting/{quote(code, safe='')}"


def has_devices(url: str) -> bool:
    """Whether browsers let a page at this address use microphone and camera: they do for https and for the machine
    itself (W3C Secure Contexts §3.1)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
