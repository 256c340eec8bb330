"""What several commands share: finding the settings, and the workspace's keys.

Owns: the `--config` option and `settings_from`.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from callboard.auth.tokens import Tokens
from callboard.clock import RandomIds, SystemClock
from callboard.config import Settings, load
from callboard.database import open_database
from callboard.parts import database_url
from callboard.rooms.models import Workspace
from callboard.rooms.store import Store

DEFAULT_FILE = Path("callboard.toml")

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        help="Settings file. Without it, callboard.toml here if there is one. CALLBOARD_… variables come on top.",
        exists=True,
        dir_okay=False,
    ),
]


def settings_from(config: Path | None) -> Settings:
    """The settings of the file, or of `callboard.toml` here, or the defaults. Raises `ConfigError`."""
    return load(config or (DEFAULT_FILE if DEFAULT_FILE.exists() else None), os.environ)


async def workspace_of(settings: Settings) -> Workspace:
    """The workspace's keys as the database has them. Raises `DatabaseStopped`."""
    await asyncio.to_thread(Path(settings.data_dir).mkdir, parents=True, exist_ok=True)
    database = open_database(database_url(settings))
    await database.open()
    try:
        store = Store(database, SystemClock(), RandomIds())
        keys = settings.workspace
        return await store.open_workspace(secrets.token_bytes, keys.access_key, keys.secret)
    finally:
        await database.close()


async def tokens_of(settings: Settings) -> Tokens:
    """What signs tokens for the workspace of these settings."""
    return Tokens(await workspace_of(settings), SystemClock(), RandomIds())
