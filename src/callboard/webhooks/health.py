"""How an endpoint is doing, as a state machine: closed → open → probing → closed. Pure: no I/O, no clock, no chance.

Owns: `Health`, `HealthPolicy`, `Phase`, `Signal`, and the way to and from the row.

Always holds: while the endpoint is *closed*, up to `limit` attempts are under way. It is *opened* (paused, its events
kept) by an event whose quick attempts are used up while nothing else has been accepted since the first of them. While
it is open nothing is sent but a probe at a time, on a schedule of its own. The first event that is accepted closes it,
and `limit` then rises from `slow_start`, by one with each event that is accepted. An endpoint that accepted nothing for
`disable_after` is to be disabled, after warnings, one with a probe: so neither a leap of the clock nor a long sleep of
ours disables it at once. A restart changes no due time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from callboard.clock import NANOSECONDS
from callboard.database import Put, Row
from callboard.database.tables import ENDPOINT_HEALTH
from callboard.webhooks.retry import DAY, Random

WARNINGS = (0.5, 0.75, 0.9)
"""Parts of `disable_after` at which a warning is given."""
MOST_WAIT = 25 * 3600.0
"""Seconds; what a row may ask for at most, should the clock have been wrong when it was written."""


class Phase(StrEnum):
    """As in the electrical breaker: closed is when it flows."""

    CLOSED = "closed"
    OPEN = "open"
    PROBING = "probing"


class Signal(StrEnum):
    """What somebody should hear of."""

    FAILING = "failing"
    """It is paused now."""
    WARNING = "warning"
    """It will be disabled if this goes on: `Health.warned` of the `WARNINGS` have been given."""
    RECOVERED = "recovered"
    """It accepts events again."""
    DISABLE = "disable"
    """It has failed for too long."""


@dataclass(frozen=True, slots=True)
class HealthPolicy:
    """Durations in seconds. The delay before the first probe is `probe_first`, then `probe_factor` times more each
    time, up to `probe_most`; each is changed at random by at most the part `jitter` of it. `disable_after` 0 is never.
    """

    probe_first: float = 15.0
    probe_factor: float = 2.0
    probe_most: float = 300.0
    jitter: float = 0.2
    disable_after: float = 5 * DAY
    slow_start: int = 2

    def __post_init__(self) -> None:
        """Raises `ValueError`, naming the setting, what it was and what is allowed."""
        if self.probe_first <= 0:
            raise ValueError(f"probe_first: must be above 0 seconds, not {self.probe_first}")
        if not 1 <= self.probe_factor <= 10:
            raise ValueError(f"probe_factor: must be 1 to 10, not {self.probe_factor}")
        if self.probe_most < self.probe_first:
            raise ValueError(f"probe_most: must be at least probe_first ({self.probe_first}), not {self.probe_most}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter: must be at least 0 and below 1, not {self.jitter}")
        if self.disable_after < 0:
            raise ValueError(f"disable_after: must be at least 0 seconds, not {self.disable_after}")
        if self.slow_start < 1:
            raise ValueError(f"slow_start: must be at least 1, not {self.slow_start}")

    def delay(self, probes: int, random: Random) -> float:
        """Seconds until the next probe, after so many that failed."""
        delay = min(self.probe_first * self.probe_factor ** min(probes, 64), self.probe_most)
        return delay * (1 + self.jitter * (2 * random.random() - 1))


class Health:
    """Of one endpoint. Instants in nanoseconds since the epoch (UTC). What changes `row` returns True or a signal.

    `limit` attempts may be under way now: 0 while nothing may be sent before `come` is called, `wait` seconds after the
    call that said so (whoever calls takes it from there: it is `inf` again then).
    """

    __slots__ = (
        "_allowed",
        "_most",
        "_policy",
        "_sole",
        "closed_at",
        "closings",
        "due_at",
        "failing_since",
        "limit",
        "opened_at",
        "parked",
        "phase",
        "probes",
        "successes",
        "wait",
        "warned",
    )

    def __init__(self, policy: HealthPolicy, most: int) -> None:
        self._policy = policy
        self._most = self._allowed = self.limit = most
        self._sole = ""
        self.phase = Phase.CLOSED
        self.failing_since = self.opened_at = self.closed_at = self.due_at = 0
        self.probes = self.warned = 0
        self.successes = self.closings = 0
        """Since it is in memory: events accepted, and times that it began to work again."""
        self.parked = False
        """Whether an event was parked on its own word, with nothing accepted since."""
        self.wait = inf

    # From and to the database.

    def restore(self, row: Row, now: int) -> None:
        """Be as `row` (columns as in `ENDPOINT_HEALTH`) says."""
        _, phase, *numbers, parked = row
        self.phase = Phase(str(phase))
        self.failing_since, self.opened_at, self.closed_at, self.due_at, self.probes, self.warned = map(_int, numbers)
        self.parked = bool(parked)
        if self.phase is not Phase.CLOSED or self.due_at > now:
            self.phase = Phase.OPEN if self.phase is Phase.PROBING else self.phase
            self._hold(min(max(0.0, (self.due_at - now) / NANOSECONDS), MOST_WAIT))

    def row(self, endpoint_id: str) -> Put:
        """What a restart must know."""
        times = (self.failing_since, self.opened_at, self.closed_at, self.due_at)
        return Put(ENDPOINT_HEALTH, (endpoint_id, self.phase.value, *times, self.probes, self.warned, self.parked))

    # What happens.

    def resize(self, most: int) -> None:
        """So many attempts may be under way from now on."""
        ramping = self._allowed < self._most
        self._most = most
        self._allowed = min(self._allowed, most) if ramping else most
        if self.phase is Phase.CLOSED and self.limit:
            self.limit = self._allowed

    def come(self) -> None:
        """What `wait` was for has come: sending goes on, or one probe may be made."""
        self.wait = inf
        self.limit = 1 if self.phase is Phase.OPEN else self._allowed if self.phase is Phase.CLOSED else 0

    def began(self) -> None:
        """An attempt has begun. While the endpoint is open that is the probe."""
        if self.phase is Phase.OPEN:
            self.phase = Phase.PROBING
            self.limit = 0

    def succeeded(self, now: int) -> Signal | None:
        """An event was accepted."""
        self.successes += 1
        self.failing_since = 0
        if self.phase is not Phase.CLOSED:
            return self._close(now)
        if self.parked or self._sole:
            self.parked = False
            self._sole = ""
        if self._allowed < self._most:
            self._allowed += 1
            if self.limit:
                self.limit = self._allowed
        return None

    def works_for_others(self, lane: str, seen: int, *, refused: bool) -> bool:
        """Whether it is the event alone that fails: the first one of `lane`, which first failed after `seen` others.

        It is if another one was accepted meanwhile. An answer that is about the event (`refused`) is believed as long
        as no other lane's event fails too, and for one event that is parked.
        """
        if self.successes > seen:
            return True
        if not refused or self.parked or self._sole not in ("", lane):
            return False
        self._sole = lane
        return True

    def failed(self, now: int, random: Random, *, probe: bool, exhausted: bool, asked: float) -> Signal | None:
        """An attempt failed: it was the `probe`, or it used up the quick attempts of an event that is not alone
        (`exhausted`), or neither. The endpoint `asked` for so many seconds of peace.
        """
        if not self.failing_since:
            self.failing_since = now
        if self.phase is Phase.CLOSED:
            return self._open(now, random, asked) if exhausted else None
        return self._probe_failed(now, random, asked) if probe else None

    def throttled(self, now: int, asked: float) -> bool:
        """It said that this is too much: half as much from now on, and nothing for the seconds that it `asked` for.

        Returns whether `row` changed.
        """
        self._allowed = max(1, self._allowed // 2)
        if self.phase is not Phase.CLOSED:
            return False
        if not asked:
            self.limit = self.limit and self._allowed
            return False
        self.due_at = now + int(asked * NANOSECONDS)
        self._hold(asked)
        return True

    def lone_event_parked(self) -> None:
        """The event that `works_for_others` spoke of is passed over."""
        if self._sole:
            self.parked = True

    def resume(self) -> None:
        """Somebody says that it works again: don't wait for what we waited for."""
        if not self.limit and self.phase is not Phase.PROBING:
            self.due_at = 0
            self.come()

    # The transitions.

    def _close(self, now: int) -> Signal:
        self.phase = Phase.CLOSED
        self.closed_at = now
        self.closings += 1
        self.due_at = self.probes = self.warned = 0
        self.parked, self._sole = False, ""
        self._allowed = self.limit = min(self._policy.slow_start, self._most)
        self.wait = inf
        return Signal.RECOVERED

    def _open(self, now: int, random: Random, asked: float) -> Signal:
        self.opened_at = now
        self.probes = 0
        self._next_probe(now, random, asked)
        return Signal.FAILING

    def _probe_failed(self, now: int, random: Random, asked: float) -> Signal | None:
        self.probes += 1
        self._next_probe(now, random, asked)
        if not self._policy.disable_after:
            return None
        part = (now - self.failing_since) / NANOSECONDS / self._policy.disable_after
        if part < (*WARNINGS, 1.0)[self.warned]:
            return None
        if self.warned == len(WARNINGS):
            return Signal.DISABLE
        self.warned += 1
        return Signal.WARNING

    def _next_probe(self, now: int, random: Random, asked: float) -> None:
        self.phase = Phase.OPEN
        delay = max(self._policy.delay(self.probes, random), asked)
        self.due_at = now + int(delay * NANOSECONDS)
        self._hold(delay)

    def _hold(self, seconds: float) -> None:
        self.limit = 0
        self.wait = seconds


def healthy(endpoint_id: str, now: int) -> Put:
    """The row of an endpoint that works from `now` on: whatever failed before does not count."""
    health = Health(HealthPolicy(), 1)
    health.closed_at = now
    return health.row(endpoint_id)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
