"""The `webhooks` section of the served OpenAPI document: all that an endpoint is sent."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from callboard.clock import NANOSECONDS, RandomIds
from callboard.events import CATALOGUE, sample, seconds
from callboard.events.docs_delivery import ANSWERS, HEADERS, SOMETIMES
from callboard.events.openapi import with_webhooks
from callboard.ledger import Recorded
from callboard.webhooks import parking, request
from callboard.webhooks.batching import Batch
from callboard.webhooks.endpoint import EndpointRequest, new_endpoint
from callboard.webhooks.failures import failure_of_status
from callboard.webhooks.operational import STREAM, TYPES, operational
from callboard.webhooks.operational_kinds import EXAMPLES
from callboard.webhooks.replays import work
from callboard.webhooks.request import Renderer

NOW = 1_736_935_509 * NANOSECONDS


async def test_each_event_is_a_webhook_with_a_schema_and_a_sample_that_fits_it(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    assert list(document["webhooks"]) == [*CATALOGUE, "batch", *TYPES]
    for event in CATALOGUE:
        item = document["webhooks"][event]
        body = item["post"]["requestBody"]["content"]["application/json"]
        validator = Draft202012Validator({**body["schema"], "components": document["components"]})
        value = body["examples"]["sample"]["value"]
        assert value == sample(event)
        validator.validate(value)
        with pytest.raises(ValidationError):
            validator.validate({**value, "data": {}})


async def test_the_operations_of_webhooks_have_ids_of_their_own_and_need_no_token(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    ids = [item["post"]["operationId"] for item in document["webhooks"].values()]
    theirs = [one["operationId"] for path in document["paths"].values() for one in path.values()]
    assert len(set(ids + theirs)) == len(ids) + len(theirs)
    assert all(item["post"]["security"] == [] for item in document["webhooks"].values())


async def test_the_schemas_of_the_api_are_not_touched_by_those_of_the_events(rest: Any) -> None:
    schemas = (await rest.get("/v2/openapi.json"))["components"]["schemas"]
    assert {"Error", "RoomRequest", "EndpointResponse"} < schemas.keys()
    assert {"peer.leave.success", "PeerLeaveSuccess", "LeaveReason"} < schemas.keys()


async def test_a_batch_is_a_webhook_as_it_is_sent(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    operation = document["webhooks"]["batch"]["post"]
    body = operation["requestBody"]["content"]["application/json"]
    validator = Draft202012Validator({**body["schema"], "components": document["components"]})
    events = [recorded("session.open.success", 7), recorded("peer.join.success", 8)]
    headers, sent = batch_as_sent(events)
    for value in (json.loads(sent), body["examples"]["sample"]["value"]):
        validator.validate(value)
    others: list[Any] = [{"batch": json.loads(sent)["batch"][:1]}, {"batch": [{}, {}]}, json.loads(events[0].body)]
    for wrong in others:
        with pytest.raises(ValidationError):
            validator.validate(wrong)
    described = {one["name"]: one for one in operation["parameters"]}
    assert headers.keys() - USUAL == {name for name, one in described.items() if one["required"]}
    for name, one in described.items():
        for text in filter(None, (headers.get(name), one["example"])):
            Draft202012Validator(one["schema"]).validate(text)
    most = msgspec.json.schema_components([Batch])[1]["Batch"]["properties"]["events"]["maximum"]
    assert document["components"]["schemas"]["batch"]["properties"]["batch"]["maxItems"] == most


async def test_operational_events_are_webhooks_as_they_are_sent(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    assert {type(example).TYPE for example in EXAMPLES} == TYPES.keys()
    for example in EXAMPLES:
        operation = document["webhooks"][example.TYPE]["post"]
        body = operation["requestBody"]["content"]["application/json"]
        validator = Draft202012Validator(
            {**body["schema"], "components": document["components"]}, format_checker=FormatChecker()
        )
        sent = json.loads(operational(example, RandomIds(1), NOW).body)
        assert sent.keys() == body["examples"]["sample"]["value"].keys()
        for value in (sent, body["examples"]["sample"]["value"]):
            validator.validate(value)
        with pytest.raises(ValidationError):
            validator.validate({**sent, "data": {}})
        described = {one["name"]: one for one in operation["parameters"]}
        assert all(one["required"] for one in described.values())
        at = Recorded(0, sent["id"], STREAM, 0, example.TYPE, "", "", "", NOW, NOW, "", "", b"{}")
        headers = split(Renderer(ENDPOINT).render(at, STREAM.encode(), NOW))[0]
        assert headers.keys() - USUAL == described.keys()
        for name, one in described.items():
            Draft202012Validator(one["schema"]).validate(headers[name])


def test_a_schema_of_the_same_name_is_refused_and_not_replaced() -> None:
    with pytest.raises(ValueError, match="PeerJoinSuccess"):
        with_webhooks({"components": {"schemas": {"PeerJoinSuccess": {}}}})


ENDPOINT = new_endpoint(EndpointRequest(url="https://a.example/hook"), "e" * 24, lambda n: b"k" * n, NOW)
"""One that has no headers of its own."""
USUAL = {"host", "user-agent", "accept-encoding", "content-type", "content-length"}


def recorded(kind: str, seq: int) -> Recorded:
    """An event as the ledger has it."""
    body = json.dumps(sample(kind)).encode()
    return Recorded(seq, sample(kind)["id"], "s", seq, kind, "r", "s", "", NOW, NOW, "server", "", body)


def split(request: bytes) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a request."""
    head, _, sent = request.partition(b"\r\n\r\n")
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    return {name: value for name, _, value in lines}, sent


def request_as_sent() -> dict[str, str]:
    """The headers of a delivery."""
    event = recorded("session.open.success", 7)
    headers, sent = split(Renderer(ENDPOINT).render(event, b"s", NOW))
    assert sent == event.body
    return headers


def batch_as_sent(events: list[Recorded]) -> tuple[dict[str, str], bytes]:
    return split(Renderer(ENDPOINT).render_batch(events, b"s", NOW))


def test_the_headers_described_are_those_that_are_sent() -> None:
    assert request_as_sent().keys() - USUAL == {header.name for header in HEADERS}


def test_the_headers_that_are_sent_sometimes_are_those_described() -> None:
    names = (
        request.BATCH_HEADER,
        parking.HEADER,
        work.HEADER.partition(b":")[0],
        request.TEST_HEADER.partition(b":")[0],
    )
    assert [header.name for header in SOMETIMES] == [name.decode() for name in names]
    for header in SOMETIMES:
        Draft202012Validator(header.schema).validate(header.example)


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header.name)
def test_the_headers_sent_and_their_examples_fit_their_schemas(header: Any) -> None:
    for value in (request_as_sent()[header.name], header.example):
        Draft202012Validator(header.schema).validate(value)


def test_the_answers_described_are_those_that_are_told_apart() -> None:
    described = {answer.status for answer in ANSWERS}
    assert described == {"2XX", "3XX", "410", "429", "default"}
    told_apart = {failure_of_status(status) for status in (302, 410, 429, 404)}
    assert len(told_apart) == len(described) - 1  # the fifth is a success


def test_the_sample_of_the_timestamp_is_the_one_of_the_events() -> None:
    (example,) = (header.example for header in HEADERS if header.name == "webhook-timestamp")
    assert seconds(int(example) * NANOSECONDS) == sample("peer.leave.success")["timestamp"]
