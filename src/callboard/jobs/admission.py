"""Which jobs a worker takes next. Pure.

Owns: `admit`, `room_for`.

Always holds: nothing is refused, only kept waiting. No more of a kind run than its concurrency, and no more cores are
asked for than there are, unless by one job that alone asks for more. A job that does not fit yet is not overtaken by
others that need cores: however many small ones there are, its turn comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from callboard.jobs.job import Job
from callboard.jobs.kinds import Handlers

_TOLERANCE = 1e-9  # of sums of floats


def room_for(handlers: Handlers, kinds: Iterable[str], running: Iterable[Job]) -> dict[str, int]:
    """How many more of each kind may run, as far as its concurrency goes; kinds with no room are left out."""
    count = Counter(job.kind for job in running)
    room = {kind: handlers[kind].kind.concurrency - count[kind] for kind in kinds}
    return {kind: free for kind, free in room.items() if free > 0}


def admit(handlers: Handlers, due: Iterable[Job], running: Iterable[Job], cores: float) -> list[Job]:
    """The due jobs to take now, beside the running ones: by priority, then by how long they have been due."""
    count: Counter[str] = Counter()
    busy = 0.0
    for job in running:
        count[job.kind] += 1
        busy += min(handlers[job.kind].kind.weight, cores)
    taken = []
    waits_for_cores = False
    for job in sorted(due, key=_order):
        kind = handlers[job.kind].kind
        weight = min(kind.weight, cores)
        if count[job.kind] >= kind.concurrency or (waits_for_cores and weight > 0):
            continue
        if busy + weight > cores + _TOLERANCE and weight > 0:
            waits_for_cores = True
            continue
        count[job.kind] += 1
        busy += weight
        taken.append(job)
    return taken


def _order(job: Job) -> tuple[int, int, str]:
    return -job.priority, job.due_at, job.id
