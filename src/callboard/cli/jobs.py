"""`callboard jobs`: background work of a running server, over REST: what failed and why, calling off, doing anew."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from callboard.cli.common import ConfigOption
from callboard.cli.rest import JsonOption, TokenOption, UrlOption, server_of

app = typer.Typer(
    help="Background jobs (recordings, uploads, replays): list them, show one, cancel one, do one anew.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PATH = "/v2/jobs"
SHOWN = ("id", "kind", "subject", "status", "attempts", "lost_workers", "worker", "error_code", "error")
INSTANTS = ("created_at", "started_at", "due_at", "deadline_at", "ended_at")

Id = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


@app.command("list")
def list_jobs(
    *,
    kind: Annotated[str | None, typer.Option("--kind", help="Only those of this kind, as recording.composite.")] = None,
    status: Annotated[
        str | None, typer.Option("--status", help="Only those that are waiting, running, succeeded, failed, cancelled.")
    ] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Only those about this (a recording's id).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many, newest first.")] = 20,
    start: Annotated[str | None, typer.Option("--start", help="Go on below this job's id.")] = None,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Jobs, newest first. Those that ended are kept for 30 days."""
    query = {"kind": kind, "status": status, "subject": subject, "limit": limit, "start": start}
    answer = server_of(server, token, config).ask("GET", PATH, query=query)
    if as_json:
        _print_json(answer)
        return
    if not answer["data"]:
        Console(stderr=True).print("There is no such job.", markup=False)
        return
    _table(answer["data"][:limit])


@app.command()
def show(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One job, what failed last, and its finished steps."""
    _show(server_of(server, token, config).ask("GET", _path(id_)), as_json=as_json)


@app.command()
def cancel(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call a job off. What it was to make fails, and the event of that failure is sent."""
    _show(server_of(server, token, config).ask("POST", _path(id_, "/cancel")), as_json=as_json)


@app.command()
def retry(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the recording of a failed or cancelled job again, while its captures are kept."""
    answer = server_of(server, token, config).ask("POST", _path(id_, "/retry"))
    if as_json:
        _print_json(answer)
    else:
        _table(answer["data"])


def _path(id_: str, after: str = "") -> str:
    return f"{PATH}/{quote(id_, safe='')}{after}"


def _table(jobs: list[dict[str, Any]]) -> None:
    names = ("id", "kind", "subject", "status", "attempts", "created_at")
    table = Table(*(Column(name, no_wrap=True) for name in (*names, "done", "error")), box=None)
    for job in jobs:
        table.add_row(*(_text(job[name]) for name in names), f"{job['progress']:.0%}", _text(job["error"]))
    Console().print(table)


def _show(job: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print_json(job)
        return
    console = Console(soft_wrap=True)
    for name in (*SHOWN, *INSTANTS):
        if job[name] not in (None, ""):
            console.print(_text(f"{name:13}{job[name]}"))
    console.print(_text(f"{'done':13}{job['progress']:.0%}"))
    for step in job.get("steps") or ():
        console.print(_text(f"  {step['finished_at']}  {step['name']}"))


def _print_json(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")


def _text(value: Any) -> Text:
    """As text, never as markup, without control characters."""
    said = "-" if value is None else str(value)
    return Text("".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in said))
