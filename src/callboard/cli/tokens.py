"""`callboard token`: a token for a room, or for the REST API."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from callboard.cli.common import ConfigOption, settings_from, tokens_of


def token(
    room: Annotated[str | None, typer.Option(help="Room id: a token to join it. Without: a management token.")] = None,
    role: Annotated[str, typer.Option(help="The role to join as.")] = "host",
    user: Annotated[str | None, typer.Option(help="Your own id for the user.")] = None,
    hours: Annotated[float, typer.Option(min=0.01, max=2160.0, help="How long it is valid.")] = 24.0,
    config: ConfigOption = None,
) -> None:
    """Mint a token, signed with the workspace's secret: for the REST API, or with --room to join that room."""
    tokens = asyncio.run(tokens_of(settings_from(config)))
    seconds = int(hours * 3600)
    minted = tokens.mint_app_token(room, role, user, seconds) if room else tokens.mint_management_token(seconds)
    sys.stdout.write(minted + "\n")
