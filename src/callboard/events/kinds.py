"""What a request to an endpoint may carry, for the documents: an event, a batch of events, and what others add.

Owns: `Kind`, `event_kinds`, `batch_kind`. Always holds: a test compares them with what `webhooks/` sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from callboard.events.catalogue import CATALOGUE
from callboard.events.docs_delivery import HEADERS, SOMETIMES, Header
from callboard.events.docs_guide import GUIDES
from callboard.events.docs_text import first_sentence, said
from callboard.events.schema import json_schema, sample

SCHEMAS: Final = "#/components/schemas/"
_DEFS: Final = "#/$defs/"
_TOGETHER: Final = ("session.open.success", "peer.join.success")


@dataclass(frozen=True, slots=True)
class Kind:
    """`schemas` has the body's under `name`, and what that is made of; references in them lead to the document's
    components. `always` are headers of every such request, `sometimes` of some.
    """

    name: str
    tag: str
    title: str
    when: str
    says: str
    schemas: dict[str, Any]
    example: dict[str, Any]
    always: tuple[Header, ...] = HEADERS
    sometimes: tuple[Header, ...] = SOMETIMES
    headers: str = "Delivery"
    """One name for those that have the same headers."""


def event_kinds() -> list[Kind]:
    """The 32 events, each alone in a request."""
    return [_event_kind(event) for event in CATALOGUE]


def batch_kind() -> Kind:
    """Several events in one request, for an endpoint whose `delivery` has a `batch`."""
    schema = {
        "title": "batch",
        "description": "Events of one stream, in order, each as it would be alone; consecutive ones, unless the"
        " endpoint's `ordering` is `none`.",
        "type": "object",
        "properties": {
            "batch": {
                "type": "array",
                "minItems": 2,
                "maxItems": 64,
                "items": {"oneOf": [{"$ref": f"{SCHEMAS}{event}"} for event in CATALOGUE]},
            }
        },
        "required": ["batch"],
        "additionalProperties": False,
    }
    named = {header.name: header for header in (*HEADERS, *SOMETIMES)}
    own = Header(
        "webhook-id",
        {"type": "string", "pattern": "^batch_[0-9a-f]{32}$"},
        "The batch's id: the same for the same events. Each event in it has the id that it has alone. Signed.",
        "batch_0b7a6e0c5d0e4b579d3c7a1f6f0c2e11",
    )
    seqs = Header("callboard-seq", named["callboard-seq"].schema, named["callboard-seq"].says, "7,8")
    count = Header("callboard-batch", named["callboard-batch"].schema, named["callboard-batch"].says, "2")
    replaced = {header.name: header for header in (own, seqs)}
    return Kind(
        "batch",
        "batch",
        "Several events in one request.",
        "When an endpoint's `delivery` has a `batch`, and more than one event of a stream waits.",
        "Events of one stream in one request, which is accepted or not as a whole. Endpoints ask for it.",
        {"batch": schema},
        {"batch": [sample(event) for event in _TOGETHER]},
        (*(replaced.get(header.name, header) for header in HEADERS), count),
        (named["callboard-gap"],),
        "Batch",
    )


def moved(part: Any) -> Any:
    """A part of a schema, its references leading to the document's components."""
    if isinstance(part, dict):
        return {
            key: value.replace(_DEFS, SCHEMAS) if key == "$ref" and isinstance(value, str) else moved(value)
            for key, value in part.items()
        }
    return [moved(one) for one in part] if isinstance(part, list) else part


def _event_kind(event: str) -> Kind:
    payload = CATALOGUE[event]
    schema = json_schema(event)
    del schema["$schema"]
    schemas = moved(schema.pop("$defs"))
    schemas[event] = moved(schema)
    others = tuple(header for header in SOMETIMES if header.name != "callboard-batch")
    return Kind(
        event,
        payload.THEME,
        first_sentence(payload),
        GUIDES[event].when,
        said(payload),
        schemas,
        sample(event),
        sometimes=others,
    )
