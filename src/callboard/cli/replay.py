"""`callboard replay`: deliver again, watch how far it is, cancel it by Ctrl-C."""

from __future__ import annotations

import json
import sys
import time
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from callboard.cli.common import ConfigOption
from callboard.cli.rest import JsonOption, Server, TokenOption, UrlOption, server_of

PATH = "/v2/analytics/webhooks/replay"
LOOK_SECONDS = 0.5
MOST_SHOWN = 20

Status = Literal["failed", "parked", "success", "all"]


def replay(
    events: Annotated[list[str] | None, typer.Argument(metavar="[EVENT_ID]…", help="These events.")] = None,
    *,
    since: Annotated[
        str, typer.Option(help="What happened from this instant on (RFC 3339). Without: the last 24 hours.")
    ] = "",
    until: Annotated[str, typer.Option(help="And until this one, at most 14 days later. Without: now.")] = "",
    status: Annotated[
        Status,
        typer.Option(
            help="`failed`: given up. `parked`: since whenever. `success`: accepted before. `all`: everything."
        ),
    ] = "failed",
    types: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type; peer.* is a pattern. Repeatable.")
    ] = None,
    room: Annotated[str, typer.Option(help="Only this room (id).")] = "",
    session: Annotated[str, typer.Option(help="Only this session (id).")] = "",
    peer: Annotated[str, typer.Option(help="Only this peer (id).")] = "",
    endpoint: Annotated[str, typer.Option(help="Only to this endpoint (id). Without: to all that want it.")] = "",
    limit: Annotated[int, typer.Option(help="How many events at most, for each endpoint.", min=1, max=50_000)] = 50_000,
    watch: Annotated[bool, typer.Option(help="Wait for its end; Ctrl-C cancels it.")] = True,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Deliver events again, in order, marked with `is_replay`, beside what happens now.

    Exit code 1 if any delivery failed, or it was cancelled.
    """
    said = {
        "start_time": since,
        "end_time": until,
        "status": status,
        "event_names": types or (),
        "room_id": room,
        "session_id": session,
        "peer_id": peer,
        "endpoint_id": endpoint,
        "event_ids": events or (),
        "limit": limit,
    }
    asked = server_of(server, token, config)
    started = asked.ask("POST", PATH, {name: value for name, value in said.items() if value})
    workflow = started["workflow_id"]
    if started["status"] == "already_running":
        Console(stderr=True).print("This very replay runs already.", markup=False)
    if not watch:
        sys.stdout.write((json.dumps(started) if as_json else workflow) + "\n")
        return
    ended = _watched(asked, workflow)
    if as_json:
        sys.stdout.write(json.dumps(ended) + "\n")
    else:
        _tell(ended)
    raise typer.Exit(0 if ended["status"] == "completed" else 1)


def _watched(server: Server, workflow: str) -> dict[str, Any]:
    """The replay when it has ended. Ctrl-C cancels it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("replaying", total=None)
        try:
            while True:
                now: dict[str, Any] = server.ask("GET", f"{PATH}/{workflow}")
                counts = now["progress"]
                waits = [one["message"] for one in now["endpoints"] if one["message"]]
                said = waits[0] if waits else f"{counts['failed']} failed" if counts["failed"] else "replaying"
                done = counts["completed"] + counts["failed"]
                progress.update(bar, total=counts["total"] or None, completed=done, description=said)
                if now["status"] != "Running":
                    return now
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            cancelled: dict[str, Any] = server.ask("POST", f"{PATH}/{workflow}/cancel")
            return cancelled


def _tell(ended: dict[str, Any]) -> None:
    result = ended["result"]
    console = Console(soft_wrap=True)
    line = f"{ended['status']}: {result['completed']} of {result['total']} delivered, {result['failed']} failed."
    console.print(line, markup=False, highlight=False)
    for name in result["failed_events"][:MOST_SHOWN]:
        console.print(f"  failed: {name}", markup=False, highlight=False)
    if len(result["failed_events"]) > MOST_SHOWN:
        console.print(f"  and {len(result['failed_events']) - MOST_SHOWN} more: --json has them", markup=False)
    for one in ended["endpoints"]:
        if one["message"]:
            console.print(f"  endpoint {one['endpoint_id']}: {one['message']}", markup=False, highlight=False)
