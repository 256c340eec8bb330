"""Following truth pictures through a video: which stamps were shown, from when to when.

Owns: `Eye` and what it saw. Pure: it is fed luma planes with their times; it knows no file.

Always holds: memory is bounded: `BATCH` planes, and 32 bytes for each new frame of a publisher. A frame without a
readable stamp ends the showing of the one before. Somebody who comes or moves is seen from the first frame on, for a
batch of planes is kept until it is known what its first and its last show (who comes and goes within one is not seen).
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field

from callboard.recording.truth.reading import Region, locate
from callboard.recording.truth.stamp import Stamp

BATCH = 8
_REGIONS = 32  # as many are remembered: 16 publishers, each before and after a move


@dataclass(slots=True)
class Seen:
    """The showings of one publisher, in the order of the file.

    Showing i: the frame `counter[i]`, made at `clock[i]` (seconds since the epoch), was shown from `start[i]` to
    `end[i]` (file time, seconds). `hidden` counts pictures between the first and the last in which it was not found.
    """

    start: array[float] = field(default_factory=lambda: array("d"))
    end: array[float] = field(default_factory=lambda: array("d"))
    clock: array[float] = field(default_factory=lambda: array("d"))
    counter: array[int] = field(default_factory=lambda: array("q"))
    hidden: int = 0
    _hidden_now: int = 0
    _shown: bool = False

    def show(self, at: float, stamp: Stamp) -> None:
        self.hidden += self._hidden_now
        self._hidden_now = 0
        if self._shown and stamp.counter == self.counter[-1]:
            return
        self.hide(at)
        self.start.append(at)
        self.end.append(at)
        self.clock.append(stamp.clock / 1000)
        self.counter.append(stamp.counter)
        self._shown = True

    def miss(self, at: float) -> None:
        self.hide(at)
        self._hidden_now += 1

    def hide(self, at: float) -> None:
        if self._shown:
            self.end[-1] = at
            self._shown = False


class Eye:
    """Feed it all pictures of a video, then `finish`; `seen` tells. Planes are `width` × `height` pixels."""

    def __init__(self, width: int, height: int) -> None:
        self.seen: dict[int, Seen] = {}
        self._size = width, height
        self._regions: list[Region] = []
        self._batch: list[tuple[float, bytes]] = []
        self._present: set[int] = set()
        self._last: float | None = None
        self._interval = math.inf

    @property
    def end(self) -> float:
        """File time at which the last picture was shown as long as the shortest of all."""
        if self._last is None:
            return 0.0
        return self._last + (self._interval if math.isfinite(self._interval) else 0.0)

    def feed(self, at: float, luma: bytes) -> None:
        """See a picture that is shown from `at` on."""
        if self._last is not None and at > self._last:
            self._interval = min(self._interval, at - self._last)
        self._last = at
        self._batch.append((at, luma))
        if len(self._batch) == BATCH:
            self._look()

    def finish(self) -> None:
        """See what is left."""
        if self._batch:
            self._look()
        for seen in self.seen.values():
            seen.hide(self.end)

    def _look(self) -> None:
        self._learn(self._batch[0][1])
        self._learn(self._batch[-1][1])
        useful: set[Region] = set()
        for at, luma in self._batch:
            found = self._read(luma, useful)
            if self._present - found.keys():
                self._learn(luma)
                found = self._read(luma, useful)
            for publisher, stamp in found.items():
                self.seen.setdefault(publisher, Seen()).show(at, stamp)
            for publisher in self.seen.keys() - found.keys():
                self.seen[publisher].miss(at)
            self._present = set(found)
        self._regions = [region for region in self._regions if region in useful][-_REGIONS:]
        self._batch.clear()

    def _learn(self, luma: bytes) -> None:
        """Look for codes everywhere, not only where they were."""
        located = locate(luma, *self._size)
        known = {stamp for region in self._regions if (stamp := region.read(luma)) is not None}
        self._regions += [region for region in located if region.read(luma) not in known]

    def _read(self, luma: bytes, useful: set[Region]) -> dict[int, Stamp]:
        found: dict[int, Stamp] = {}
        for region in self._regions:
            stamp = region.read(luma)
            if stamp is not None:
                useful.add(region)
                found.setdefault(stamp.publisher, stamp)
        return found
