"""The events as an AsyncAPI 3.0 document: what Callboard sends to an endpoint, and what can be read from its ledger.

Owns: `asyncapi`. Generated from the models, as the OpenAPI document is, with the same schemas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callboard import __version__
from callboard.events.kinds import SCHEMAS, Kind
from callboard.events.openapi import component_schemas, kinds

_DESCRIPTION = """Live audio and video rooms whose every moment reaches your backend as an event.

Every event is committed to a ledger together with the change that it reports, and is sent to your webhook endpoints at
least once, in order for each stream (a session, or a room while it has none). The same events can be read back from the
ledger by `GET /v2/events`, with the same ids and the same bytes. Endpoints that ask for it are sent
several events in one request, and what happens to deliveries themselves."""


def asyncapi(server: str = "", others: Sequence[Kind] = ()) -> dict[str, Any]:
    """The document. `server` is the address of a running server, if there is one to name; `others` is what is sent
    besides events.
    """
    of = kinds(others)
    names = [kind.name for kind in of]
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
            "messages": {kind.name: _message(kind) for kind in of},
            "schemas": component_schemas(of) | {_headers_of(kind): _headers(kind) for kind in of},
        },
    }
    if server:
        protocol, _, host = server.partition("://")
        document["servers"] = {"callboard": {"host": host, "protocol": protocol}}
    return document


def _message(kind: Kind) -> dict[str, Any]:
    return {
        "name": kind.name,
        "title": kind.title,
        "summary": kind.when,
        "description": kind.says,
        "contentType": "application/json",
        "tags": [{"name": kind.tag}],
        "headers": {"$ref": f"{SCHEMAS}{_headers_of(kind)}"},
        "payload": {"$ref": f"{SCHEMAS}{kind.name}"},
        "examples": [
            {
                "name": "sample",
                "headers": {header.name: header.example for header in kind.always},
                "payload": kind.example,
            }
        ],
    }


def _headers_of(kind: Kind) -> str:
    return f"{kind.headers}Headers"


def _headers(kind: Kind) -> dict[str, Any]:
    """The schema of the headers of a request that carries this."""
    return {
        "type": "object",
        "description": "The headers of a delivery (Standard Webhooks 1.0.0).",
        "properties": {
            header.name: {**header.schema, "description": header.says, "examples": [header.example]}
            for header in (*kind.always, *kind.sometimes)
        },
        "required": [header.name for header in kind.always],
    }
