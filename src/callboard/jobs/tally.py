"""What a worker counts of what it does, since it was made.

Owns: `Tally`, `Outcome`.

Always holds: each try that a worker began ends in one outcome, which is counted once it is durable.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from callboard.jobs.kinds import Failure, Result
from callboard.jobs.verdict import Again, Release, Verdict


class Outcome(StrEnum):
    """How a try at a job ended."""

    DONE = "done"
    FAILED = "failed"  # given up
    RETRIED = "retried"  # put off, to be tried again
    RELEASED = "released"  # given back unfinished: the worker stopped
    LOST = "lost"  # its lease ran out, or it was called off: it went on, or ended, in other hands


class Tally:
    """Instants are nanoseconds since the epoch (UTC), 0 before the first."""

    def __init__(self) -> None:
        self.tries: Counter[tuple[str, Outcome]] = Counter()
        """By kind of job."""
        self.renewals = 0
        """Leases that were renewed."""
        self.looked_at = 0
        """When it last looked for jobs, and the database answered."""
        self.beat_at = 0
        """When it last renewed the leases of what it runs, however many that were."""


def outcome_of(reached: Verdict) -> Outcome:
    """What a verdict is counted as."""
    match reached:
        case Result():
            return Outcome.DONE
        case Failure():
            return Outcome.FAILED
        case Again():
            return Outcome.RETRIED
        case Release():
            return Outcome.RELEASED
    return Outcome.LOST
