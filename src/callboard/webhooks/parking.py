"""Events that were given up for one endpoint, while it accepted others: kept as rows, seen, replayed later.

Owns: `Parked`, reading what is parked, and `Gaps`: what the next delivery of a lane must say was left out.

Always holds: an event is parked in the same transaction as the attempt after which it was given up. Its lane's next
delivery names it in the header `callboard-gap`, and so does each further one until one that did was accepted. Rows stay
until the event is replayed (`replayed`) or its endpoint is deleted.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from callboard.database import Database, Delete, Put, Unit
from callboard.database.tables import DELIVERY_GAP, PARKED_EVENT

HEADER = b"callboard-gap"
MOST_NAMED = 100
"""Seqs in one header; of more, the last so many."""
MOST_HELD = 10_000
"""Gaps of one endpoint that are held in memory until something comes after them."""

_PAGE = 500


class Parked(msgspec.Struct, frozen=True):
    """An event that `endpoint_id` did not accept, parked at the instant `at` (nanoseconds, UTC) after `attempts`.

    `status` and `error` are those of the last attempt.
    """

    endpoint_id: str
    event_id: str
    stream: str
    seq: int
    type: str
    at: int
    attempts: int
    status: int
    error: str

    def row(self) -> Put:
        """What is written when it is parked."""
        return Put(PARKED_EVENT, msgspec.structs.astuple(self))


async def parked_events(database: Database, endpoint_id: str, after: tuple[int, str], limit: int) -> list[Parked]:
    """At most `limit` of an endpoint's parked events in the order of their parking, after that instant and event id.

    Begin with `(0, "")`. Raises what `Database.fetch` raises.
    """
    at, event_id = after
    rows = await database.fetch("parked_events", endpoint_id=endpoint_id, at=at, event_id=event_id, limit=limit)
    return [msgspec.convert(dict(zip(Parked.__struct_fields__, row, strict=True)), Parked) for row in rows]


def replayed(endpoint_id: str, event_id: str) -> Delete:
    """To be committed once the endpoint has accepted the event after all: it is parked no more."""
    return Delete(PARKED_EVENT, (endpoint_id, event_id))


async def forget(database: Database, endpoint_id: str) -> None:
    """Delete what is parked for an endpoint that is gone. Raises what `Database.fetch` and `Database.commit` raise."""
    while parked := await parked_events(database, endpoint_id, (0, ""), _PAGE):
        await database.commit(Unit(tuple(replayed(endpoint_id, event.event_id) for event in parked)))
    while gaps := await database.fetch("delivery_gaps", endpoint_id=endpoint_id, limit=_PAGE):
        await database.commit(Unit(tuple(Delete(DELIVERY_GAP, (endpoint_id, *gap)) for gap in gaps)))


class Gaps:
    """The seqs that were left out of each stream of one endpoint, and not yet told. Bounded: see `MOST_HELD`."""

    __slots__ = ("_by_stream", "_endpoint_id", "_held")

    def __init__(self, endpoint_id: str) -> None:
        self._endpoint_id = endpoint_id
        self._by_stream: dict[str, list[int]] = {}
        self._held = 0

    def __bool__(self) -> bool:
        return bool(self._by_stream)

    def add(self, stream: str, seq: int) -> Put:
        """This was left out, after whatever else was of its stream. A row to write, unless it is there."""
        if self._held >= MOST_HELD:
            oldest = next(iter(self._by_stream))
            self._held -= len(self._by_stream.pop(oldest))
        self._by_stream.setdefault(stream, []).append(seq)
        self._held += 1
        return Put(DELIVERY_GAP, (self._endpoint_id, stream, seq))

    def header(self, stream: str) -> bytes:
        """The header line, with its end, for the next delivery of `stream`; nothing if nothing was left out."""
        seqs = self._by_stream.get(stream)
        return b"%b: %b\r\n" % (HEADER, b",".join(b"%d" % seq for seq in seqs[-MOST_NAMED:])) if seqs else b""

    def told(self, stream: str) -> Iterator[Delete]:
        """A delivery of `stream` was accepted, with the header. Rows to write."""
        seqs = self._by_stream.pop(stream, [])
        self._held -= len(seqs)
        return (Delete(DELIVERY_GAP, (self._endpoint_id, stream, seq)) for seq in seqs)
