"""What the log of attempts says of the events of a lane that is as a restart found it.

Owns: `Logged`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callboard.database import Database
from callboard.ledger import Recorded
from callboard.webhooks.attempts import Attempt, attempts_of_event


class Logged:
    """Of the events that an endpoint `wants`; `id_of` says by which endpoint's id an event's attempts are logged.

    Every method raises what `Database.fetch` raises.
    """

    __slots__ = ("_database", "_id_of", "_wants")

    def __init__(self, database: Database, wants: Callable[[Recorded], bool], id_of: Callable[[Recorded], str]) -> None:
        self._database = database
        self._wants = wants
        self._id_of = id_of

    async def of(self, events: Sequence[Recorded]) -> tuple[list[Recorded], list[Attempt]]:
        """The first of `events`, as far as they are not wanted or the log says that they were passed; and the attempts
        made for the next one. Cursors may be a second behind the log.
        """
        passed: list[Recorded] = []
        for event in events:
            made = await self._made(event)
            if self._wants(event) and not any(attempt.ended for attempt in made):
                return passed, [attempt for attempt in made if not attempt.replay]
            passed.append(event)
        return passed, []

    async def together(self, behind: Sequence[Recorded]) -> tuple[int, int]:
        """What is `behind` an event that was tried may have been tried with it, in a batch: up to which seq, and how
        often.
        """
        stretch = shared = 0
        for event in filter(self._wants, behind):
            numbers = [attempt.number for attempt in await self._made(event) if not attempt.replay]
            if not numbers:
                break
            stretch, shared = event.seq, max(shared, *numbers)
        return stretch, shared

    async def _made(self, event: Recorded) -> list[Attempt]:
        """The attempts to deliver this event to this endpoint."""
        id_ = self._id_of(event)
        return [attempt for attempt in await attempts_of_event(self._database, event.id) if attempt.endpoint_id == id_]
