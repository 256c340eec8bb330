"""The headers of a delivery, however a framework hands them over. Pure.

Owns: `Headers` and `Delivery`, what the signed headers say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from callboard.consumer.errors import InvalidHeader, MissingHeader, VerificationError

Headers = Mapping[str, str] | Iterable[tuple[str, str] | tuple[bytes, bytes]]
"""Names, in any case, and values: a mapping, or pairs as ASGI has them."""

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
STREAM: Final = "callboard-stream"
SEQ: Final = "callboard-seq"
GAP: Final = "callboard-gap"
REPLAY: Final = "callboard-replay"

MOST_SIGNATURES: Final = 32
"""Looked at, at most: more are nobody's rotation, and each costs time."""

Fields = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is signed beside the body, and the signatures, each with its scheme before a comma."""

    id: bytes
    timestamp: bytes
    signatures: tuple[bytes, ...]

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes of the signatures, each once."""
        names = (signature.partition(b",")[0].decode("latin-1")[:20] for signature in self.signatures)
        return tuple(dict.fromkeys(names))


def fields_of(headers: Headers) -> Fields:
    """The values of each header, by its name in lower case."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    fields: Fields = {}
    for name, value in pairs:
        fields.setdefault(_text(name).lower(), []).append(_text(value))
    return fields


def problems(fields: Fields) -> Iterator[VerificationError]:
    """What is wrong with the headers that are signed."""
    for name in (ID, TIMESTAMP, SIGNATURE):
        values = fields.get(name, [])
        if not any(values):
            yield MissingHeader(name)
        elif len(values) > 1:
            yield InvalidHeader(name, "is there more than once")
        elif name == TIMESTAMP and not _is_number(values[0]):
            yield InvalidHeader(name, "must be whole seconds since the epoch, in digits")


def timestamp_of(fields: Fields) -> int | None:
    """The seconds since the epoch that the timestamp says, if it says any."""
    values = fields.get(TIMESTAMP, [])
    return int(values[0]) if len(values) == 1 and _is_number(values[0]) else None


def delivery_of(fields: Fields) -> Delivery:
    """What the headers say; `problems` has found nothing."""
    signatures = fields[SIGNATURE][0].encode("latin-1", "replace").split()[:MOST_SIGNATURES]
    return Delivery(_bytes(fields[ID][0]), _bytes(fields[TIMESTAMP][0]), tuple(signatures))


def number_of(fields: Fields, name: str) -> int:
    """The number in a header that is not signed; 0 if it is not there. Raises `InvalidHeader`."""
    (value, *more) = fields.get(name, ["0"])
    if more or not _is_number(value):
        raise InvalidHeader(name, "must be there once, in digits")
    return int(value)


def numbers_of(fields: Fields, name: str, count: int) -> list[int]:
    """The numbers, separated by commas, in a header that is not signed; as many zeros if it is not there.

    Raises `InvalidHeader`.
    """
    (value, *more) = fields.get(name, [",".join(["0"] * count)])
    texts = value.split(",")
    if more or len(texts) != count or not all(map(_is_number, texts)):
        raise InvalidHeader(name, f"must be there once, with {count} numbers separated by commas")
    return [int(text) for text in texts]


def list_of(fields: Fields, name: str) -> tuple[int, ...]:
    """The numbers, separated by commas, in a header that is not signed; none if it is not there.

    Raises `InvalidHeader`.
    """
    values = fields.get(name, [])
    texts = values[0].split(",") if values else []
    if len(values) > 1 or not all(map(_is_number, texts)):
        raise InvalidHeader(name, "must be there once, with numbers separated by commas")
    return tuple(map(int, texts))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 18


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
