"""The AsyncAPI document, against the official JSON Schema of AsyncAPI 3.0.0.

`data/asyncapi-3.0.0.schema.json.gz` is `schemas/3.0.0-without-$id.json` of the npm package `@asyncapi/specs` 6.11.1
(Apache-2.0), white space taken out and compressed, otherwise as it is.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from callboard.events import CATALOGUE, sample
from callboard.events.asyncapi import asyncapi
from callboard.webhooks.operational import TYPES
from callboard.webhooks.operational_kinds import operational_kinds

DATA = Path(__file__).parent / "data/asyncapi-3.0.0.schema.json.gz"
OFFICIAL: dict[str, Any] = json.loads(gzip.decompress(DATA.read_bytes()))


def whole() -> dict[str, Any]:
    """As a server has it."""
    return asyncapi(others=operational_kinds())


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft7Validator(OFFICIAL).iter_errors(document)]


@pytest.mark.parametrize("server", ["", "https://rooms.example"])
def test_the_document_is_valid_by_the_official_schema(server: str) -> None:
    assert problems(asyncapi(server, operational_kinds())) == []


def test_the_official_schema_finds_what_is_wrong() -> None:
    document = asyncapi()
    document["operations"]["deliver"]["action"] = "shout"
    document["components"]["messages"]["peer.join.success"]["payload"] = "text"
    assert len(problems(document)) >= 2


def test_every_event_is_a_message_of_the_channel_and_of_the_operation() -> None:
    document = whole()
    sent = [*CATALOGUE, "batch", *TYPES]
    assert list(document["components"]["messages"]) == sent
    assert list(document["channels"]["webhook"]["messages"]) == sent
    assert len(document["operations"]["deliver"]["messages"]) == len(sent)


@pytest.mark.parametrize("name", [*CATALOGUE, "batch", *TYPES])
def test_the_samples_of_a_message_are_valid_by_its_schemas(name: str) -> None:
    document = whole()
    message = document["components"]["messages"][name]
    (example,) = message["examples"]
    assert name not in CATALOGUE or example["payload"] == sample(name)
    for part in ("payload", "headers"):
        Draft202012Validator({**message[part], "components": document["components"]}).validate(example[part])


def test_every_reference_leads_somewhere() -> None:
    document = whole()
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in references(value)]
    return [found for value in part for found in references(value)] if isinstance(part, list) else []


async def test_a_server_serves_it_without_a_token(rest: Any) -> None:
    answer = await rest.ask("GET", "/v2/asyncapi.json", token="")
    assert (answer.status, answer.json()) == (200, whole())
