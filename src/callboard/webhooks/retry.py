"""When a delivery that failed is tried again, and when it is given up, while its endpoint works. Pure.

Owns: `RetryPolicy` and what counts as success.

Always holds: the seed platform's quick retries come first, exactly (attempt 2 one second after attempt 1,
attempt 3 three seconds after attempt 2, attempt 4 ten seconds after attempt 3: platform.md §10.3); then the
delays grow exponentially, with jitter, until the event was tried for `give_up_after` seconds. The last attempt falls
on that time. (When all of an endpoint fails, `health` takes over after the quick retries.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

HOUR = 3600.0
DAY = 24 * HOUR


class Random(Protocol):
    """The part of `random.Random` that jitter needs."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The schedule. Durations in seconds.

    `quick[n]` is the delay after attempt `n + 1`, without jitter. After those the delay is `tail_first`, then
    `tail_factor` times more each time, up to `tail_most`; each is multiplied by a random number in
    [1 - `jitter`, 1 + `jitter`] so that lanes which failed together don't come back together.
    """

    quick: tuple[float, ...] = (1.0, 3.0, 10.0)
    tail_first: float = 30.0
    tail_factor: float = 2.0
    tail_most: float = 1 * HOUR
    jitter: float = 0.2
    give_up_after: float = 1 * HOUR

    def __post_init__(self) -> None:
        """Raises `ValueError`, naming the setting, what it was and what is allowed."""
        if any(delay <= 0 for delay in self.quick):
            raise ValueError(f"quick: must be delays above 0 seconds, not {self.quick}")
        if self.tail_first <= 0:
            raise ValueError(f"tail_first: must be above 0 seconds, not {self.tail_first}")
        if not 1 <= self.tail_factor <= 10:
            raise ValueError(f"tail_factor: must be 1 to 10, not {self.tail_factor}")
        if self.tail_most < self.tail_first:
            raise ValueError(f"tail_most: must be at least tail_first ({self.tail_first}), not {self.tail_most}")
        if not 0 <= self.jitter < 1:
            raise ValueError(f"jitter: must be at least 0 and below 1, not {self.jitter}")
        if self.give_up_after < 0:
            raise ValueError(f"give_up_after: must be at least 0 seconds, not {self.give_up_after}")

    def next_delay(
        self, attempt_number: int, tried_seconds: float, random: Random, asked_seconds: float = 0.0
    ) -> float | None:
        """Seconds to wait after attempt `attempt_number` (1, 2, …) failed, or None: the event is given up.

        `tried_seconds` is how long the event has been tried at a working endpoint. `asked_seconds` is what the endpoint
        asked for (`retry_after`): it prolongs the delay, and never beyond the time at which the event is given up. The
        quick retries are made in any case.
        """
        if attempt_number <= len(self.quick):
            return max(self.quick[attempt_number - 1], asked_seconds)
        remaining = self.give_up_after - tried_seconds
        if remaining <= 0:
            return None
        return min(max(self._delay(attempt_number, random), asked_seconds), remaining)

    def _delay(self, attempt_number: int, random: Random) -> float:
        step = attempt_number - len(self.quick) - 1
        # 10 ** 64 still is a float; any schedule reaches `tail_most` long before.
        delay = min(self.tail_first * self.tail_factor ** min(step, 64), self.tail_most)
        return delay * (1 + self.jitter * (2 * random.random() - 1))


def succeeded(status: int) -> bool:
    """Whether an answer with this HTTP status accepts the event: any 2xx.

    The seed platform says exactly 200 (platform.md §10.3); its own consumers answer 204 too, and refusing
    that would only repeat events that were accepted.
    """
    return 200 <= status < 300
