"""The few statistics that a measurement needs, robust against single wrong values.

Owns: percentiles, slopes, and `Offsets`. Pure.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from statistics import median

_MOST = 200  # points that a slope is taken from: all pairs are compared
_SHORTEST = 5.0  # seconds: over less, a slope says nothing


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values that at least `share` (0 … 1) of them don't exceed. There is at least one."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def slope(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """How fast y grows with x (Theil and Sen: the median over all pairs), or None over less than 5 s of x."""
    every = 1 + len(xs) // _MOST
    points = list(zip(xs[::every], ys[::every], strict=True))
    if len(points) < 4 or points[-1][0] - points[0][0] < _SHORTEST:
        return None
    pairs = ((a, b) for index, a in enumerate(points) for b in points[index + 1 :])
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[0] > a[0]]
    return median(slopes)


class Offsets:
    """File time minus source time, measured at many instants: how a source's clock lies on the file's time line."""

    def __init__(self, at: Sequence[float], clock: Sequence[float]) -> None:
        """`at` are file times; `clock` the source times that were found there. Seconds; at least one."""
        pairs = sorted(zip(at, clock, strict=True))
        self.at = [file for file, _ in pairs]
        self.offset = [file - source for file, source in pairs]

    def near(self, at: float, reach: float) -> float | None:
        """The median of what was measured within `reach` of file time `at`, if anything was."""
        values = self.offset[bisect_left(self.at, at - reach) : bisect_right(self.at, at + reach)]
        return median(values) if values else None

    def nearest(self, at: float) -> float:
        """What was measured nearest to file time `at`."""
        index = bisect_left(self.at, at)
        candidates = range(max(0, index - 1), min(len(self.at), index + 1))
        return self.offset[min(candidates, key=lambda i: abs(self.at[i] - at))]

    def nearest_to_source(self, clock: float) -> float:
        """What was measured nearest to source time `clock`; exact enough while offsets change slowly."""
        return self.nearest(clock + self.nearest(clock + self.offset[0]))

    def first(self, span: float) -> float:
        """The median over the first `span` seconds."""
        return median(self.offset[: bisect_right(self.at, self.at[0] + span)])

    def pace(self) -> float | None:
        """How much faster the file's time runs than the source's, in milliseconds per minute."""
        growth = slope(self.at, self.offset)
        return None if growth is None else growth * 60_000
