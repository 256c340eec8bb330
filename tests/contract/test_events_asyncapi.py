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

DATA = Path(__file__).parent / "data/asyncapi-3.0.0.schema.json.gz"
OFFICIAL: dict[str, Any] = json.loads(gzip.decompress(DATA.read_bytes()))


def problems(document: dict[str, Any]) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft7Validator(OFFICIAL).iter_errors(document)]


@pytest.mark.parametrize("server", ["", "https://rooms.example"])
def test_the_document_is_valid_by_the_official_schema(server: str) -> None:
    assert problems(asyncapi(server)) == []


def test_the_official_schema_finds_what_is_wrong() -> None:
    document = asyncapi()
    document["operations"]["deliver"]["action"] = "shout"
    document["components"]["messages"]["peer.join.success"]["payload"] = "text"
    assert len(problems(document)) >= 2


def test_every_event_is_a_message_of_the_channel_and_of_the_operation() -> None:
    document = asyncapi()
    assert list(document["components"]["messages"]) == list(CATALOGUE)
    assert list(document["channels"]["webhook"]["messages"]) == list(CATALOGUE)
    assert len(document["operations"]["deliver"]["messages"]) == len(CATALOGUE)


@pytest.mark.parametrize("event", CATALOGUE)
def test_the_samples_of_a_message_are_valid_by_its_schemas(event: str) -> None:
    document = asyncapi()
    (example,) = document["components"]["messages"][event]["examples"]
    assert example["payload"] == sample(event)
    for part, schema in (("payload", event), ("headers", "DeliveryHeaders")):
        whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
        Draft202012Validator(whole).validate(example[part])


def test_every_reference_leads_somewhere() -> None:
    document = asyncapi()
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
    assert (answer.status, answer.json()) == (200, asyncapi())
