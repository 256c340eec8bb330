"""What a process used of its core.

Owns: `Meter`, `pin`, `tree_cpu`.
"""

from __future__ import annotations

import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Between two readings: seconds of wall time, and seconds of CPU of all threads (user and system)."""

    wall: float
    cpu: float

    @property
    def share(self) -> float:
        """The share of one core. A saturated process that got much less than 1 was disturbed by others."""
        return self.cpu / self.wall


class Meter:
    """Reads this process's usage since it was made."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu()

    def read(self) -> Usage:
        return Usage(time.perf_counter() - self._wall, _cpu() - self._cpu)


def pin(core: int) -> None:
    """Run this process, all its threads and those that they start, on one core only."""
    os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def tree_cpu(pid: int) -> float:
    """Seconds of CPU that a process, its children and those that it has reaped have used."""
    children: dict[int, list[int]] = {}
    used: dict[int, float] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has just ended
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
                used[int(entry.name)] = sum(map(int, fields[11:15])) / _TICKS
    tree = [pid]
    for each in tree:
        tree += children.get(each, [])
    return sum(used.get(each, 0.0) for each in tree)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
