"""`callboard endpoints`: where events go, over the REST API of a running server."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from callboard.cli.common import ConfigOption
from callboard.cli.endpoints_delivery import Deliveries, delivery_of
from callboard.cli.endpoints_shown import (
    print_attempt,
    print_attempts,
    print_endpoint,
    print_endpoints,
    print_secrets,
    print_state,
)
from callboard.cli.rest import JsonOption, Server, TokenOption, UrlOption, fail, server_of

PING_SECONDS = 90.0
"""Longer than an attempt may last."""

app = typer.Typer(
    help="Webhook endpoints: where events are sent, how each is doing, what was tried.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PATH = "/v2/webhook-endpoints"

Id = Annotated[str, typer.Argument(metavar="ID", help="The endpoint's id.")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event", help="Only this event type, or pattern: peer.*, *.failure; !peer.* leaves out. Repeatable."
    ),
]
Room = Annotated[str | None, typer.Option("--room", help="Only the events of this room (id).")]
Template = Annotated[str | None, typer.Option("--template", help="Only the events of rooms with this template (id).")]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", help="'Name: value' sent with every event; 'Name: @FILE' reads the value. Repeatable."),
]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Schemes = Annotated[
    list[str] | None, typer.Option("--scheme", help="Signatures: v1 (HMAC), v1a (Ed25519). Repeatable.")
]
Authorities = Annotated[
    Path | None, typer.Option("--ca", help="PEM file of the authorities that verify it.", exists=True, dir_okay=False)
]
Certificate = Annotated[
    Path | None, typer.Option("--cert", help="PEM file of our own certificate.", exists=True, dir_okay=False)
]
Key = Annotated[Path | None, typer.Option("--key", help="PEM file of its key.", exists=True, dir_okay=False)]


@app.command("list")
def list_endpoints(
    *, server: UrlOption = None, token: TokenOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Every endpoint, oldest first."""
    answer = server_of(server, token, config).ask("GET", PATH)
    if as_json:
        _print_json(answer)
    else:
        print_endpoints(answer["data"])


@app.command()
def show(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """One endpoint, and how it is doing. Secrets and the values of headers are never shown."""
    found = server_of(server, token, config)
    endpoint = found.ask("GET", f"{PATH}/{id_}")
    state = found.ask("GET", f"{PATH}/{id_}/state")
    if as_json:
        _print_json({**endpoint, "state": state})
        return
    print_endpoint(endpoint)
    print_state(state)


@app.command()
def create(
    url: Annotated[str, typer.Argument(help="Where events are sent to.")],
    *,
    events: Events = None,
    room: Room = None,
    template: Template = None,
    headers: Headers = None,
    description: Description = None,
    schemes: Schemes = None,
    ca: Authorities = None,
    cert: Certificate = None,
    key: Key = None,
    delivery: Deliveries = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Send nothing until it is enabled.")] = False,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an endpoint. Its signing secret is printed now, and never again."""
    body = _body(
        url=url,
        events=events,
        room_id=room,
        template_id=template,
        headers=_headers(headers),
        description=description,
        schemes=schemes,
        tls=_tls(ca, cert, key),
        delivery=delivery_of(delivery, {}),
        enabled=False if disabled else None,
    )
    _show(server_of(server, token, config).ask("POST", PATH, body), as_json=as_json)


@app.command()
def update(
    id_: Id,
    *,
    url: Annotated[str | None, typer.Option("--url", help="Where events are sent to.")] = None,
    events: Events = None,
    all_events: Annotated[bool, typer.Option("--all-events", help="Every event type again.")] = False,
    room: Room = None,
    template: Template = None,
    workspace: Annotated[bool, typer.Option("--workspace", help="The events of all rooms again.")] = False,
    headers: Headers = None,
    no_headers: Annotated[bool, typer.Option("--no-headers", help="No headers of its own.")] = False,
    description: Description = None,
    schemes: Schemes = None,
    ca: Authorities = None,
    cert: Certificate = None,
    key: Key = None,
    delivery: Deliveries = None,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Change what is named; the rest stays. --header and --event replace the whole list."""
    body = _body(
        url=url,
        events=[] if all_events else events,
        room_id="" if workspace else room,
        template_id="" if workspace else template,
        headers={} if no_headers else _headers(headers),
        description=description,
        schemes=schemes,
        tls=_tls(ca, cert, key),
    )
    if not body and not delivery:
        fail("nothing is to be changed: name what, see `callboard endpoints update --help`")
    found = server_of(server, token, config)
    if delivery:
        body["delivery"] = delivery_of(delivery, found.ask("GET", f"{PATH}/{id_}")["delivery"])
    _show(found.ask("POST", f"{PATH}/{id_}", body), as_json=as_json)


@app.command()
def enable(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send again, beginning with what has waited."""
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}", {"enabled": True}), as_json=as_json)


@app.command()
def disable(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send nothing until it is enabled: its events wait."""
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}", {"enabled": False}), as_json=as_json)


@app.command()
def pause(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send nothing until it is resumed: its events wait."""
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}/pause"), as_json=as_json)


@app.command()
def resume(
    id_: Id,
    *,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send again, at once, what has waited: after a pause, or after failures that held it back."""
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}/resume"), as_json=as_json)


@app.command()
def rotate(
    id_: Id,
    *,
    overlap: Annotated[
        float | None, typer.Option("--overlap", help="Seconds for which the present keys sign too; 0: not at all.")
    ] = None,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """New signing keys. The new secret is printed now, and never again."""
    body = _body(overlap_seconds=overlap)
    _show(server_of(server, token, config).ask("POST", f"{PATH}/{id_}/rotate-secret", body), as_json=as_json)


@app.command()
def delete(
    id_: Id,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
) -> None:
    """Delete an endpoint: events that wait for it are not sent any more."""
    found = server_of(server, token, config)
    if not yes:
        endpoint = found.ask("GET", f"{PATH}/{id_}")
        typer.confirm(f"Delete the endpoint {endpoint['url']}? What waits for it is not sent any more.", abort=True)
    found.ask("DELETE", f"{PATH}/{id_}")
    Console().print(f"Deleted: {id_}", markup=False, highlight=False)


@app.command()
def ping(
    id_: Id,
    *,
    event: Annotated[
        str, typer.Option("--event", help="Send a sample of this type. Without: the first it selects.")
    ] = "",
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test event, now, and show what came of it. Exit code 1 if it was not accepted."""
    found = server_of(server, token, config)
    attempt = found.ask("POST", f"{PATH}/{id_}/ping", {"type": event}, seconds=PING_SECONDS)
    if as_json:
        _print_json(attempt)
    else:
        print_attempt(attempt)
    if attempt["outcome"] != "accepted":
        raise typer.Exit(1)


@app.command()
def attempts(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="The endpoint's id; or use --of-event.")] = "",
    *,
    of_event: Annotated[str, typer.Option("--of-event", help="The attempts to deliver this event (id).")] = "",
    outcome: Annotated[
        Literal["accepted", "failed", "given_up"] | None, typer.Option("--outcome", help="Only these.")
    ] = None,
    error: Annotated[str, typer.Option("--error", help="Only those that failed like this: timeout_answer, …")] = "",
    since: Annotated[str, typer.Option("--since", help="Not begun before this instant: 2026-01-31T12:00:00Z.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = 20,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """What was tried, when, and what came of it: newest first. --json prints one attempt a line, with everything."""
    if bool(id_) == bool(of_event):
        fail("name an endpoint's ID or --of-event, one of them")
    path = f"/v2/events/{of_event}/attempts" if of_event else f"{PATH}/{id_}/attempts"
    query = {"outcome": outcome, "error": error, "since": since}
    if of_event and any(query.values()):
        fail("--outcome, --error and --since are for the attempts of an endpoint")
    found = _pages(server_of(server, token, config), path, query, limit)
    if as_json:
        for attempt in found:
            sys.stdout.write(json.dumps(attempt) + "\n")
    else:
        print_attempts(found)


def _pages(server: Server, path: str, query: dict[str, Any], limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    start = ""
    while True:
        page = server.ask("GET", path, query={**query, "limit": min(100, max(10, limit)), "start": start})
        found += page["data"]
        start = page["last"]
        if not start or len(found) >= limit:
            return found[:limit]


def _body(**given: Any) -> dict[str, Any]:
    """What was said on the command line."""
    return {name: value for name, value in given.items() if value is not None}


def _headers(lines: list[str] | None) -> dict[str, str] | None:
    if not lines:
        return None
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise typer.BadParameter("must be 'Name: value'", param_hint="--header")
        value = value.strip()
        if value.startswith("@"):
            value = Path(value[1:]).read_text(encoding="utf-8").strip()
        headers[name.strip()] = value
    return headers


def _tls(ca: Path | None, cert: Path | None, key: Path | None) -> dict[str, str] | None:
    files = {"authorities": ca, "certificate": cert, "key": key}
    said = {name: path.read_text(encoding="ascii") for name, path in files.items() if path is not None}
    return said or None


def _show(endpoint: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print_json(endpoint)
        return
    print_endpoint(endpoint)
    print_secrets(endpoint)


def _print_json(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer, indent=2) + "\n")
