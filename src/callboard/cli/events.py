"""`callboard events`: the catalogue of all event types, each with its schema and a sample, and what is made of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from callboard.events import CATALOGUE, UnknownEventType, json_schema, sample
from callboard.events.asyncapi import asyncapi as asyncapi_document
from callboard.events.docs import pages
from callboard.events.docs_text import first_sentence
from callboard.webhooks.operational_kinds import operational_kinds

app = typer.Typer(
    help="The 32 event types: list them, print a schema, a sample, or what is generated from all of them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

EventType = Annotated[str, typer.Argument(metavar="TYPE", help="Its name, such as peer.join.success.")]


@app.command("list")
def list_events(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Every event type, its theme, and what it says."""
    rows = [(name, payload.THEME, first_sentence(payload)) for name, payload in CATALOGUE.items()]
    if as_json:
        for name, theme, says in rows:
            sys.stdout.write(json.dumps({"type": name, "theme": theme, "says": says}) + "\n")
        return
    table = Table(Column("type", no_wrap=True), Column("theme", no_wrap=True), "says", box=None)
    for row in rows:
        table.add_row(*row)
    Console().print(table)


@app.command()
def schema(event: EventType) -> None:
    """The JSON Schema (2020-12) of an event's whole envelope."""
    _print(json_schema, event)


@app.command("sample")
def print_sample(event: EventType) -> None:
    """A sample of an event, with every attribute."""
    _print(sample, event)


@app.command()
def asyncapi(
    server: Annotated[str, typer.Option(help="Address of a server to name in it, such as https://rooms.example.")] = "",
    write: Annotated[Path | None, typer.Option(help="Write it to this file, in place of what is there.")] = None,
) -> None:
    """The AsyncAPI 3.0 document of all that endpoints are sent. A running server has it at /v2/asyncapi.json."""
    text = json.dumps(asyncapi_document(server, operational_kinds()), indent=2, ensure_ascii=False) + "\n"
    if write is None:
        sys.stdout.write(text)
        return
    write.write_text(text, encoding="utf-8")
    Console().print(f"Written: {write}", markup=False)


@app.command()
def docs(
    folder: Annotated[Path, typer.Option(help="Where the pages are.")] = Path("docs/events"),
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a page differs.")] = False,
) -> None:
    """Write the docs of the events: a page for each, and an index. Pages of events that are gone are removed."""
    wanted = pages()
    there = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    different = sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))
    if check:
        for name in different:
            sys.stderr.write(f"{folder / name} is not what `callboard events docs` writes\n")
        raise typer.Exit(1 if different else 0)
    folder.mkdir(parents=True, exist_ok=True)
    for name in different:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    Console().print(f"{len(wanted)} pages in {folder}, {len(different)} of them changed.", markup=False)


def _print(make: Callable[[str], dict[str, Any]], event: str) -> None:
    try:
        sys.stdout.write(json.dumps(make(event), indent=2) + "\n")
    except UnknownEventType as error:
        raise typer.BadParameter(str(error), param_hint="TYPE") from None
