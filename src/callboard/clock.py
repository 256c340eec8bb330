"""Time, ids and randomness as arguments.

Owns: the three things a pure function may not reach for itself. Everything that decides something takes a `Clock`
and an `Ids`; only `app.py` (and tests) choose which.

Always holds: an instant is an integer of **nanoseconds since 1970-01-01T00:00:00Z** (UTC), everywhere in memory and
in the database. Durations are seconds unless a name says otherwise.
"""

from __future__ import annotations

import random
import secrets
import time
import uuid
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """Where "now" comes from."""

    def now(self) -> int:
        """The current instant, in nanoseconds since the epoch (UTC)."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        return time.time_ns()


class Ids(Protocol):
    """Where new identifiers come from."""

    def object_id(self, now: int) -> str:
        """A 24-digit lowercase hexadecimal id whose first 8 digits are `now` in seconds (platform.md §2.0)."""
        ...

    def uuid(self) -> str:
        """A random UUID (version 4), in its canonical text form."""
        ...

    def time_uuid(self, now: int) -> str:
        """A UUID that begins with `now` in milliseconds (version 7, RFC 9562 §5.7), in its canonical text form.

        For what is stored in the order of time: its index then grows at one end, which is a fifth cheaper.
        """
        ...


class RandomIds:
    """Ids from an unpredictable source, or, with a seed, a repeatable one for tests."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed) if seed is not None else secrets.SystemRandom()  # noqa: S311
        self._process = self._random.getrandbits(40)
        self._counter = self._random.getrandbits(24)

    def object_id(self, now: int) -> str:
        self._counter = (self._counter + 1) & 0xFFFFFF
        seconds = (now // NANOSECONDS) & 0xFFFFFFFF
        return f"{seconds:08x}{self._process:010x}{self._counter:06x}"

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def time_uuid(self, now: int) -> str:
        milliseconds = (now // 1_000_000) & 0xFFFF_FFFF_FFFF
        chance = self._random.getrandbits(74)
        number = milliseconds << 80 | 7 << 76 | (chance >> 62) << 64 | 2 << 62 | chance & 0x3FFF_FFFF_FFFF_FFFF
        return str(uuid.UUID(int=number))
