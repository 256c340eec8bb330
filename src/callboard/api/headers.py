"""What every answer says to browsers besides its content.

Owns: `safe_headers`, which is called before each answer is sent, those that the framework makes included.

Always holds: what a handler said itself stays (the meeting page has a policy of its own). An answer in JSON is never
shown as a page, framed, guessed to be something else, or kept by a cache.
Source: OWASP REST Security Cheat Sheet, "Security headers"; RFC 6797 for HSTS.
"""

from __future__ import annotations

from typing import Any, Final

from litestar.types import Message, Scope

ALL: Final = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
JSON: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
TLS: Final = ((b"strict-transport-security", b"max-age=31536000"),)


async def safe_headers(message: Message, scope: Scope) -> None:
    """Add what is missing to the head of an answer."""
    if message["type"] != "http.response.start":
        return
    headers: list[Any] = list(message["headers"])
    said = {name.lower(): value for name, value in headers}
    wanted = [*ALL]
    if said.get(b"content-type", b"").startswith(b"application/json"):
        wanted += JSON
    if scope.get("scheme") in {"https", "wss"}:
        wanted += TLS
    message["headers"] = [*headers, *((name, value) for name, value in wanted if name not in said)]
