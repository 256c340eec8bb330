"""Kinds of jobs, and who does them.

Owns: `Kind` (what a room that enqueues has to know), `Handlers` (who runs them), and the words between a handler and
the worker: `Result`, `JobError`, `Failure`.

Always holds: a kind's name means one payload type and one handler. A job that ends otherwise than by its handler's
`Result` ends by the changes of its handler's `give_up`: whatever happens, somebody says what the end means.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from callboard.clock import NANOSECONDS, Ids
from callboard.database import Put
from callboard.jobs.job import Job, State, stored
from callboard.ledger import Changes

if TYPE_CHECKING:
    from callboard.jobs.run import Run

P = TypeVar("P", bound=msgspec.Struct)

DAY = 86_400.0
MOST_PAYLOAD = 65_536
"""Bytes. A payload names its matter by ids; it is written anew with each heartbeat."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds until the next try: `first`, then `factor` times more each time, at most `most`; ± the share `jitter`."""

    first: float = 2.0
    factor: float = 2.0
    most: float = 600.0
    jitter: float = 0.2

    def delay(self, attempt: int, random: Random) -> float:
        """After the try number `attempt` (1, 2, …) has failed."""
        # The exponent is bounded: a float overflows long before a job has been tried so often.
        grown: float = self.first * self.factor ** min(attempt - 1, 64)
        return min(grown, self.most) * (1 + self.jitter * (2 * random.random() - 1))


@dataclass(frozen=True, slots=True)
class Kind(Generic[P]):
    """A kind of job, and how its jobs are treated.

    `weight` is the number of cores that one keeps busy: 0.0 for one that waits for others (an upload), which then is
    held back by nothing but `concurrency`, the number that one worker process runs at the same time. `priority` is
    what its jobs have unless enqueued with another. A job is given up `give_up_after` seconds after it was due
    first, after `most_attempts` tries that failed (0: as many as there is time for), or when `most_losses` workers
    died of it. `upkeep`: it tidies up after others; nobody outside may call it off.
    """

    name: str
    payload: type[P]
    weight: float = 1.0
    concurrency: int = 1
    priority: int = 0
    give_up_after: float = DAY
    most_attempts: int = 0
    most_losses: int = 10
    upkeep: bool = False
    backoff: Backoff = field(default_factory=Backoff)

    def payload_of(self, job: Job) -> P:
        """What the job is to do. Raises `msgspec.MsgspecError` if this version cannot read it."""
        return msgspec.json.decode(job.payload, type=self.payload)


def new_job(
    kind: Kind[P],
    payload: P,
    *,
    now: int,
    ids: Ids,
    subject: str = "",
    priority: int | None = None,
    delay: float = 0.0,
) -> Job:
    """A job to be enqueued, due `delay` seconds from now. Raises `ValueError` for a payload of over `MOST_PAYLOAD`."""
    encoded = msgspec.json.encode(payload)
    if len(encoded) > MOST_PAYLOAD:
        raise ValueError(f"the payload of a {kind.name} job has {len(encoded)} bytes, {MOST_PAYLOAD} are allowed")
    due_at = now + int(delay * NANOSECONDS)
    return Job(
        id=ids.object_id(now),
        kind=kind.name,
        subject=subject,
        payload=encoded,
        priority=kind.priority if priority is None else priority,
        created_at=now,
        deadline_at=due_at + int(kind.give_up_after * NANOSECONDS),
        state=State.WAITING,
        due_at=due_at,
        fence=0,
        owner="",
        attempt=0,
        losses=0,
        progress=0.0,
        error_code="",
        error="",
        started_at=0,
        ended_at=0,
    )


def job_row(
    kind: Kind[P],
    payload: P,
    *,
    now: int,
    ids: Ids,
    subject: str = "",
    priority: int | None = None,
    delay: float = 0.0,
) -> Put:
    """A row that enqueues a job: put it into the `Changes.rows` of the change that needs it. Raises as `new_job`.

    `Put.row[0]` is the job's id.
    """
    return stored(new_job(kind, payload, now=now, ids=ids, subject=subject, priority=priority, delay=delay))


class JobError(Exception):
    """A handler's word that this try has failed: `code` is for programs, the message for people (no secrets in it).

    `final`: trying again is no use, the job is to be given up.
    """

    def __init__(self, code: str, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.final = final


class Cause(StrEnum):
    """Why a job is given up."""

    FINAL = "final"  # its handler raised a JobError that is final
    DEADLINE = "deadline"
    ATTEMPTS = "attempts"
    LOSSES = "losses"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job is given up: `code` and `message` are those of its last error, '' if it had none."""

    cause: Cause
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Result:
    """A job is done: `changes` (its terminal event among them) are committed in one with its end."""

    changes: Changes = field(default_factory=Changes)


Perform = Callable[["Run", P], Awaitable[Result]]
GiveUp = Callable[[Job, Failure], Awaitable[Changes]]
Again = Callable[[Job], Awaitable[Changes]]


@dataclass(frozen=True, slots=True)
class Handler:
    """Who does the jobs of one kind.

    `perform(run, payload)` does the job; a try may follow another that was cut off anywhere. `give_up(job, failure)`
    answers what is to be committed with the end of a job that will not be done; any process may call it. `again(job)`
    answers what does the work of a failed or cancelled job anew, new jobs among it, and raises `Refusal` when that
    cannot be; without it such jobs are not repeated.
    """

    kind: Kind[Any]
    perform: Perform[Any]
    give_up: GiveUp
    again: Again | None = None


class Handlers:
    """The handlers that a process knows, by the kind's name."""

    def __init__(self) -> None:
        self._handlers: dict[str, Handler] = {}

    def add(self, kind: Kind[P], perform: Perform[P], give_up: GiveUp, again: Again | None = None) -> None:
        """Raises `ValueError` for a kind that is there already, or that could never run."""
        if kind.name in self._handlers:
            raise ValueError(f"there is a handler for {kind.name} already")
        if kind.concurrency < 1 or kind.weight < 0:
            raise ValueError(f"{kind.name}: concurrency is at least 1 and weight at least 0")
        self._handlers[kind.name] = Handler(kind, perform, give_up, again)

    def __getitem__(self, name: str) -> Handler:
        """Raises `KeyError`."""
        return self._handlers[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __contains__(self, name: object) -> bool:
        return name in self._handlers
