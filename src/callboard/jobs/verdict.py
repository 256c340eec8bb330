"""What becomes of a job when a try at it is over. Pure.

Owns: `Verdict`, `Again`, `Lost`, `Release`, `GivenUp`, and how they are reached.

Always holds: each try ends in exactly one of them, and after its deadline, or after too many tries, a job is never
tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from callboard.jobs.attempt import Ending
from callboard.jobs.job import Job
from callboard.jobs.kinds import Cause, Failure, JobError, Kind, Result


@dataclass(frozen=True, slots=True)
class Again:
    """Try again in `delay` seconds."""

    delay: float
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Release:
    """Give it back: another worker, or this one's successor, goes on with it."""


@dataclass(frozen=True, slots=True)
class Lost:
    """It has changed hands: there is nothing to write."""


Verdict = Result | Failure | Again | Release | Lost


def before(job: Job, kind: Kind[Any], now: int) -> Failure | None:
    """Whether a job that was just claimed is to be given up instead of tried."""
    if now >= job.deadline_at:
        return Failure(Cause.DEADLINE, job.error_code, job.error)
    if kind.most_losses and job.losses >= kind.most_losses:
        return Failure(Cause.LOSSES, job.error_code, job.error)
    return None


def after(
    job: Job, kind: Kind[Any], now: int, random: Random, outcome: Result | BaseException, ending: Ending | None
) -> Verdict:
    """What becomes of a job whose handler has ended: with a result, or an error, or cut off."""
    if ending is Ending.LOST:
        return Lost()
    if isinstance(outcome, Result):
        return outcome  # done is done, whatever it was told meanwhile
    if ending is Ending.RELEASED:
        return Release()
    if ending is Ending.LATE:
        return Failure(Cause.DEADLINE, job.error_code, job.error)
    return failed_try(job, kind, now, random, outcome)


def failed_try(job: Job, kind: Kind[Any], now: int, random: Random, error: BaseException) -> Failure | Again:
    """What becomes of a job whose try ended with `error`."""
    code, message = told(error)
    if isinstance(error, JobError) and error.final:
        return Failure(Cause.FINAL, code, message)
    if now >= job.deadline_at:
        return Failure(Cause.DEADLINE, code, message)
    if kind.most_attempts and job.tries >= kind.most_attempts:
        return Failure(Cause.ATTEMPTS, code, message)
    return Again(kind.backoff.delay(job.tries, random), code, message)


def told(error: BaseException) -> tuple[str, str]:
    """An error's code and message. Only a `JobError` has a code."""
    if isinstance(error, JobError):
        return error.code, error.message
    return "", f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
