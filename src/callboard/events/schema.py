"""The contract as JSON Schema, and samples of it.

Owns: nothing of its own: both are generated from the models, so that they cannot disagree with what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from inspect import cleandoc
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import msgspec

from callboard.events.catalogue import event_type
from callboard.events.envelope import envelope_of
from callboard.events.timestamps import ZERO_TIME, parse, seconds

_REF = "#/$defs/"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema(event: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of the whole envelope of `event`; a new dictionary each time.

    A key that the seed's tables have and its samples lack is described and not required, though Callboard
    sends it: an event that another implementation of the contract sent is valid too. Raises
    `UnknownEventType`.
    """
    payload = event_type(event)
    (root,), definitions = msgspec.json.schema_components([envelope_of(payload)], ref_template=f"{_REF}{{name}}")
    envelope = definitions.pop(root["$ref"].removeprefix(_REF))
    for name, value in {"version": payload.VERSION, "type": event}.items():
        described = envelope["properties"][name]
        envelope["properties"][name] = {"description": described["description"], "const": value}
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])
    envelope |= {"title": event, "description": definitions[payload.__name__]["description"]}
    schema: dict[str, Any] = msgspec.to_builtins({"$schema": _DIALECT, **envelope, "$defs": definitions})
    return schema


def sample(event: str) -> dict[str, Any]:
    """A sample of the whole envelope of `event`, made of the examples of its fields.

    It has every key that Callboard sends by default, so some deprecated ones are not in it. Each event's
    sample has an id of its own, and the time of the last thing it tells. Raises `UnknownEventType`.
    """
    schema = json_schema(event)
    envelope = {name: _example(prop, schema) for name, prop in schema["properties"].items()}
    del envelope["is_replay"], envelope["is_test"], envelope["is_expunged"]
    envelope["id"] = str(uuid5(NAMESPACE_URL, event))
    instants = list(_instants(envelope["data"], schema))
    if instants:
        envelope["timestamp"] = seconds(max(instants))
    return envelope


def _instants(data: dict[str, Any], schema: dict[str, Any]) -> Iterator[int]:
    """When what the event tells happened, as far as it is known."""
    for name, prop in _resolved(schema["properties"]["data"], schema)["properties"].items():
        if prop.get("format") == "date-time" and data.get(name, ZERO_TIME) != ZERO_TIME:
            yield parse(data[name])


def _example(prop: dict[str, Any], schema: dict[str, Any]) -> Any:
    """The value that stands for a property: its constant, its first example, or one made of its parts."""
    if "const" in prop:
        return prop["const"]
    if "examples" in prop:
        return prop["examples"][0]
    if "items" in prop:
        return [_example(prop["items"], schema)]
    whole = _resolved(prop, schema)
    sent = {name: part for name, part in whole["properties"].items() if not _left_out(name, part, whole)}
    return {name: _example(part, schema) for name, part in sent.items()}


def _resolved(prop: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = schema["$defs"][prop["$ref"].removeprefix(_REF)]
    return definition


def _left_out(name: str, part: dict[str, Any], whole: dict[str, Any]) -> bool:
    """Whether it is a deprecated key without a default, which is only sent if a setting asks for it."""
    return part.get("deprecated", False) and name not in whole["required"] and "default" not in part
