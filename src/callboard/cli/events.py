"""`callboard events`: the catalogue of all event types, each with its schema and a sample."""

from __future__ import annotations

import json
import sys

import typer
from rich.console import Console
from rich.table import Column, Table

from callboard.events import CATALOGUE, UnknownEventType, json_schema, sample

app = typer.Typer(help="The 32 event types: list them, print a JSON Schema or a sample.", no_args_is_help=True)


@app.command("list")
def list_events() -> None:
    """Every event type, its theme, and when it is sent."""
    table = Table(Column("type", no_wrap=True), Column("theme", no_wrap=True), "when", box=None)
    for name, payload in CATALOGUE.items():
        said = (payload.__doc__ or "").strip().splitlines()[0]
        table.add_row(name, payload.THEME, said)
    Console().print(table)


@app.command()
def schema(event: str) -> None:
    """The JSON Schema (2020-12) of an event's whole envelope."""
    _print(json_schema, event)


@app.command("sample")
def print_sample(event: str) -> None:
    """A sample of an event, with every attribute."""
    _print(sample, event)


def _print(make: object, event: str) -> None:
    assert callable(make)
    try:
        sys.stdout.write(json.dumps(make(event), indent=2) + "\n")
    except UnknownEventType as error:
        raise typer.BadParameter(str(error)) from None
