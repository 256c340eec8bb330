"""`callboard serve`: run a server until it is told to stop."""

from __future__ import annotations

import logging
import sys

import typer
import uvloop
from rich.console import Console

from callboard.app import Callboard
from callboard.cli.common import ConfigOption, settings_from
from callboard.database import DatabaseStopped
from callboard.media import EngineStartError
from callboard.meeting import has_devices, link
from callboard.process import DataInUse
from callboard.webhooks.vault import VaultError

FAILED = 1
LINKS = 2


def serve(config: ConfigOption = None) -> None:
    """Run a server until Ctrl-C or SIGTERM. Prints its address, the keys, a management token and a room to join."""
    settings = settings_from(config)
    logging.basicConfig(
        level=settings.log.level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    try:
        clean = uvloop.run(Callboard(settings).serve(_announce))
    except (EngineStartError, DatabaseStopped, DataInUse, VaultError) as error:
        Console(stderr=True).print(f"callboard cannot start: {error}", markup=False)
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        return
    if not clean:
        raise typer.Exit(FAILED)


async def _announce(board: Callboard) -> None:
    """What somebody who has just started a server needs next."""
    room = await board.first_room()
    codes = await board.first_codes(room)
    out = Console()
    lines = {
        "address": board.url,
        "access key": board.workspace.access_key,
        "secret": board.workspace.secret,
        "management token": board.tokens.mint_management_token(),
        "room": f"{room.id} ({room.name})",
        "token to join it": board.tokens.mint_app_token(room.id, "host", "me"),
        **{f"meet as {code.role}": link(board.url, code.code) for code in codes[:LINKS]},
    }
    out.print("Callboard is running. Ctrl-C stops it.", style="bold")
    for name, value in lines.items():
        out.print(f"  {name:<17} {value}", markup=False, highlight=False, soft_wrap=True)
    for remark in remarks(board):
        out.print(f"  {remark}", markup=False, highlight=False, soft_wrap=True)
    out.print("Next: callboard listen (in another terminal), callboard token --help, docs/", markup=False)


def remarks(board: Callboard) -> list[str]:
    """What keeps people from meeting at these links, and what helps (docs/meeting.md)."""
    return [
        *(["The meeting page is not built: make meeting"] if board.meeting is None else []),
        *([] if has_devices(board.url) else ["Browsers give a page no microphone and camera here: it needs https"]),
    ]
