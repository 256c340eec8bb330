"""`callboard listen`: follow the ledger of a running server, live, and forward it to where a developer works."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer
from rich.console import Console

from callboard.cli.common import ConfigOption
from callboard.cli.forward import Answered, Cursor, CursorError, Forwarder, posting
from callboard.cli.rest import Server, TokenOption, fail, server_of
from callboard.demo.http import HttpError, request_json
from callboard.webhooks.keys_text import InvalidSecret, new_secret
from callboard.webhooks.signing import Signer

POLL_SECONDS = 0.5
PAGE = 100
AGAIN_SECONDS = 2.0
"""Until a server that cannot be reached is asked again."""

Filters = list[tuple[str, str]]


def listen(
    url: Annotated[
        str | None, typer.Option("--url", "--server", help="Address of the server. Without: the one in the settings.")
    ] = None,
    token: TokenOption = None,
    after: Annotated[
        int | None, typer.Option(help="Begin after this position; -1 is the end. Without: the cursor's, or the end.")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this event type; peer.* is a pattern. Repeatable.")
    ] = None,
    room: Annotated[str, typer.Option(help="Only this room (id).")] = "",
    session: Annotated[str, typer.Option(help="Only this session (id).")] = "",
    forward_to: Annotated[
        str, typer.Option(help="POST each event to this URL, signed, in order for each session.")
    ] = "",
    cursor: Annotated[
        Path,
        typer.Option(help="File that remembers how far was forwarded; the next run goes on there.", dir_okay=False),
    ] = Path("callboard-listen.json"),
    secret: Annotated[
        str | None,
        typer.Option(envvar="CALLBOARD_WEBHOOK_SECRET", help="Signs what is forwarded. Without: a new one, printed."),
    ] = None,
    attempts: Annotated[
        int, typer.Option(help="How often an event is sent that is answered with an error of 5xx.", min=1)
    ] = 5,
    insecure: Annotated[bool, typer.Option("--insecure", help="Do not verify the URL's certificate.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: ConfigOption = None,
) -> None:
    """Follow the ledger: every event as it is committed, until Ctrl-C.

    With --forward-to it is a webhook for a machine that the server cannot reach. Lose the network, lose nothing: the
    ledger keeps what is missed, and the cursor's file where to go on.
    """
    server = server_of(url, token, config)
    filters = [("type", name) for name in types or ()] + [
        (name, value) for name, value in (("room_id", room), ("session_id", session)) if value
    ]
    try:
        if forward_to:
            work = _forwarding(server, filters, after, forward_to, cursor, secret, attempts, insecure=insecure)
        else:
            work = _follow(server, -1 if after is None else after, filters, as_json=as_json)
        asyncio.run(work)
    except KeyboardInterrupt:
        return
    except HttpError as error:
        fail(str(error))
    except (CursorError, InvalidSecret, ValueError) as error:
        fail(str(error))


async def _follow(server: Server, after: int, filters: Filters, *, as_json: bool) -> None:
    if after < 0:
        after = int((await _page(server, after, []))["next"])
        if not as_json:
            Console(stderr=True).print(f"Following {server.url} from position {after}. Ctrl-C ends it.", markup=False)
    while True:
        page = await _page(server, after, filters)
        for event in page["events"]:
            sys.stdout.write((json.dumps(event) if as_json else _line(event)) + "\n")
        sys.stdout.flush()
        after = page["next"]
        if len(page["events"]) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


async def _forwarding(
    server: Server,
    filters: Filters,
    after: int | None,
    target: str,
    path: Path,
    secret: str | None,
    attempts: int,
    *,
    insecure: bool,
) -> None:
    kept = Cursor(path, server.url)
    post = posting(target, insecure)
    said = Console(stderr=True, soft_wrap=True)
    if secret is None:
        secret = new_secret(secrets.token_bytes)
        said.print(f"Signed with {secret}", markup=False, highlight=False)
    start = kept.after if after is None else after
    if start < 0:
        start = int((await _page(server, -1, []))["next"])
    kept.save(start)
    said.print(f"Forwarding {server.url} from position {start} to {target}. Ctrl-C ends it.", markup=False)
    forwarder = Forwarder(post, Signer([secret]), kept, _told, attempts)
    async for page in _pages(server, kept, filters, said.print):
        await forwarder.page(page["events"], page["next"])


async def _pages(
    server: Server, kept: Cursor, filters: Filters, said: Callable[..., None]
) -> AsyncIterator[dict[str, Any]]:
    """Page after page, as long as it takes. A server that is not there is waited for; one that refuses is an error."""
    away = False
    while True:
        try:
            page = await _page(server, kept.after, filters)
        except (OSError, HttpError) as error:
            if isinstance(error, HttpError) and error.status < 500:
                raise
            if not away:
                said(f"{server.url} cannot be reached ({error}): waiting; nothing is lost", markup=False)
            away = True
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if away:
            said("The server is there again.", markup=False)
        away = False
        if page["events"]:
            yield page
        if len(page["events"]) < PAGE:
            await asyncio.sleep(POLL_SECONDS)


async def _page(server: Server, after: int, filters: Filters) -> dict[str, Any]:
    query = urlencode([("after", after), ("limit", PAGE), *filters])
    page: dict[str, Any] = await request_json("GET", f"{server.url}/v2/events?{query}", token=server.token)
    return page


def _told(event: dict[str, Any], answered: Answered, number: int, what: str) -> None:
    said = answered.status or answered.error
    attempt = f" attempt {number}" if number > 1 else ""
    sys.stdout.write(f"{_line(event)}  -> {said} in {answered.seconds * 1000:.0f} ms{attempt} {what}".rstrip() + "\n")
    sys.stdout.flush()


def _line(event: dict[str, Any]) -> str:
    data = event["event"]["data"]
    who = data.get("user_name") or data.get("peer_id") or ""
    why = data.get("reason") or data.get("error_message") or ""
    return f"{event['position']:>8} {event['seq']:>5} {event['event']['type']:<28} {who} {why}".rstrip()
