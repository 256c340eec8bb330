"""`callboard trigger`: a test event through a running server, and what its endpoints said."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from callboard.cli.common import ConfigOption
from callboard.cli.rest import JsonOption, Server, TokenOption, UrlOption, fail, server_of
from callboard.events import UnknownEventType
from callboard.events.forging import InvalidField, forged, value_of

LOOK_SECONDS = 0.2


def trigger(
    event: Annotated[str, typer.Argument(metavar="TYPE", help="One of the 32, such as peer.leave.success.")],
    *,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="A field of `data`; lists and objects as JSON. Repeatable."),
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for what endpoints say; 0 is not at all.", min=0, max=300)
    ] = 3.0,
    server: UrlOption = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a test event: a sample of its type, with the fields that are set, committed and delivered as the real thing.

    It says that it is a test (`callboard-test: true`, `is_test` in the body) and belongs to no room and no session.
    """
    try:
        fields = dict(_field(event, text) for text in sets or ())
        forged(event, fields)
    except UnknownEventType as error:
        raise typer.BadParameter(str(error), param_hint="TYPE") from None
    except InvalidField as error:
        raise typer.BadParameter(str(error), param_hint="--set") from None
    asked = server_of(server, token, config)
    made = asked.ask("POST", "/v2/events/trigger", {"type": event, "data": fields})
    if as_json:
        sys.stdout.write(json.dumps(made) + "\n")
        return
    Console().print(f"Sent {made['event']['id']} (position {made['position']}).", markup=False, highlight=False)
    if wait:
        _watch(asked, made["event"]["id"], wait)


def _field(event: str, text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidField(f"{text[:40]!r} must be FIELD=VALUE")
    return name, value_of(event, name, value)


def _watch(server: Server, event_id: str, seconds: float) -> None:
    """Print the attempts as they end, until each endpoint has accepted it or the time is up."""
    endpoints = [one["id"] for one in server.ask("GET", "/v2/webhook-endpoints")["data"] if one["enabled"]]
    if not endpoints:
        fail("there is no webhook endpoint that is enabled: see `callboard endpoints create`")
    told = 0
    until = time.monotonic() + seconds
    attempts: Sequence[dict[str, Any]] = ()
    while time.monotonic() < until:
        attempts = server.ask("GET", f"/v2/events/{event_id}/attempts", query={"limit": 100})["data"]
        for one in attempts[told:]:
            _tell(one)
        told = len(attempts)
        if {one["endpoint_id"] for one in attempts if one["outcome"] == "accepted"} >= set(endpoints):
            return
        time.sleep(LOOK_SECONDS)
    if not attempts:
        Console().print(f"No endpoint was sent it within {seconds:g} s: does one want {event_id}?", markup=False)


def _tell(one: dict[str, Any]) -> None:
    said = one["response"]["status"] or one["error"]
    milliseconds = one["timing"]["total"] * 1000
    line = f"{one['endpoint_id']}  {one['outcome']}  {said}  {milliseconds:.0f} ms  {one['explanation']}"
    Console(soft_wrap=True).print(line.rstrip(), markup=False, highlight=False)
