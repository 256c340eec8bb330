"""What an endpoint answered, as bytes, and what of it goes into the log of attempts. Pure.

Owns: `final_head`, `header`, `logged`.

Always holds: of headers only those in `SELECTED` are kept (no cookies, no tokens), of the body `BODY_EXCERPT` bytes at
most, and where the body repeats a header of ours that may be a password, it is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

BODY_EXCERPT: Final = 1024
HEADER_EXCERPT: Final = 512
"""Bytes of one header's value."""
SELECTED: Final = frozenset(
    [
        *(b"content-type", b"content-length", b"date", b"location", b"retry-after", b"server", b"via", b"allow"),
        *(b"x-request-id", b"request-id", b"x-correlation-id", b"traceparent", b"cf-ray", b"x-amzn-trace-id"),
    ]
)
REDACTED: Final = "[redacted]"
SHORTEST_SECRET: Final = 6
"""Characters; what is shorter is in most bodies by chance."""

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")


class Logged(msgspec.Struct, frozen=True):
    """An answer as it is logged."""

    headers: dict[str, str] = {}
    body: str = ""


def final_head(received: bytes, interim: int) -> bytes:
    """Status line and headers of the answer, after so many `interim` ones. `received`: all that came, to their end."""
    end = received.find(b"\r\n\r\n")
    if not interim and end > 0 and received.find(b"\n\n", 0, end) < 0 and received.find(b"\n\r\n", 0, end) < 0:
        return received[:end]  # the usual case, in a third of the time
    heads = _BLANK_LINE.split(received, interim + 1)
    return heads[interim] if interim < len(heads) else b""


def header(head: bytes, name: bytes) -> bytes | None:
    """The value of the first header of this name (in lower case)."""
    return next((value for key, value in _headers(head) if key == name), None)


def logged(head: bytes, body: bytes, secrets: Iterable[str] = ()) -> str:
    """The answer as JSON (`Logged`). `secrets` are not left in its body."""
    headers = {
        key.decode("latin-1"): value[:HEADER_EXCERPT].decode("latin-1")
        for key, value in _headers(head)
        if key in SELECTED
    }
    text = body[:BODY_EXCERPT].decode("utf-8", "replace")
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, REDACTED)
    return msgspec.json.encode(Logged(headers, text)).decode()


def _headers(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(b":")
        yield name.lower(), value.strip()
