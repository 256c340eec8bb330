"""Operational events as the documents have them (`events/kinds.py`), made of the models.

Owns: `operational_kinds`.
"""

from __future__ import annotations

from inspect import cleandoc
from typing import Any, Final

import msgspec

from callboard.events.docs_delivery import HEADERS, Header
from callboard.events.kinds import SCHEMAS, Kind
from callboard.webhooks.operational import (
    STREAM,
    TYPES,
    EndpointDisabled,
    EndpointFailing,
    EndpointRecovered,
    EventParked,
    Happening,
)

_ENDPOINT: Final = "65a000000000000000000009"
_AT: Final = "2026-01-31T09:30:00Z"

EXAMPLES: Final[tuple[Happening, ...]] = (
    EndpointFailing(endpoint_id=_ENDPOINT, failing_since=_AT, next_attempt_at="2026-01-31T09:31:00Z", used=0.5),
    EndpointRecovered(endpoint_id=_ENDPOINT, paused_at=_AT),
    EndpointDisabled(endpoint_id=_ENDPOINT, reason="gone"),
    EventParked(
        endpoint_id=_ENDPOINT,
        event_id="0b7a6e0c-5d0e-4b57-9d3c-7a1f6f0c2e11",
        event_type="peer.join.success",
        stream="65a000000000000000000002",
        seq=5,
        attempts=4,
        status=422,
        error="http_4xx",
    ),
)

_WHEN: Final = "To endpoints whose `delivery` has `operational`, but for the one that it is about. Not in order."
_STREAM: Final = Header(
    "callboard-stream",
    {"type": "string", "const": STREAM},
    "They are in no session's stream. Not signed.",
    STREAM,
)
_SEQ: Final = Header("callboard-seq", {"type": "string", "const": "0"}, "They are not counted. Not signed.", "0")


def operational_kinds() -> list[Kind]:
    """All there are."""
    return [_kind(example) for example in EXAMPLES]


def _kind(example: Happening) -> Kind:
    kind = type(example)
    assert TYPES[kind.TYPE] is kind
    _, definitions = msgspec.json.schema_components([kind], ref_template=f"{SCHEMAS}{{name}}")
    says = cleandoc(kind.__doc__ or "")
    replaced = {header.name: header for header in (_STREAM, _SEQ)}
    body: dict[str, Any] = {
        "title": kind.TYPE,
        "description": says,
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "type": {"const": kind.TYPE},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": {"$ref": f"{SCHEMAS}{kind.__name__}"},
        },
        "required": ["id", "type", "timestamp", "data"],
    }
    return Kind(
        kind.TYPE,
        "operational",
        says.partition("\n\n")[0].replace("\n", " "),
        _WHEN,
        says,
        {**msgspec.to_builtins(definitions), kind.TYPE: body},
        {
            "id": "0199b2c4-0c5e-7d10-8f3a-5d2f60b1a9c3",
            "type": kind.TYPE,
            "timestamp": _AT,
            "data": msgspec.to_builtins(example),
        },
        tuple(replaced.get(header.name, header) for header in HEADERS),
        (),
        "Operational",
    )
