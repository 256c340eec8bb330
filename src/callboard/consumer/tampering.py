"""What a body may have been before somebody parsed it and wrote it again. Pure.

Owns: `originals`. Callboard's bodies are compact JSON in UTF-8, their keys in the order of the event's contract; so of
a body that has the same content, the one that was sent can be found, and the signature says whether it was.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from callboard.events.envelope import decode

MOST_BYTES: Final = 1_048_576
"""Longer bodies are not looked into: strangers may have sent them."""

AT_THE_ENDS: Final = "white space or a byte order mark was put at its ends"
CHARACTERS: Final = "its characters were converted (UTF-8 was read as Latin-1)"
WRITTEN_AGAIN: Final = "its JSON was parsed and written again"


def originals(body: bytes) -> Iterator[tuple[str, bytes]]:
    """What the body may have been, each with what was done to it then. Never `body` itself; maybe nothing."""
    if len(body) > MOST_BYTES:
        return
    seen = {body}
    for how, restored in _RESTORED.items():
        try:
            original = restored(body)
        except (ValueError, RecursionError):  # it is no JSON, no event, no UTF-8 …
            continue
        if original not in seen:
            seen.add(original)
            yield how, original


def _ends(body: bytes) -> bytes:
    return body.removeprefix(codecs.BOM_UTF8).strip()


def _characters(body: bytes) -> bytes:
    return body.decode("utf-8").encode("latin-1")


def _compact(body: bytes) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(_ends(body)))


def _in_order(body: bytes) -> bytes:
    """The event's contract knows the order of the keys, which `_compact` leaves as it is."""
    return msgspec.json.encode(decode(_ends(body)))


_RESTORED: Final[dict[str, Callable[[bytes], bytes]]] = {
    AT_THE_ENDS: _ends,
    CHARACTERS: _characters,
    WRITTEN_AGAIN: _compact,
    f"{WRITTEN_AGAIN}, its keys in another order": _in_order,
}
