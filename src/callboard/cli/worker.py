"""`callboard worker`: do background jobs, beside servers on the same PostgreSQL database."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import msgspec
import typer
import uvloop
from rich.console import Console

from callboard.cli.common import ConfigOption, settings_from
from callboard.config import ConfigError, Settings
from callboard.database import DatabaseStopped
from callboard.metrics.settings import Address
from callboard.webhooks.vault import VaultError
from callboard.wording import allowed
from callboard.worker import CannotWork, Workers

FAILED = 1


def worker(
    config: ConfigOption = None,
    kinds: Annotated[
        list[str] | None, typer.Option("--kinds", help="Only jobs of this kind, as recording.track. Repeatable.")
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="HOST:PORT",
            help="Serve /metrics, /healthz and /readyz there, without a token (setting: metrics.worker).",
        ),
    ] = None,
) -> None:
    """Do background jobs (recordings above all) until Ctrl-C or SIGTERM. Needs PostgreSQL, and the servers' capture
    folder; any number of workers share the work, and take over from one that dies.
    """
    settings = _with_metrics(settings_from(config), metrics)
    logging.basicConfig(
        level=settings.log.level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        uvloop.run(_work(settings, frozenset(kinds) if kinds else None))
    except (CannotWork, DatabaseStopped, VaultError, ValueError) as error:
        Console(stderr=True).print(f"callboard worker cannot start: {error}", markup=False)
        raise typer.Exit(FAILED) from None


def _with_metrics(settings: Settings, address: str | None) -> Settings:
    """Raises `ConfigError`."""
    if address is None:
        return settings
    try:
        wanted = msgspec.convert(address, Address)
    except msgspec.ValidationError:
        raise ConfigError([f"--metrics: must be {allowed(Address)}"]) from None
    return msgspec.structs.replace(settings, metrics=msgspec.structs.replace(settings.metrics, worker=wanted))


async def _work(settings: Settings, kinds: frozenset[str] | None) -> None:
    async with Workers(settings) as workers:
        seen = f", seen at {settings.metrics.worker}" if settings.metrics.worker else ""
        await workers.work(
            kinds, lambda: Console().print(f"Worker: ready{seen}.", markup=False, highlight=False, soft_wrap=True)
        )
