"""What the process takes of its machine, from /proc and getrusage(2).

Owns: `process`.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Final

from callboard.metrics.exposition import Samples

_CLOCK_TICK: Final = 100  # USER_HZ, on every Linux (proc(5))


def process(samples: Samples) -> None:
    """Call it in a thread: it reads files of /proc."""
    usage, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    samples.set("process_cpu_seconds_total", usage.ru_utime + usage.ru_stime)
    samples.set("callboard_children_cpu_seconds_total", children.ru_utime + children.ru_stime)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    samples.set("process_resident_memory_bytes", pages * resource.getpagesize())
    samples.set("process_open_fds", sum(1 for _ in Path("/proc/self/fd").iterdir()))
    samples.set("process_start_time_seconds", _started_at())


def _started_at() -> float:
    """Field 22 of /proc/self/stat is the start in clock ticks after the boot, `btime` the boot (proc(5))."""
    after_name = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
    boot = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    return boot + int(after_name[19]) / _CLOCK_TICK
