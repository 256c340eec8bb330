"""Finding truth pictures in a picture, wherever and however large they are, and reading them.

Owns: `locate` and `Region`. Pure: they work on a luma plane (8 bits, rows without padding).

Always holds: what is returned as a stamp passed its check. The layout is `picture.py`'s. A region is found by its two
bars: black runs of the same left and right end, one above the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

from callboard.recording.truth.picture import CELLS, DATA_ROWS, MASK
from callboard.recording.truth.stamp import Stamp, unpack

SHORTEST_BAR = 18
"""Pixels: a bar shorter than this is not looked for, a cell would be narrower than two pixels."""

BARS = 320
"""Of how many black runs in one picture the pairs are tried, at most."""

_DARK = 110
_CONTRAST = 40  # the least difference of white and black, in luma steps, that counts as a code
_THRESHOLD = bytes(1 if value < _DARK else 0 for value in range(256))
_RUN = re.compile(b"\x01{%d,}" % SHORTEST_BAR)


class Region:
    """Where a code is: the outer edges of its bars, in pixels, in planes of `width` pixels."""

    __slots__ = ("_bars", "_cells", "_data", "bottom", "left", "right", "top")

    def __init__(self, left: int, top: int, right: int, bottom: int, width: int) -> None:
        self.left, self.top, self.right, self.bottom = left, top, right, bottom
        across, down = (right - left) / CELLS, (bottom - top) / CELLS

        def at(column: float, row: float) -> int:
            return int(top + row * down) * width + int(left + column * across)

        # Five points of every cell; their sum decides. The bars say what black is.
        around = ((0.5, 0.5), (0.3, 0.4), (0.7, 0.4), (0.3, 0.65), (0.7, 0.65))
        cells = [(row, column) for row in range(1, DATA_ROWS + 1) for column in range(CELLS)]
        self._data = tuple(itemgetter(*(at(column + x, row + y) for row, column in cells)) for x, y in around)
        self._bars = itemgetter(*(at(column + 0.5, row + 0.5) for row in (0, CELLS - 1) for column in range(CELLS)))

    def read(self, luma: bytes) -> Stamp | None:
        """The stamp shown there, or None."""
        sums = tuple(map(sum, zip(*(pick(luma) for pick in self._data), strict=True)))
        black = sum(self._bars(luma)) // 4  # of 20 points; a cell has 5
        white = max(sums)
        if white - black < 5 * _CONTRAST:
            return None
        middle = (white + black) // 2
        digits = "".join(["1" if value < middle else "0" for value in sums])
        return unpack(int(digits, 2) ^ MASK)


@dataclass(slots=True)
class _Bar:
    left: int
    right: int
    top: int
    last: int


def locate(luma: bytes, width: int, height: int) -> list[Region]:
    """All regions of the picture that can be read, none overlapping another."""
    step = 1 + height // 400
    bars = _bars(luma.translate(_THRESHOLD), width, height, step)
    found: list[Region] = []
    for upper, lower in _pairs(bars):
        if any(_overlap(upper, lower, region) for region in found):
            continue
        region = Region(
            (upper.left + lower.left) // 2, upper.top, (upper.right + lower.right + 1) // 2, lower.last + step, width
        )
        if region.bottom <= height and region.read(luma) is not None:
            found.append(region)
    return found


def _bars(dark: bytes, width: int, height: int, step: int) -> list[_Bar]:
    """Black runs that continue from row to row, at most `BARS`, from above.

    Only those that are thick enough count: dark walls with names on them are full of black runs, each a row high.
    """
    done: list[_Bar] = []
    growing: list[_Bar] = []
    for y in range(0, height, step):
        start = y * width
        grown: list[_Bar] = []
        for run in _RUN.finditer(dark, start, start + width):
            left, right = run.start() - start, run.end() - start
            bar = next((bar for bar in growing if _same_ends(bar, left, right, 40)), None)
            bar = bar or _Bar(left, right, y, y)
            bar.last = y
            grown.append(bar)
        done += _thick(growing, grown, step)
        growing = grown
        if len(done) >= BARS:
            break
    return sorted([*done, *_thick(growing, [], step)], key=lambda bar: bar.top)


def _thick(bars: list[_Bar], still: list[_Bar], step: int) -> list[_Bar]:
    """Those that end here and are as high as a bar is, even when 9:16 became 16:9."""
    alive = {id(bar) for bar in still}
    return [bar for bar in bars if id(bar) not in alive and 40 * (bar.last - bar.top + step) >= bar.right - bar.left]


def _pairs(bars: list[_Bar]) -> Iterator[tuple[_Bar, _Bar]]:
    """Bars that may belong together: alike, and as far apart as a code is high, even when 9:16 became 16:9."""
    for index, upper in enumerate(bars):
        length = upper.right - upper.left
        for lower in bars[index + 1 :]:
            height = lower.last - upper.top
            if length / 4 < height < 4 * length and _same_ends(upper, lower.left, lower.right, 12):
                yield upper, lower


def _same_ends(bar: _Bar, left: int, right: int, part: int) -> bool:
    tolerance = max(2, (bar.right - bar.left) // part)
    return abs(bar.left - left) <= tolerance and abs(bar.right - right) <= tolerance


def _overlap(upper: _Bar, lower: _Bar, region: Region) -> bool:
    return (
        upper.left < region.right
        and region.left < upper.right
        and upper.top < region.bottom
        and region.top < lower.last
    )
