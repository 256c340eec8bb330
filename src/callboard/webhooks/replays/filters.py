"""Which deliveries a replay is about. Pure.

Owns: `Wanted`, and the way to and from the replay's row.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from callboard.database import Put, Row
from callboard.database.tables import REPLAY
from callboard.ledger import Filter

MOST_EVENTS: Final = 50_000
"""Of one replay, for each endpoint (platform.md §10.5)."""


class Status(StrEnum):
    """Which deliveries: those that were given up (and not accepted since), of these those that are parked, those that
    were accepted, or every event that the endpoint wants, whether it was delivered or not.
    """

    FAILED = "failed"
    PARKED = "parked"
    SUCCESS = "success"
    ALL = "all"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be replayed. `since` and `until` are nanoseconds (UTC), the second is excluded; with `event_ids` they
    and all else but `endpoint_id` do not count. `types` are names; `endpoint_id` is '' for all that want it.
    """

    since: int
    until: int
    status: Status = Status.FAILED
    room_id: str = ""
    session_id: str = ""
    peer_id: str = ""
    types: tuple[str, ...] = ()
    limit: int = MOST_EVENTS
    offset: int = 0
    endpoint_id: str = ""
    event_ids: tuple[str, ...] = ()

    @property
    def filter(self) -> Filter:
        """Of the events themselves."""
        return Filter(frozenset(self.types), self.room_id, self.session_id, self.peer_id, self.since, self.until)


class Replay(NamedTuple):
    """A replay as it was asked for. `upto` is the ledger's end at that time; later events are not in it. `digest` is
    the same for those that were asked for in the same words. `number` is no other replay's: the attempts that it makes
    are counted from there (`attempts.REPLAYED`).
    """

    id: str
    digest: str
    wanted: Wanted
    upto: int
    created_at: int
    number: int


def digest(said: object) -> str:
    """What tells whether two requests say the same: of what was said, without defaults that depend on the time."""
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def stored(replay: Replay) -> Put:
    """Its row."""
    document = msgspec.json.encode(replay.wanted).decode()
    return Put(REPLAY, (replay.id, replay.digest, document, replay.upto, replay.created_at, replay.number))


def replay_of(row: Row) -> Replay:
    """The replay in a row of the table."""
    id_, digest_, document, upto, created_at, number = row
    assert isinstance(upto, int)
    assert isinstance(created_at, int)
    assert isinstance(number, int)
    return Replay(str(id_), str(digest_), msgspec.json.decode(str(document), type=Wanted), upto, created_at, number)
