"""Endpoints and attempts as tables.

Owns: how they look on a terminal. What an endpoint answered is printed as text, never as markup, and without control
characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from callboard.cli.endpoints_delivery import delivery_text


def print_endpoints(endpoints: Sequence[dict[str, Any]]) -> None:
    """A line for each."""
    if not endpoints:
        Console(stderr=True).print("There is no endpoint: callboard endpoints create URL", markup=False)
        return
    table = Table(Column("id", no_wrap=True), Column("url", overflow="fold"), "events", "of", "state", box=None)
    for endpoint in endpoints:
        table.add_row(
            *map(_text, (endpoint["id"], endpoint["url"], _events(endpoint), _of(endpoint), _state(endpoint)))
        )
    Console().print(table)


def print_endpoint(endpoint: dict[str, Any]) -> None:
    """All that is known of one."""
    lines = [
        ("id", endpoint["id"]),
        ("url", endpoint["url"]),
        ("description", endpoint["description"]),
        ("state", _state(endpoint)),
        ("of", _of(endpoint)),
        ("events", _events(endpoint)),
        ("headers", ", ".join(endpoint["headers"])),
        ("signing keys", "\n".join(_key(key) for key in endpoint["signing_keys"])),
        ("tls", ", ".join(name for name, pem in endpoint["tls"].items() if pem)),
        ("delivery", delivery_text(endpoint["delivery"])),
        ("created", endpoint["created_at"]),
        ("updated", endpoint["updated_at"]),
    ]
    _print_lines([(name, value) for name, value in lines if value])


def print_state(state: dict[str, Any]) -> None:
    """How an endpoint is doing."""
    breaker = {"open": "held back: it fails", "probing": "held back: it fails, and is being tried"}.get(
        state["state"], ""
    )
    since = f"since {state['failing_since'][:19]}Z" if state["failing_since"] else ""
    failures = ", ".join(f"{name} {count}" for name, count in state["failures"].items())
    lines = [
        ("breaker", " ".join(part for part in (breaker, since) if part)),
        ("next try", state["due_at"]),
        ("waiting", f"{state['pending']} events of {state['streams']} streams"),
        ("oldest", f"{state['oldest_age_seconds']:.0f} s old" if state["oldest_committed_at"] else ""),
        ("delivered", str(state["delivered"])),
        ("failed", failures),
        ("parked", str(state["parked"] or "")),
        ("expired", str(state["expired"] or "")),
    ]
    _print_lines([(name, value) for name, value in lines if value])


def print_secrets(endpoint: dict[str, Any]) -> None:
    """Those that are new with this call."""
    for secret in endpoint.get("secrets", ()):
        Console(soft_wrap=True).print(_text(f"secret        {secret}"))
    if endpoint.get("secrets"):
        Console(stderr=True).print("Keep the secret now: it is not shown again.", markup=False)


def print_attempts(attempts: Sequence[dict[str, Any]]) -> None:
    """A line for each."""
    if not attempts:
        Console(stderr=True).print("There is no such attempt.", markup=False)
        return
    table = Table(
        Column("at", no_wrap=True),
        Column("event", no_wrap=True),
        "type",
        "no.",
        "outcome",
        "status",
        "error",
        "s",
        box=None,
    )
    for one in attempts:
        status = str(one["response"]["status"] or "")
        seconds = f"{one['timing']['total']:.3f}"
        table.add_row(
            *map(_text, (one["at"][:23], one["event_id"], one["type"], str(one["number"]), one["outcome"], status)),
            *map(_text, (one["error"], seconds)),
        )
    Console().print(table)


def print_attempt(attempt: dict[str, Any]) -> None:
    """All that is known of one."""
    timing, response = attempt["timing"], attempt["response"]
    parts = ", ".join(f"{name} {seconds:.3f}" for name, seconds in timing.items())
    lines = [
        ("event", f"{attempt['event_id']} {attempt['type']}"),
        ("outcome", attempt["outcome"]),
        ("status", str(response["status"] or "")),
        ("error", attempt["error"]),
        ("", attempt["explanation"]),
        ("", attempt["remedy"]),
        ("address", attempt["remote"]),
        ("seconds", parts),
        ("answered", "\n".join(f"{name}: {value}" for name, value in response["headers"].items())),
        ("body", response["body"]),
    ]
    _print_lines([(name, value) for name, value in lines if value])


def _print_lines(lines: Sequence[tuple[str, str]]) -> None:
    table = Table(Column(no_wrap=True, min_width=12), Column(overflow="fold"), box=None, show_header=False)
    for name, value in lines:
        table.add_row(_text(name), _text(value))
    Console().print(table)


def _key(key: dict[str, str]) -> str:
    until = f"until {key['expires_at']}" if "expires_at" in key else ""
    return " ".join(part for part in (key["scheme"], key.get("public_key", ""), until) if part)


def _events(endpoint: dict[str, Any]) -> str:
    return " ".join(endpoint["events"]) or "all"


def _of(endpoint: dict[str, Any]) -> str:
    if endpoint["room_id"]:
        return f"room {endpoint['room_id']}"
    return f"template {endpoint['template_id']}" if endpoint["template_id"] else "workspace"


def _state(endpoint: dict[str, Any]) -> str:
    if not endpoint["enabled"]:
        return "disabled"
    return "paused" if endpoint["paused"] else "enabled"


def _text(value: str) -> Text:
    """As it is, but for what would steer the terminal."""
    return Text("".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in value))
