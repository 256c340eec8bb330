"""An event as it stands in the ledger, and how readers choose among them. Pure.

Owns: `Recorded`, `Filter`.

Always holds: what a subscriber is given right after a commit and what is read from the database later are the same
`Recorded`, field by field: `body` is the very bytes that were committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from callboard.database import Append, Appended, Row

FOREVER: Final = 2**63 - 1
"""Later than any instant, and higher than any position."""


TEST: Final = "test"
"""The actor of what did not happen: test events, which are marked as such."""


class Recorded(Struct, frozen=True, gc=False):
    """One committed event: the fact's circumstances, where it came to stand, and its rendered body.

    `position` orders all events, `seq` counts those of `stream` (1, 2, 3, … without a gap). `at` is when it happened,
    `committed_at` when it was committed: nanoseconds since the epoch (UTC). `body` is the JSON envelope. `template_id`
    is the session's (or room's), as in the envelope; `hook` is as in `Fact`. Both are '' for events of before they were
    recorded.
    """

    position: int
    id: str
    stream: str
    seq: int
    type: str
    room_id: str
    session_id: str
    peer_id: str
    at: int
    committed_at: int
    actor: str
    cause: str
    body: bytes
    template_id: str = ""
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a reader wants: every condition that is set must hold. An empty one holds for all.

    `since` and `until` bound `committed_at`, in nanoseconds since the epoch; the second is excluded.
    """

    types: frozenset[str] = frozenset()
    room_id: str = ""
    session_id: str = ""
    peer_id: str = ""
    since: int = 0
    until: int = FOREVER

    def accepts(self, recorded: Recorded) -> bool:
        return (
            (not self.types or recorded.type in self.types)
            and (not self.room_id or recorded.room_id == self.room_id)
            and (not self.session_id or recorded.session_id == self.session_id)
            and (not self.peer_id or recorded.peer_id == self.peer_id)
            and self.since <= recorded.committed_at < self.until
        )


EVERYTHING = Filter()


def recorded_of(append: Append, appended: Appended) -> Recorded:
    """The record of an event that was just committed."""
    return Recorded(
        appended.position,
        append.id,
        append.stream,
        appended.seq,
        append.type,
        append.room_id,
        append.session_id,
        append.peer_id,
        append.at,
        appended.committed_at,
        append.actor,
        append.cause,
        append.body,
        append.template_id,
        appended.hook,
    )


def recorded_row(row: Row) -> Recorded:
    """The record in a row of `database/queries/events.sql` (the queries' column order is the field order here)."""
    return Recorded(*row)  # type: ignore[arg-type]  # the schema's types, which the conformance suite checks
