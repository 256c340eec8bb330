"""`callboard worker`: do background jobs, beside servers on the same PostgreSQL database."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from callboard.cli.common import ConfigOption, settings_from
from callboard.config import Settings
from callboard.database import DatabaseStopped
from callboard.webhooks.vault import VaultError
from callboard.worker import CannotWork, Workers

FAILED = 1


def worker(
    config: ConfigOption = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kinds", help="Only jobs of this kind, as recording.track. Repeatable.")
    ] = None,
) -> None:
    """Do background jobs (recordings above all) until Ctrl-C or SIGTERM. Needs PostgreSQL, and the servers' capture
    folder; any number of workers share the work, and take over from one that dies.
    """
    settings = settings_from(config)
    logging.basicConfig(
        level=settings.log.level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        uvloop.run(_work(settings, frozenset(kinds) if kinds else None))
    except (CannotWork, DatabaseStopped, VaultError, ValueError) as error:
        Console(stderr=True).print(f"callboard worker cannot start: {error}", markup=False)
        raise typer.Exit(FAILED) from None


async def _work(settings: Settings, kinds: frozenset[str] | None) -> None:
    async with Workers(settings) as workers:
        Console().print("Worker: ready.", markup=False)
        await workers.work(kinds)
