"""The 32 events as OpenAPI 3.1 has them: schemas, and the `webhooks` section. Generated from the models.

Owns: `component_schemas`, `webhooks`, `with_webhooks`.
"""

from __future__ import annotations

from typing import Any

from callboard.events.catalogue import CATALOGUE
from callboard.events.docs_delivery import ANSWERS, HEADERS, SOMETIMES
from callboard.events.docs_guide import GUIDES
from callboard.events.docs_text import first_sentence, said
from callboard.events.schema import json_schema, sample

_SCHEMAS = "#/components/schemas/"
_DEFS = "#/$defs/"

TAG = "Webhooks"


def component_schemas() -> dict[str, Any]:
    """The schemas of all events for `components/schemas`: each envelope by the event's name, and what it is made of by
    the names of the models.
    """
    schemas: dict[str, Any] = {}
    for event in CATALOGUE:
        schema = json_schema(event)
        del schema["$schema"]
        schemas |= _moved(schema.pop("$defs"))
        schemas[event] = _moved(schema)
    return schemas


def webhooks() -> dict[str, Any]:
    """The `webhooks` section: what an endpoint must understand, one operation for each event."""
    return {event: {"post": _operation(event)} for event in CATALOGUE}


def with_webhooks(document: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document with the events. Raises `ValueError` if a schema in it has the name of one of theirs."""
    components = document.get("components", {})
    theirs, ours = components.get("schemas", {}), component_schemas()
    if both := sorted(theirs.keys() & ours.keys()):
        raise ValueError(f"these names are an event's and something else's: {', '.join(both)}")
    return {
        **document,
        "components": {**components, "schemas": {**theirs, **ours}},
        "webhooks": webhooks(),
        "tags": [
            *document.get("tags", []),
            {"name": TAG, "description": "What is sent to your endpoints, in the order in which it happened."},
        ],
    }


def _operation(event: str) -> dict[str, Any]:
    payload = CATALOGUE[event]
    return {
        "operationId": f"receive_{event.replace('.', '_')}",
        "tags": [TAG],
        "summary": first_sentence(payload),
        "description": f"{said(payload)}\n\n{GUIDES[event].when}",
        "security": [],
        "parameters": [
            {
                "name": header.name,
                "in": "header",
                "required": header in HEADERS,
                "description": header.says,
                "schema": header.schema,
                "example": header.example,
            }
            for header in (*HEADERS, *SOMETIMES)
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"{_SCHEMAS}{event}"},
                    "examples": {"sample": {"value": sample(event)}},
                }
            },
        },
        "responses": {answer.status: {"description": answer.says} for answer in ANSWERS},
    }


def _moved(part: Any) -> Any:
    """A part of a schema, its references leading to the document's components."""
    if isinstance(part, dict):
        return {
            key: value.replace(_DEFS, _SCHEMAS) if key == "$ref" and isinstance(value, str) else _moved(value)
            for key, value in part.items()
        }
    return [_moved(one) for one in part] if isinstance(part, list) else part
