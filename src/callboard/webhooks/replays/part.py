"""How far a replay has come at one endpoint, and what becomes of it with each attempt. Pure.

Owns: `Part`, its states and transitions; `verdict`, which says what an attempt means; `status_of` a whole replay.

Always holds: `completed + failed` events are done with, and the next one is the one after them; a part that has ended
never changes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from callboard.database import Put, Row
from callboard.database.tables import REPLAY_PART
from callboard.webhooks.failures import Failure

NOT_CHOSEN: Final = -1
"""`total` before it is settled which events there are."""
MOST_NAMED: Final = 1_000
"""Failed events whose ids are kept."""
DOWN_AFTER: Final = 3
"""When so many events in a row failed, and none because it was refused, it is the endpoint that does not work."""
QUICK: Final = (1.0, 3.0, 10.0)
"""Seconds between the attempts for one event: the seed platform's (platform.md §10.3)."""


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    TERMINATED = "terminated"


class Part(NamedTuple):
    """One endpoint's share of a replay. The fields are the columns of the table `replay_part`, in their order.

    `streak` counts the last events in a row that failed because the endpoint did not work. `failed_events` is a JSON
    array of ids, of the first `MOST_NAMED`. `message` says why it was terminated, or what it waits for.
    """

    replay_id: str
    endpoint_id: str
    job_id: str
    state: State
    total: int
    completed: int
    failed: int
    streak: int
    failed_events: str
    message: str
    started_at: int
    ended_at: int

    @property
    def next(self) -> int:
        """The number, from 0, of the event whose turn it is."""
        return self.completed + self.failed

    @property
    def failed_ids(self) -> list[str]:
        return msgspec.json.decode(self.failed_events, type=list[str])


class Step(StrEnum):
    """What comes after an attempt."""

    ACCEPTED = "accepted"
    AGAIN = "again"
    REFUSED = "refused"
    """This event has failed; the next one's turn comes."""
    FAILED = "failed"
    """As `REFUSED`, but maybe it is the endpoint that does not work."""
    DOWN = "down"
    """The endpoint does not work: the replay waits, and this event with it."""
    GONE = "gone"
    """The endpoint will never work again."""


def verdict(failure: Failure | None, number: int, streak: int, again: int = len(QUICK)) -> Step:
    """What the attempt `number` (1, 2, …) for an event means, when `again` more are made after the first."""
    if failure is None:
        return Step.ACCEPTED
    if failure is Failure.HTTP_GONE:
        return Step.GONE
    if failure is Failure.HTTP_4XX:
        return Step.REFUSED
    if number <= again and streak < DOWN_AFTER:
        return Step.AGAIN
    return Step.FAILED if streak < DOWN_AFTER else Step.DOWN


def new(replay_id: str, endpoint_id: str, job_id: str) -> Part:
    """Before anything was done."""
    return Part(replay_id, endpoint_id, job_id, State.WAITING, NOT_CHOSEN, 0, 0, 0, "[]", "", 0, 0)


def chosen(part: Part, total: int, now: int) -> Part:
    """It is settled which events there are."""
    return part._replace(state=State.RUNNING, total=total, started_at=part.started_at or now)


def accepted(part: Part) -> Part:
    """The event whose turn it was was accepted."""
    return part._replace(completed=part.completed + 1, streak=0, message="")


def failed(part: Part, event_id: str, step: Step) -> Part:
    """The event whose turn it was was not accepted, and is not tried any more."""
    names = part.failed_ids
    return part._replace(
        failed=part.failed + 1,
        streak=part.streak + 1 if step is Step.FAILED else 0,
        failed_events=part.failed_events
        if len(names) >= MOST_NAMED
        else msgspec.json.encode([*names, event_id]).decode(),
    )


def ended(part: Part, state: State, now: int, message: str = "") -> Part:
    """It is over."""
    return part._replace(
        state=state, message=message, ended_at=now, total=max(part.total, 0), started_at=part.started_at or now
    )


def stored(part: Part) -> Put:
    """Its row."""
    return Put(REPLAY_PART, part)


def part_of(row: Row) -> Part:
    """The part in a row of the table."""
    part = Part(*row)  # type: ignore[arg-type]  # the schema's types, which the database's tests check
    return part._replace(state=State(part.state))


def status_of(parts: Sequence[Part]) -> str:
    """The replay's status, in the seed platform's words (platform.md §10.5)."""
    if any(not part.ended_at for part in parts):
        return "Running"
    states = {part.state for part in parts}
    if State.CANCELLED in states:
        return "Canceled"
    if State.TERMINATED in states:
        return "Terminated"
    if not any(part.failed for part in parts):
        return "completed"
    return "completed_with_failures" if any(part.completed for part in parts) else "failed"
