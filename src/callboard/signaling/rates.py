"""How often a client may say something: a token bucket. Pure; the clock is the caller's.

Owns: `Rate`, `Bucket`.

Always holds: in any `t` seconds no more than `burst + t * per_second` pass.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second in the long run, and `burst` of them at once."""

    per_second: float
    burst: int


class Bucket:
    """One client's. Full at the beginning; `now` is monotonic, in seconds."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._left = float(rate.burst)
        self._at = now

    def take(self, now: float) -> float:
        """Take one and return 0; or, when there is none, take nothing and return how many seconds until there is."""
        earned = max(0.0, now - self._at) * self._rate.per_second
        self._left = min(float(self._rate.burst), self._left + earned)
        self._at = max(self._at, now)
        if self._left < 1:
            return (1 - self._left) / self._rate.per_second
        self._left -= 1
        return 0.0
