"""The `webhooks` section of the served OpenAPI document: all that an endpoint is sent."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from callboard.clock import NANOSECONDS
from callboard.events import CATALOGUE, encode, sample, seconds
from callboard.events.docs_delivery import ANSWERS, HEADERS, SOMETIMES
from callboard.events.openapi import with_webhooks
from callboard.ledger import Recorded
from callboard.webhooks import parking, request
from callboard.webhooks.endpoint import EndpointRequest, new_endpoint
from callboard.webhooks.failures import failure_of_status
from callboard.webhooks.replays import work
from callboard.webhooks.request import Renderer

NOW = 1_736_935_509 * NANOSECONDS


async def test_each_event_is_a_webhook_with_a_schema_and_a_sample_that_fits_it(rest: Any) -> None:
    document = await rest.get("/v2/openapi.json")
    assert list(document["webhooks"]) == list(CATALOGUE)
    for event, item in document["webhooks"].items():
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


def test_a_schema_of_the_same_name_is_refused_and_not_replaced() -> None:
    with pytest.raises(ValueError, match="PeerJoinSuccess"):
        with_webhooks({"components": {"schemas": {"PeerJoinSuccess": {}}}})


def request_as_sent() -> dict[str, str]:
    """The headers of a delivery to an endpoint that has none of its own."""
    endpoint = new_endpoint(EndpointRequest(url="https://a.example/hook"), "e" * 24, lambda n: b"k" * n, NOW)
    payload = CATALOGUE["session.open.success"](**sample("session.open.success")["data"])
    body = encode(payload, id="an-id", account_id="a", app_id="b", template_id="c", at=NOW)
    event = Recorded(1, "an-id", "s", 7, payload.EVENT, "r", "s", "", NOW, NOW, "server", "", body)
    head, _, sent = Renderer(endpoint).render(event, b"s", NOW).partition(b"\r\n\r\n")
    assert sent == body
    lines = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
    return {name: value for name, _, value in lines}


def test_the_headers_described_are_those_that_are_sent() -> None:
    usual = {"host", "user-agent", "accept-encoding", "content-type", "content-length"}
    assert request_as_sent().keys() - usual == {header.name for header in HEADERS}


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
