"""One stream on its way to one endpoint. A record that `lanes`, `batching` and `course` work on: no I/O, no clock.

Owns: `Lane`, `State`.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from callboard.ledger import Recorded


class State(Enum):
    """What a lane waits for."""

    READY = auto()
    """A connection."""
    SENDING = auto()
    """The end of the attempt that is under way."""
    GATHERING = auto()
    """More events, for a while: they go together."""
    WAITING = auto()
    """Its time to try again."""
    HUNGRY = auto()
    """Events from the database: it holds none."""
    READING = auto()
    """The events it asked for."""


class Lane:
    """One stream on its way to one endpoint.

    Everything up to `done_seq` (at `done_position`) is passed; `events` are the next ones that are wanted, all that
    there are up to `held_seq`; `last_seq` is the last there is. `attempts` were made for the first event, the last of
    them at `started` (nanoseconds, UTC), to the endpoint as it was at `version`. While one is under way it is for the
    first `batch` events: see `batching`, also for `due`, `shared`, `stretch` and `together`. The other slots are the
    course's.
    """

    __slots__ = (
        "asked_seq",
        "attempts",
        "batch",
        "closings",
        "done_position",
        "done_seq",
        "due",
        "events",
        "header",
        "held_position",
        "held_seq",
        "last_seq",
        "restored",
        "seen",
        "shared",
        "since",
        "started",
        "state",
        "stream",
        "stretch",
        "together",
        "tries",
        "version",
    )

    def __init__(self, stream: str, done_seq: int, done_position: int, last_seq: int) -> None:
        self.stream = stream
        self.header = stream.encode()
        self.done_seq = done_seq
        self.done_position = done_position
        self.held_seq = done_seq
        self.held_position = done_position
        self.last_seq = last_seq
        self.events: deque[Recorded] = deque()
        self.attempts = self.tries = self.started = 0
        self.since = self.due = 0.0
        self.batch = 1
        self.stretch = self.shared = 0
        self.together = False
        self.seen = self.closings = -1
        self.version = 0
        self.asked_seq = 0
        self.restored = False
        """Whether it is as a restart found it: the log of attempts may know more."""
        self.state = State.HUNGRY

    def forget(self) -> None:
        """Its first event is another one."""
        self.attempts = self.tries = 0
        self.seen = self.closings = -1
        self.together = False
