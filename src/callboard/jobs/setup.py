"""A worker out of settings: how much it may do, and how soon others take over.

Owns: `new_worker`.
"""

from __future__ import annotations

import os
import random
from typing import Protocol

from callboard.clock import Clock
from callboard.config import Settings
from callboard.database import Database
from callboard.jobs.kinds import Handlers
from callboard.jobs.worker import Worker, WorkerSettings
from callboard.ledger import Ledger


class House(Protocol):
    """What is needed of whoever puts the parts together."""

    settings: Settings
    clock: Clock
    database: Database
    ledger: Ledger
    handlers: Handlers


def new_worker(house: House, name: str, kinds: frozenset[str] | None = None, *, reserve: int = 1) -> Worker:
    """A worker that has not started. `reserve`: cores that it leaves alone when the settings name no number."""
    jobs = house.settings.jobs
    cores = jobs.cores or max(1.0, float(len(os.sched_getaffinity(0)) - reserve))
    return Worker(
        house.database,
        house.ledger,
        house.handlers,
        name=name,
        clock=house.clock,
        random=random.SystemRandom(),
        settings=WorkerSettings(cores=cores, lease=jobs.lease_seconds),
        kinds=kinds,
    )
