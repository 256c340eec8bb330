"""One stream, or a part of one, on its way to one endpoint. A record that `lanes`, `batching` and `course` work on: no
I/O, no clock.

Owns: `Lane`, `State`.
"""

from __future__ import annotations

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


def key_of(stream: str, part: int, width: int) -> str:
    """What a lane is known by among an endpoint's."""
    return stream if width == 1 else f"{stream}#{part}"


class Lane:
    """One stream on its way to one endpoint; where order is not wanted (`width` above 1), one of `width` parts of it.

    Events are counted by their `place` in the lane: their seq, or of a part 0, 1, 2, … (seq `part`, `part + width`, …).
    Everything up to the place `done` (at `done_position`) is passed; `events` are the next ones that are wanted, all
    that there are up to `held`; `last` is the last there is. `attempts` were made for the first event, the last of
    them at `started` (nanoseconds, UTC), to the endpoint as it was at `version`. While one is under way it is for the
    first `batch` events: see `batching`, also for `due`, `shared`, `stretch` and `together`. The other slots are the
    course's. A backlog has very many lanes: an empty list is a tenth of an empty deque.
    """

    __slots__ = (
        "asked",
        "attempts",
        "batch",
        "closings",
        "done",
        "done_position",
        "due",
        "events",
        "held",
        "held_position",
        "key",
        "last",
        "part",
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
        "width",
    )

    def __init__(self, stream: str, part: int, width: int, done: int, done_position: int) -> None:
        self.stream = stream
        self.key = key_of(stream, part, width)
        self.part = part
        self.width = width
        self.done = self.held = self.last = done
        self.done_position = self.held_position = done_position
        self.events: list[Recorded] = []
        self.attempts = self.tries = self.started = 0
        self.since = self.due = 0.0
        self.batch = 1
        self.stretch = self.shared = 0
        self.together = False
        self.seen = self.closings = -1
        self.version = 0
        self.asked = 0
        self.restored = -1
        """The last place there was when a restart, or another ordering, found it: up to it the log of attempts may know
        of events behind the first that were tried, or are over (`Logged`). Of a lane that began since: none."""
        self.state = State.HUNGRY

    @property
    def done_seq(self) -> int:
        """The seq of the last one that is passed."""
        return self.done * self.width + self.part

    @property
    def next_seq(self) -> int:
        """The seq that the next one has, at least."""
        return self.done_seq + self.width

    def place(self, event: Recorded) -> int:
        """Where the event is in this lane."""
        return event.seq // self.width

    def forget(self) -> None:
        """Its first event is another one."""
        self.attempts = self.tries = 0
        self.seen = self.closings = -1
        self.together = False
