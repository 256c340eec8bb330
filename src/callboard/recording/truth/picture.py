"""A truth picture: a stamp drawn so large that scaling, cropping and coarse encoding leave it readable.

Owns: the layout, and drawing it as the planes of a YUV 4:2:0 picture. Pure.

Always holds: all that carries meaning is luma in a centred square of 5/9 of the picture's shorter side. So it
survives letterboxing, and being cropped to anything between 16:9 and 9:16 (which leaves 9/16 of the shorter side).

The square is 11 units wide and high. Half a unit on every side is white; inside it 10 × 10 cells of one unit:

    row 0        black: the upper bar (how the square is found: `reading.py`)
    rows 1 … 8   10 bits each, row by row, most significant first; black is 1. Every second cell is inverted, as
                 on a chessboard, so that neither the zeros of a young clock nor anything else makes a black row
    row 9        black: the lower bar

Around it, bright stripes that move to the left, and a hue for each publisher, for whoever looks and for the
encoder to have something to do.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

from callboard.recording.truth.stamp import PUBLISHERS, Stamp, pack

CELLS = 10
DATA_ROWS = 8
UNITS = CELLS + 1
MASK = sum(1 << (79 - bit) for bit in range(80) if (bit // CELLS + bit % CELLS) % 2)
SMALLEST = 60
"""Pixels: the shorter side of the smallest picture that is drawn."""

WHITE, BLACK = 225, 24
_STRIPES = bytes(180 + abs(15 - n) * 2 for n in range(30))


class Planes(NamedTuple):
    """Luma, and the two chroma planes of half the width and height; rows without padding."""

    y: bytes
    u: bytes
    v: bytes


def draw(stamp: Stamp, width: int, height: int) -> Planes:
    """The picture that carries `stamp`. `width` and `height` are even, in pixels, at least `SMALLEST`.

    Raises `ValueError` otherwise, and for a stamp out of range.
    """
    _check_size(width, height)
    unit = min(width, height) * 5 // (9 * UNITS)
    quiet = unit // 2
    side = CELLS * unit + 2 * quiet
    left, top = (width - side) // 2, (height - side) // 2
    stripes = _stripes(stamp.counter, width)
    before, after = stripes[:left], stripes[left + side :]
    margin = bytes([WHITE]) * quiet
    white = before + bytes([WHITE]) * side + after
    bar = before + margin + bytes([BLACK]) * (CELLS * unit) + margin + after
    rows = [stripes * top, white * quiet, bar * unit]
    rows += [(before + margin + cells + margin + after) * unit for cells in _data(stamp, unit)]
    rows += [bar * unit, white * quiet, stripes * (height - side - top)]
    return Planes(b"".join(rows), *_chroma(stamp.publisher, width * height // 4))


@lru_cache(maxsize=16)
def draw_black(width: int, height: int) -> Planes:
    """What a muted camera sends: black, without a stamp. Raises `ValueError` as `draw` does."""
    _check_size(width, height)
    grey = bytes([128]) * (width * height // 4)
    return Planes(bytes([16]) * (width * height), grey, grey)


def _check_size(width: int, height: int) -> None:
    if width % 2 or height % 2 or min(width, height) < SMALLEST:
        raise ValueError(f"a picture of {width}×{height}: allowed are even sides of at least {SMALLEST} pixels")


def _data(stamp: Stamp, unit: int) -> list[bytes]:
    digits = f"{pack(stamp) ^ MASK:080b}"
    cell = {"0": bytes([WHITE]) * unit, "1": bytes([BLACK]) * unit}
    return [b"".join(cell[digit] for digit in digits[start : start + CELLS]) for start in range(0, 80, CELLS)]


def _stripes(counter: int, width: int) -> bytes:
    start = 2 * counter % len(_STRIPES)
    return (_STRIPES * (width // len(_STRIPES) + 2))[start : start + width]


@lru_cache(maxsize=64)
def _chroma(publisher: int, size: int) -> tuple[bytes, bytes]:
    angle = 2 * math.pi * publisher / PUBLISHERS
    return bytes([round(128 + 40 * math.cos(angle))]) * size, bytes([round(128 + 40 * math.sin(angle))]) * size
