"""The events as an AsyncAPI 3.0 document: what Callboard sends to an endpoint, and what can be read from its ledger.

Owns: `asyncapi`. Generated from the models, as the OpenAPI document is, with the same schemas.
"""

from __future__ import annotations

from typing import Any

from callboard import __version__
from callboard.events.catalogue import CATALOGUE
from callboard.events.docs_delivery import HEADERS, SOMETIMES
from callboard.events.docs_guide import GUIDES
from callboard.events.docs_text import first_sentence, said
from callboard.events.openapi import component_schemas
from callboard.events.schema import sample

_DESCRIPTION = """Live audio and video rooms whose every moment reaches your backend as an event.

Every event is committed to a ledger together with the change that it reports, and is sent to your webhook endpoints at
least once, in order for each stream (a session, or a room while it has none). The same events can be read back from the
ledger by `GET /v2/events`, with the same ids and the same bytes."""


def asyncapi(server: str = "") -> dict[str, Any]:
    """The document. `server` is the address of a running server, if there is one to name."""
    names = list(CATALOGUE)
    document: dict[str, Any] = {
        "asyncapi": "3.0.0",
        "id": "urn:callboard:events",
        "info": {
            "title": "Callboard events",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "webhook": {
                "address": None,
                "title": "Your endpoint",
                "description": "A POST for each event to every endpoint that wants it; one at a time for each stream.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"http": {}},
            },
        },
        "operations": {
            "deliver": {
                "action": "send",
                "channel": {"$ref": "#/channels/webhook"},
                "title": "Deliver an event",
                "summary": "Signed, in order, until it is accepted with a status of 2xx.",
                "bindings": {"http": {"method": "POST", "bindingVersion": "0.3.0"}},
                "messages": [{"$ref": f"#/channels/webhook/messages/{name}"} for name in names],
            },
        },
        "components": {
            "messages": {name: _message(name) for name in names},
            "schemas": component_schemas() | {"DeliveryHeaders": _headers()},
        },
    }
    if server:
        protocol, _, host = server.partition("://")
        document["servers"] = {"callboard": {"host": host, "protocol": protocol}}
    return document


def _message(name: str) -> dict[str, Any]:
    payload = CATALOGUE[name]
    return {
        "name": name,
        "title": first_sentence(payload),
        "summary": GUIDES[name].when,
        "description": said(payload),
        "contentType": "application/json",
        "tags": [{"name": payload.THEME}],
        "headers": {"$ref": "#/components/schemas/DeliveryHeaders"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "examples": [
            {
                "name": "sample",
                "headers": {header.name: header.example for header in HEADERS},
                "payload": sample(name),
            }
        ],
    }


def _headers() -> dict[str, Any]:
    """The schema of a delivery's headers."""
    return {
        "type": "object",
        "description": "The headers of a delivery (Standard Webhooks 1.0.0).",
        "properties": {
            header.name: {**header.schema, "description": header.says, "examples": [header.example]}
            for header in (*HEADERS, *SOMETIMES)
        },
        "required": [header.name for header in HEADERS],
    }
