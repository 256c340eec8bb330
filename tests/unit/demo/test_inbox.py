"""The inbox of the demo: only signed events get in, in the order of arrival."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from standardwebhooks import Webhook

from callboard.demo.inbox import Inbox

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER = "whsec_" + base64.b64encode(b"another secret, which is not ours").decode()


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with Inbox(SECRET) as inbox:
        yield inbox


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def signed(body: str, event_id: str, secret: str = SECRET, age: timedelta = timedelta()) -> dict[str, str]:
    """The headers of a delivery, signed by the reference implementation."""
    at = datetime.now(UTC) - age
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, at, body),
        "callboard-seq": "7",
        "callboard-stream": "s1",
    }


def event(event_id: str, **data: str) -> str:
    return json.dumps({"id": event_id, "type": "peer.leave.success", "data": data})


async def post(http: aiohttp.ClientSession, inbox: Inbox, body: str, headers: dict[str, str]) -> int:
    async with http.post(inbox.url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_signed_event_is_recorded_with_its_headers(inbox: Inbox, http: aiohttp.ClientSession) -> None:
    body = event("e1", user_name="Ann", reason="peer kicked", message="bye")
    assert await post(http, inbox, body, signed(body, "e1")) == 200
    (delivered,) = inbox.delivered
    assert (delivered.event.id, delivered.event.seq, delivered.event.stream) == ("e1", 7, "s1")
    assert (delivered.event.who, delivered.event.why) == ("Ann", "peer kicked: bye")
    assert inbox.has("peer.leave.success", user_name="Ann")
    assert not inbox.has("peer.leave.success", user_name="Ben")


@pytest.mark.parametrize(
    ("secret", "age", "tampered"),
    [
        (OTHER, timedelta(), False),
        (SECRET, timedelta(hours=1), False),
        (SECRET, timedelta(), True),
    ],
)
async def test_a_delivery_that_is_not_ours_is_refused(
    inbox: Inbox, http: aiohttp.ClientSession, secret: str, age: timedelta, tampered: bool
) -> None:
    body = event("e1")
    sent = event("e1", reason="tampered") if tampered else body
    assert await post(http, inbox, sent, signed(body, "e1", secret, age)) == 401
    assert (inbox.delivered, inbox.refused) == ([], 1)


@pytest.mark.parametrize("body", ["no json", "[]", '{"id": "e1"}', event("e2")])
async def test_a_signed_delivery_that_is_no_event_is_refused(
    inbox: Inbox, http: aiohttp.ClientSession, body: str
) -> None:
    assert await post(http, inbox, body, signed(body, "e1")) == 400
    assert (inbox.delivered, inbox.refused) == ([], 1)


async def test_arrivals_are_given_once_each_in_order(inbox: Inbox, http: aiohttp.ClientSession) -> None:
    for event_id in ("e1", "e2", "e1", "e3"):
        body = event(event_id)
        assert await post(http, inbox, body, signed(body, event_id)) == 200
    assert [one.event.id for one in inbox.first_arrivals] == ["e1", "e2", "e3"]
    arrivals = inbox.arrivals()
    async with asyncio.timeout(60):
        assert [(await anext(arrivals)).event.id for _ in range(3)] == ["e1", "e2", "e3"]
    late = asyncio.ensure_future(anext(arrivals))
    body = event("e4")
    assert await post(http, inbox, body, signed(body, "e4")) == 200
    assert (await asyncio.wait_for(late, 60)).event.id == "e4"
