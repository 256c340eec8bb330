"""What is captured, in numbers.

Owns: `CaptureCounters`, `CapturedNow`, `Meter`.

Always holds: asking costs as much as there are files being written, however many lie there.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


@dataclass(slots=True)
class CaptureCounters:
    """What happened since the process started; `free_bytes` is as it was when the disk was last looked at. `bytes` is
    what files have grown by while they were written, `refused` the tracks that were not captured."""

    sessions: int = 0
    segments: int = 0
    refused: int = 0
    completed: int = 0
    disk_alarms: int = 0
    bytes: int = 0
    free_bytes: int = 0


class CapturedNow(NamedTuple):
    """Of the present moment: sessions that are captured, their tracks by kind, and the files that these are written
    to."""

    sessions: int
    audio: int
    video: int
    files: int


class Meter:
    """Measures how files grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def grown(self, files: Iterable[str]) -> int:
        """By how many bytes these files (in the folder), and those of the last call, have grown since then. Blocks."""
        now = {*files}
        grown = 0
        for file in now | self._sizes.keys():
            before = self._sizes.get(file, 0)
            size = before
            with suppress(OSError):  # not there yet, or deleted already
                size = (self._folder / file).stat().st_size
            grown += max(0, size - before)
            self._sizes[file] = size
        self._sizes = {file: self._sizes[file] for file in now}
        return grown
