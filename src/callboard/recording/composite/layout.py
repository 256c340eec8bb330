"""Where everybody is in the picture. Pure.

Owns: `Box`, `arrange`, `most_people`.

Always holds: boxes are within the picture, do not overlap, have even places and sizes (as 4:2:0 needs), and are all of
one size but for a shared screen, which takes three quarters of the width.
"""

from __future__ import annotations

from typing import NamedTuple

GAP = 4
"""Pixels between two boxes, and around them."""
BESIDE = 8
"""How many are shown beside a shared screen, at most."""


class Box(NamedTuple):
    """Pixels, from the picture's left upper corner."""

    x: int
    y: int
    width: int
    height: int


def arrange(width: int, height: int, people: int, *, shared: bool) -> list[Box]:
    """The boxes: the shared screen's first, if there is one, then those of `people` others."""
    whole = Box(0, 0, width, height)
    if not shared:
        return _grid(whole, people)
    if people == 0:
        return _grid(whole, 1)
    left = _even(width * 3 // 4)
    return [*_grid(Box(0, 0, left, height), 1), *_grid(Box(left, 0, width - left, height), people)]


def most_people(tiles: int, *, shared: bool) -> int:
    """How many others are shown, with room for `tiles` in all."""
    return min(tiles - 1, BESIDE) if shared else tiles


def _grid(area: Box, count: int) -> list[Box]:
    """Boxes in rows, as large as pictures of 16:9 can be, rather wide than high; a last row not full is centred."""
    if count == 0:
        return []
    columns = max(range(1, count + 1), key=lambda columns: (_fit(area, columns, -(-count // columns)), columns))
    rows = -(-count // columns)
    width, height = _even((area.width - GAP) // columns - GAP), _even((area.height - GAP) // rows - GAP)
    top = area.y + _even((area.height - rows * (height + GAP) + GAP) // 2)
    boxes = []
    for row in range(rows):
        here = min(columns, count - row * columns)
        left = area.x + _even((area.width - here * (width + GAP) + GAP) // 2)
        boxes += [Box(left + n * (width + GAP), top + row * (height + GAP), width, height) for n in range(here)]
    return boxes


def _fit(area: Box, columns: int, rows: int) -> float:
    """How wide a picture of 16:9 is in one of so many boxes."""
    return min(area.width / columns, area.height / rows * 16 / 9)


def _even(pixels: int) -> int:
    return max(2, pixels // 2 * 2)
