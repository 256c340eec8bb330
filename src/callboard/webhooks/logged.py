"""What the log of attempts says of the events of a lane that is as a restart, or another ordering, found it.

Owns: `Logged`, `Told`, `Tried`.

Always holds: an event whose attempt was accepted, or given up, is known as such, whatever the cursor says: of a stream
whose events went in no order, and of one whose cursor is a second behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import takewhile
from typing import NamedTuple

from callboard.database import Database
from callboard.ledger import Recorded
from callboard.webhooks.attempts import GIVEN_UP, REPLAYED
from callboard.webhooks.lane import Lane


class Tried(NamedTuple):
    """An attempt, as far as a lane has to know of it: its number, and when it began (nanoseconds, UTC)."""

    number: int
    at: int


class Told(NamedTuple):
    """`passed`: the first events, as far as they are not wanted or are over. `following`: those after them that may be
    held, of which `over` (by id) are over. `made`: the attempts for the first of `following`. Those behind it up to the
    seq `stretch` were tried `shared` times, together.
    """

    passed: Sequence[Recorded]
    following: Sequence[Recorded]
    stretch: int
    shared: int
    over: frozenset[str]
    made: Sequence[Tried]


class Logged:
    """Of the events that an endpoint `wants`; `id_of` says by which endpoint's id an event's attempts are logged."""

    __slots__ = ("_database", "_id_of", "_wants")

    def __init__(self, database: Database, wants: Callable[[Recorded], bool], id_of: Callable[[Recorded], str]) -> None:
        self._database = database
        self._wants = wants
        self._id_of = id_of

    async def of(self, lane: Lane, events: Sequence[Recorded]) -> Told:
        """Of these next events of `lane`. Raises what `Database.fetch` raises.

        Nothing follows that was tried apart from the first: it becomes the first of another reading, and its attempts
        are counted on.
        """
        if not events:
            return Told((), (), 0, 0, frozenset(), ())
        over, tried = await self._log(lane, events)
        due = {event.id for event in events if self._wants(event) and event.id not in over}
        in_hand = lane.place(events[0]) == lane.done + 1 and (lane.attempts or events[0].seq <= lane.stretch)
        if in_hand:  # the lane knows better than the log, which may be a moment behind
            return Told((), *_held(events, due, tried, lane.stretch, lane.shared), frozenset(over), ())
        passed = list(takewhile(lambda event: event.id not in due, events))
        following = events[len(passed) :]
        made = tried.get(following[0].id, ()) if following else ()
        return Told(passed, *_held(following, due, tried), frozenset(over), made)

    async def _log(self, lane: Lane, events: Sequence[Recorded]) -> tuple[set[str], dict[str, list[Tried]]]:
        """Which are over; and the attempts, but those of replays, for each that was tried."""
        over: set[str] = set()
        tried: dict[str, list[Tried]] = {}
        for endpoint_id in sorted({self._id_of(event) for event in events}):
            rows = await self._database.fetch(
                "attempts_of_stretch",
                endpoint_id=endpoint_id,
                stream=lane.stream,
                after=lane.done_seq,
                upto=events[-1].seq,
                part=lane.part,
                width=lane.width,
            )
            for event_id, number, at, error in rows:
                assert isinstance(number, int)
                assert isinstance(at, int)
                if not error or str(error).startswith(GIVEN_UP):
                    over.add(str(event_id))
                if number <= REPLAYED:
                    tried.setdefault(str(event_id), []).append(Tried(number, at))
        return over, tried


def _held(
    events: Sequence[Recorded], due: set[str], tried: Mapping[str, Sequence[Tried]], stretch: int = 0, shared: int = 0
) -> tuple[Sequence[Recorded], int, int]:
    """Those of `events` that may follow the first of them; and the stretch behind it that was tried together."""
    together = bool(events) and events[0].id in tried and not stretch
    for place, event in enumerate(events):
        if place == 0 or event.id not in due or event.seq <= stretch:
            continue
        number = max((one.number for one in tried.get(event.id, ())), default=0)
        if not number:
            together = False
        elif together and shared in (0, number):
            stretch, shared = event.seq, number
        else:
            return events[:place], stretch, shared
    return events, stretch, shared
