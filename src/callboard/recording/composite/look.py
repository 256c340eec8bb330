"""What a composition looks like: its size, frame rate, font and limits. Pure, but for finding the font.

Owns: `Look`, `FONTS`, `find_font`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

SOUND_RATE = 48_000
"""Samples a second."""
FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",  # Debian, Ubuntu: fonts-dejavu-core
    "/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf",  # Fedora: dejavu-sans-fonts
    "/usr/share/fonts/TTF/DejaVuSans.ttf",  # Arch: ttf-dejavu
    "/usr/share/fonts/dejavu/DejaVuSans.ttf",  # Alpine: font-dejavu
)
"""Where the font that names are written in is looked for."""
RATES = (10, 12, 15, 20, 24, 25, 30, 50, 60)
"""Pictures a second that may be asked for: each lasts a whole number of samples."""
SIZES = (240, 1920)
"""The least and the most pixels of a side, which is even."""


class LookError(ValueError):
    """The settings of the composition cannot be used. The text says which, and what is allowed."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """Pixels, pictures a second, seconds. `tiles`: how many people and screens are shown at the same time, at most.

    `chunk`: how much is composed at a time, which is what a crash costs. `font` "": the first of `FONTS`.
    `quality` is x264's constant rate factor, `kilobits` the most that the picture takes in a second.
    """

    width: int = 1280
    height: int = 720
    rate: int = 25
    tiles: int = 16
    chunk: int = 120
    font: str = ""
    quality: int = 23
    kilobits: int = 3_000
    preset: str = "veryfast"


def check(look: Look) -> Look:
    """Return `look`. Raises `LookError`."""
    for name, side in (("width", look.width), ("height", look.height)):
        if side % 2 or not SIZES[0] <= side <= SIZES[1]:
            raise LookError(f"{name} {side}: allowed are even numbers from {SIZES[0]} to {SIZES[1]}")
    if look.rate not in RATES:
        raise LookError(f"rate {look.rate}: allowed are {', '.join(map(str, RATES))} pictures a second")
    if not 1 <= look.tiles <= 49:
        raise LookError(f"tiles {look.tiles}: allowed are 1 to 49")
    if not 1 <= look.chunk <= 3600:
        raise LookError(f"chunk {look.chunk} s: allowed are 1 to 3600")
    return look


def find_font(look: Look, fonts: Iterable[str] = FONTS) -> str:
    """The file of the font. Raises `LookError` when there is none: names are never left out silently."""
    wanted = (look.font,) if look.font else tuple(fonts)
    for file in wanted:
        if Path(file).is_file():
            return file
    raise LookError(f"no font for the names: install fonts-dejavu-core, or set one that is there ({', '.join(wanted)})")
