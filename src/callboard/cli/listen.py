"""`callboard listen`: follow the ledger of a running server, live."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from callboard.cli.common import ConfigOption, settings_from, tokens_of
from callboard.demo.http import HttpError, request_json

POLL_SECONDS = 0.5
PAGE = 100


def listen(
    url: Annotated[str | None, typer.Option(help="Address of the server. Without: the one in the settings.")] = None,
    token: Annotated[
        str | None, typer.Option(help="Management token. Without: CALLBOARD_TOKEN, or one minted from the settings.")
    ] = None,
    after: Annotated[int, typer.Option(help="Begin after this position; -1 is the end of the ledger.")] = -1,
    types: Annotated[str, typer.Option("--type", help="Only this event type.")] = "",
    room: Annotated[str, typer.Option(help="Only this room (id).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Follow the ledger: every event as it is committed, until Ctrl-C."""
    settings = settings_from(config)
    base = url or settings.server.public_url or f"http://{settings.server.host}:{settings.server.port}"
    filters = {k: v for k, v in (("type", types), ("room_id", room)) if v}
    try:
        bearer = token or os.environ.get("CALLBOARD_TOKEN") or asyncio.run(_minted(config))
        asyncio.run(_follow(base, bearer, after, filters, as_json=as_json))
    except KeyboardInterrupt:
        return
    except HttpError as error:
        Console(stderr=True).print(f"callboard: {error}", markup=False)
        raise typer.Exit(1) from None


async def _minted(config: Any) -> str:
    return (await tokens_of(settings_from(config))).mint_management_token()


async def _follow(base: str, token: str, after: int, filters: dict[str, str], *, as_json: bool) -> None:
    if after < 0:
        after = int((await _page(base, token, after, {}))["next"])
        if not as_json:
            Console(stderr=True).print(f"Following {base} from position {after}. Ctrl-C ends it.", markup=False)
    while True:
        page = await _page(base, token, after, filters)
        for event in page["events"]:
            sys.stdout.write((json.dumps(event) if as_json else _line(event)) + "\n")
        sys.stdout.flush()
        after = page["next"]
        if len(page["events"]) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


async def _page(base: str, token: str, after: int, filters: dict[str, str]) -> dict[str, Any]:
    query = urlencode({"after": after, "limit": PAGE, **filters})
    page: dict[str, Any] = await request_json("GET", f"{base}/v2/events?{query}", token=token)
    return page


def _line(event: dict[str, Any]) -> str:
    data = event["event"]["data"]
    who = data.get("user_name") or data.get("peer_id") or ""
    why = data.get("reason") or data.get("error_message") or ""
    return f"{event['position']:>8} {event['seq']:>5} {event['event']['type']:<28} {who} {why}".rstrip()
