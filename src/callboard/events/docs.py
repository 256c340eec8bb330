"""The docs of the events: a page for each, and an index, as Markdown. Generated from the models, so that they agree.

Owns: `pages`. Pure: whoever asks writes them (`callboard events docs`); a test compares what is committed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from callboard.events.catalogue import CATALOGUE
from callboard.events.docs_contradictions import CONTRADICTIONS
from callboard.events.docs_delivery import ANSWERS, HEADERS, SOMETIMES
from callboard.events.docs_guide import GUIDES
from callboard.events.docs_text import first_sentence, plain, said
from callboard.events.schema import json_schema, sample

INDEX = "README.md"

_MADE = "<!-- Made from src/callboard/events by `make docs`; a test compares. Change the models, not this file. -->"
_DEFS = "#/$defs/"
_NUMBER = re.compile(r" \((§10\.10 no\. [0-9]+|[ABC][0-9]+)\)")
"""Where `CONTRADICTIONS` has something from: readers of the docs have not that document."""

_INTRODUCTION = """# Events

Every event that Callboard reports: the 32 that the 100ms platform published, with the same names, keys and JSON types,
so that a receiver written for it understands them. Each is committed in one transaction with the change that it
reports, before anybody is told.

An event reaches you in three ways, with the same id and the same bytes: as a webhook ([how to verify
it](../webhooks/verify.md)), by `GET /v2/events`, and with `callboard listen`. The JSON Schema of each is printed by
`callboard events schema TYPE`, and is in what a server says of itself: `/v2/openapi.json` (section `webhooks`) and
`/v2/asyncapi.json`."""


def pages() -> dict[str, str]:
    """Each page's text by the name of its file."""
    return {INDEX: _index(), **{f"{event}.md": _page(event) for event in CATALOGUE}}


def _index() -> str:
    parts = [
        _MADE,
        _INTRODUCTION,
        *(_theme(theme, list(events)) for theme, events in groupby(CATALOGUE, lambda event: CATALOGUE[event].THEME)),
        "## The envelope\n\nThe same keys in every event, and `data`, which is the event's own.\n\n" + _envelope(),
        'Nothing is ever null: what is unknown is `""`, `0`, `[]` or the zero time `0001-01-01T00:00:00Z`. Expect keys'
        " that are not in these tables: they may be added, and none is taken away.",
        "## The request\n\nA `POST` with the event as its body and, beside the headers that the endpoint was given:\n\n"
        + _table(("header", "what it says"), ((f"`{each.name}`", each.says) for each in (*HEADERS, *SOMETIMES))),
        "What your answer means:\n\n"
        + _table(("status", "what Callboard does"), ((_status(each.status), each.says) for each in ANSWERS)),
    ]
    return "\n\n".join(parts) + "\n"


def _theme(theme: str, events: list[str]) -> str:
    rows = ((f"[`{event}`]({event}.md)", first_sentence(CATALOGUE[event])) for event in events)
    return f"## {theme}\n\n" + _table(("event", "says"), rows)


def _status(status: str) -> str:
    return "anything else" if status == "default" else status


def _page(event: str) -> str:
    payload, guide, schema = CATALOGUE[event], GUIDES[event], json_schema(event)
    disagreements = [_NUMBER.sub("", text) for text in CONTRADICTIONS.get(event, ())]
    parts = [
        _MADE,
        f"# {event}",
        f"[All events]({INDEX}) · {payload.THEME} · version {payload.VERSION}",
        said(payload),
        f"## When\n\n{guide.when}",
        f"## What to do with it\n\n{guide.use}",
        "## Attributes of `data`\n\n" + "\n\n".join(_attributes(payload.__name__, schema)),
        *(["## Where the published page contradicts itself\n\n" + _list(disagreements)] if disagreements else []),
        "## Sample\n\n```json\n" + json.dumps(sample(event), indent=2, ensure_ascii=False) + "\n```",
        f"[Request and answers]({INDEX}#the-request) · [verify it](../webhooks/verify.md)",
    ]
    return "\n\n".join(parts) + "\n"


def _envelope() -> str:
    schema = json_schema("peer.leave.success")
    properties = {name: {"type": "string", **each} for name, each in schema["properties"].items()}
    properties["data"] = {"type": "object", "description": "What happened: see the event's page."}
    return _table(("key", "type", "what it says"), (_row(name, each, schema) for name, each in properties.items()))


def _attributes(model: str, schema: dict[str, Any]) -> Iterator[str]:
    """The model's table, then what its enumerations' values mean, then the objects in it."""
    properties = schema["$defs"][model]["properties"]
    yield _table(("key", "type", "what it says"), (_row(name, each, schema) for name, each in properties.items()))
    for name, each in properties.items():
        definition = _definition(each, schema)
        if "enum" in definition:
            yield f"### {name}\n\n{_values(definition)}"
        elif definition:
            yield f"### {name}\n\n{plain(definition['description'])}"
            yield from _attributes(definition["title"], schema)


def _definition(prop: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The model that a property, or each item of it, is of; {} if it is of none."""
    reference = prop.get("$ref") or prop.get("items", {}).get("$ref") or ""
    found: dict[str, Any] = schema["$defs"].get(reference.removeprefix(_DEFS), {})
    return found


def _values(definition: dict[str, Any]) -> str:
    return plain(definition["description"]) + "\n\n" + _list(f"`{value}`" for value in definition["enum"])


def _row(name: str, prop: dict[str, Any], schema: dict[str, Any]) -> tuple[str, str, str]:
    definition = _definition(prop, schema)
    description = prop.get("description") or plain(definition.get("description", ""))
    return f"`{name}`", _type(name, prop, definition), description


def _type(name: str, prop: dict[str, Any], definition: dict[str, Any]) -> str:
    if prop.get("type") == "array":
        return f"array of [objects](#{name})"
    if "enum" in definition:
        return f"string, [one of](#{name})"
    if "enum" in prop or "const" in prop:
        return "string, always the same"
    if prop.get("format") == "date-time":
        return "instant (UTC)"
    return f"{prop['type']}, {prop['x-unit']}" if "x-unit" in prop else str(prop["type"])


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _list(items: Any) -> str:
    return "\n".join(f"- {item}" for item in items)
