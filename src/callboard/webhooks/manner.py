"""How an endpoint wants to be sent to. Pure.

Owns: `Manner`, `Bucket`.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from callboard.webhooks.batching import Batch

MOST_CONCURRENCY = 1000
MOST_RATE = 100_000.0
SPREAD: Final = 8
"""How many events of one session may be under way to an endpoint that wants no order."""


class Manner(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How an endpoint is sent to. What is not said is as it is for all: 0 means the server's settings, or no limit."""

    concurrency: Annotated[
        int,
        Meta(ge=0, le=MOST_CONCURRENCY, description="Requests at the same time, at most. 0: as the server's setting."),
    ] = 0
    rate_per_second: Annotated[
        float, Meta(ge=0, le=MOST_RATE, description="Requests a second, at most; a second's worth may come at once.")
    ] = 0.0
    timeout_seconds: Annotated[
        float, Meta(ge=0, le=300, description="How long an attempt may take. 0: as the server's setting.")
    ] = 0.0
    ordering: Annotated[
        Literal["session", "none"],
        Meta(
            description="session: events of one session one after the other. none: several of them at the same time, in"
            " no order, for those who want throughput only."
        ),
    ] = "session"
    operational: Annotated[
        bool, Meta(description="Be sent what happens to the other endpoints, too (endpoint.failing, event.parked, …).")
    ] = False
    batch: Annotated[
        Batch | None, Meta(description="Several events of a session in one request. null: each in its own.")
    ] = None

    @property
    def width(self) -> int:
        """Into so many lanes a session's events go."""
        return 1 if self.ordering == "session" else SPREAD

    def most(self, connections: int) -> int:
        """How many attempts may be under way, where the server's setting is so many."""
        return min(self.concurrency or connections, connections)

    def timeout(self, usual: float) -> float:
        """Seconds for an attempt, where the server's setting is `usual`."""
        return self.timeout_seconds or usual


class Bucket:
    """Tokens, `rate` a second, up to a second's worth (but one at least). Begins full. Times in seconds, of a loop."""

    __slots__ = ("_at", "_most", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._tokens = self._most
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token, if there is one."""
        self._tokens = min(self._most, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def give_back(self) -> None:
        """The one that was taken last was not needed."""
        self._tokens += 1

    def due(self) -> float:
        """When there is a token again."""
        return self._at + (1 - self._tokens) / self._rate if self._tokens < 1 else -inf
