"""What endpoints are sent as OpenAPI 3.1 has it: schemas, and the `webhooks` section. Generated from the models.

Owns: `component_schemas`, `webhooks`, `with_webhooks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callboard.events.docs_delivery import ANSWERS
from callboard.events.kinds import SCHEMAS, Kind, batch_kind, event_kinds

TAG = "Webhooks"


def kinds(others: Sequence[Kind] = ()) -> list[Kind]:
    """All that a request may carry: an event, a batch, and `others`."""
    return [*event_kinds(), batch_kind(), *others]


def component_schemas(of: Sequence[Kind]) -> dict[str, Any]:
    """Their schemas for `components/schemas`: each body by the kind's name, and what it is made of by the names of the
    models.
    """
    return {name: schema for kind in of for name, schema in kind.schemas.items()}


def webhooks(of: Sequence[Kind]) -> dict[str, Any]:
    """The `webhooks` section: what an endpoint must understand, one operation for each kind."""
    return {kind.name: {"post": _operation(kind)} for kind in of}


def with_webhooks(document: dict[str, Any], others: Sequence[Kind] = ()) -> dict[str, Any]:
    """An OpenAPI document with the events, and `others`. Raises `ValueError` if a schema in it has the name of one of
    theirs.
    """
    of = kinds(others)
    components = document.get("components", {})
    theirs, ours = components.get("schemas", {}), component_schemas(of)
    if both := sorted(theirs.keys() & ours.keys()):
        raise ValueError(f"these names are an event's and something else's: {', '.join(both)}")
    return {
        **document,
        "components": {**components, "schemas": {**theirs, **ours}},
        "webhooks": webhooks(of),
        "tags": [
            *document.get("tags", []),
            {"name": TAG, "description": "What is sent to your endpoints, in the order in which it happened."},
        ],
    }


def _operation(kind: Kind) -> dict[str, Any]:
    return {
        "operationId": f"receive_{kind.name.replace('.', '_')}",
        "tags": [TAG],
        "summary": kind.title,
        "description": f"{kind.says}\n\n{kind.when}",
        "security": [],
        "parameters": [
            {
                "name": header.name,
                "in": "header",
                "required": header in kind.always,
                "description": header.says,
                "schema": header.schema,
                "example": header.example,
            }
            for header in (*kind.always, *kind.sometimes)
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"$ref": f"{SCHEMAS}{kind.name}"},
                    "examples": {"sample": {"value": kind.example}},
                }
            },
        },
        "responses": {answer.status: {"description": answer.says} for answer in ANSWERS},
    }
