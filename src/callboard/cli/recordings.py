"""`callboard recordings`: what was recorded, its files, and composing again, over the REST API of a running server."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from callboard.cli.common import ConfigOption
from callboard.cli.rest import JsonOption, Server, TokenOption, UrlOption, server_of

app = typer.Typer(
    help="Recordings: list them, show one with its files and links to them, compose one again.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PATH, ASSETS = "/v2/recordings", "/v2/recording-assets"

Id = Annotated[str, typer.Argument(metavar="ID", help="The recording's id, or that of one of its files.")]


@app.command("list")
def list_recordings(
    *,
    room: Annotated[str | None, typer.Option("--room", help="Only those of this room (id).")] = None,
    session: Annotated[str | None, typer.Option("--session", help="Only those of this session (id).")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those that are running, post_processing, completed, failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recordings, newest first."""
    query = {"room_id": room, "session_id": session, "status": status, "limit": limit}
    answer = server_of(server, token, config).ask("GET", PATH, query=query)
    if as_json:
        _print_json(answer)
        return
    if not answer["data"]:
        Console(stderr=True).print("There is no such recording.", markup=False)
        return
    columns = ("id", "room", "session", "status", "started", "stopped")
    table = Table(*(Column(name, no_wrap=True) for name in columns), box=None)
    for one in answer["data"][:limit]:
        names = ("id", "room_id", "session_id", "status", "started_at", "stopped_at")
        table.add_row(*(_text(one[name]) for name in names))
    Console().print(table)


@app.command()
def show(
    id_: Id,
    *,
    links: Annotated[bool, typer.Option("--links", help="With a link to each file that is there.")] = False,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One recording with its files, and why there is none of what failed."""
    asked = server_of(server, token, config)
    answer = asked.ask("GET", f"{PATH}/{id_}")
    if links:
        _link(asked, answer)
    _show(answer, as_json=as_json)


@app.command()
def compose(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compose the session again: after a failure, or with other settings, while its captures are kept."""
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}/compose"), as_json=as_json)


def _link(server: Server, recording: dict[str, Any]) -> None:
    for asset in recording["recording_assets"] or ():
        if asset["status"] == "completed":
            asset["url"] = server.ask("GET", f"{ASSETS}/{asset['id']}/presigned-url")["url"]


def _show(recording: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print_json(recording)
        return
    console = Console(soft_wrap=True)
    for name in ("id", "room_id", "session_id", "status", "started_at", "stopped_at"):
        console.print(_text(f"{name:12}{recording[name] or '-'}"))
    for asset in recording["recording_assets"] or ():
        console.print(_text(f"\n{asset['type']}  {asset['id']}  {asset['status']}"))
        for name in ("path", "size", "duration", "error", "url"):
            if asset.get(name):
                console.print(_text(f"  {name:10}{asset[name]}"))


def _print_json(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")


def _text(value: Any) -> Text:
    """As text, never as markup, without control characters."""
    said = "-" if value is None else str(value)
    return Text("".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in said))
