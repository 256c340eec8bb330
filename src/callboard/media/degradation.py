"""What a client with a bad link is sent less of, and when it gets it back.

Owns: `DegradePolicy`, `Degradation`.

Always holds: no I/O; the clock is the caller's. Sound is never taken away. Quality goes before presence: simulcast
pictures are made smaller first, then pictures are paused; the least important publisher's first. What was taken away
comes back in the opposite order, step by step, each step after a time without trouble that doubles when it was too
early.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

Key = tuple[str, str]

NONE, LOW, MEDIUM, HIGH = 0, 1, 2, 3
LONGEST_RECOVERY: Final = 60.0


@dataclass(frozen=True, slots=True)
class DegradePolicy:
    """Per cent lost from which a link is bad; seconds that it has to be bad before less is sent, and good before
    more is (platform.md §2.2, `subscribeDegradation`)."""

    loss: float = 50.0
    degrade_after: float = 1.0
    recover_after: float = 4.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A video that is sent at `level`. `priority` 1 is the most important; `layers` 1 without simulcast."""

    key: Key
    level: int
    layers: int
    priority: int = 1


class Degradation:
    """One subscriber's."""

    def __init__(self, policy: DegradePolicy | None = None) -> None:
        self.policy = policy or DegradePolicy()
        self._caps: dict[Key, tuple[int, int]] = {}  # key → (level, priority)
        self._bad_since: float | None = None
        self._good_since: float | None = None
        self._raised_at: float | None = None
        self._patience = 1.0

    @property
    def caps(self) -> Mapping[Key, int]:
        """The highest level that these videos are sent at, `NONE` for paused. Others are sent as wanted."""
        return {key: level for key, (level, _) in self._caps.items()}

    def keep(self, keys: Collection[Key]) -> None:
        """Forget videos that are not among `keys`."""
        self._caps = {key: cap for key, cap in self._caps.items() if key in keys}

    def note(self, loss: float | None, pictures: Collection[Picture], now: float) -> bool:
        """A new measurement (per cent, `None`: too little was sent to tell); whether `caps` changed.

        `pictures` are the videos as they are sent now, capped ones included.
        """
        if loss is not None and loss >= self.policy.loss:
            self._good_since = None
            self._bad_since = self._bad_since if self._bad_since is not None else now
            return now - self._bad_since >= self.policy.degrade_after and self._lower(pictures, now)
        self._bad_since = None
        self._good_since = self._good_since if self._good_since is not None else now
        wait = min(self.policy.recover_after * self._patience, LONGEST_RECOVERY)
        return now - self._good_since >= wait and self._raise(pictures, now)

    def _lower(self, pictures: Collection[Picture], now: float) -> bool:
        shrinkable = [one for one in pictures if one.layers > 1 and one.level > LOW]
        candidates = shrinkable or [one for one in pictures if one.level > NONE]
        if not candidates:
            return False
        least = max(one.priority for one in candidates)
        for one in candidates:
            if one.priority == least:
                self._caps[one.key] = (one.level - 1 if shrinkable else NONE, one.priority)
        if self._raised_at is not None and now - self._raised_at < 2 * self.policy.recover_after:
            self._patience = min(self._patience * 2, LONGEST_RECOVERY)
        self._raised_at = None
        self._bad_since = now
        return True

    def _raise(self, pictures: Collection[Picture], now: float) -> bool:
        paused = [key for key, (level, _) in self._caps.items() if level == NONE]
        candidates = paused or list(self._caps)
        if not candidates:
            self._patience = 1.0
            return False
        layers = {one.key: one.layers for one in pictures}
        most = min(self._caps[key][1] for key in candidates)
        for key in candidates:
            level, priority = self._caps[key]
            if priority == most:
                level = level + 1 if layers.get(key, 1) > 1 else HIGH
                if level < HIGH:
                    self._caps[key] = (level, priority)
                else:
                    del self._caps[key]
        self._raised_at = self._good_since = now
        return True
