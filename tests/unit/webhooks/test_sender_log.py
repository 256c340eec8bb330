"""What the log of attempts tells: request, answer, where the time went, what failed, and what comes next."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.ledger import Ledger, Recorded
from callboard.testing.certificates import Authority
from callboard.testing.facts import joined
from callboard.testing.receiver import OK, Answer, Receiver, status
from callboard.webhooks.answers import BODY_EXCERPT, HEADER_EXCERPT, REDACTED, final_head, header, logged
from callboard.webhooks.attempts import Attempt, attempts_of_event
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.failures import Failure, failure_of_status
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import Identity

SETTINGS = Settings(
    RetryPolicy(quick=(0.01,)), HealthPolicy(probe_first=0.05), SenderSettings(connections=2, timeout=5.0), grace=1.0
)


@dataclass
class Home:
    database: Database
    ledger: Ledger
    endpoints: Endpoints
    dispatcher: Dispatcher
    stopped: bool = False

    async def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            await self.dispatcher.stop()

    async def commit(self) -> Recorded:
        (event,) = await self.ledger.commit(joined("room", RandomIds(), SystemClock()))
        return event

    async def log_of(self, event: Recorded) -> list[Attempt]:
        """What is logged of the event once all is written: nothing is sent any more after this."""
        await self.stop()
        return await attempts_of_event(self.database, event.id)


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    database = open_database(f"sqlite:///{tmp_path / 'callboard.db'}")
    await database.open()
    clock = SystemClock()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, RandomIds(1), secrets.token_bytes)
    await endpoints.load()
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(1), SETTINGS)
    await dispatcher.start()
    home = Home(database, ledger, endpoints, dispatcher)
    yield home
    await home.stop()
    await database.close()


async def test_request_and_answer_are_in_the_log_and_no_password_is(home: Home) -> None:
    password = "Bearer 0123456789"
    async with Receiver() as receiver:
        body = f'{{"you sent": "{password}", "zero": "\0"}}'.encode() + b"\xff" + b"x" * 5000
        lines = b"Content-Type: text/html\r\nset-cookie: session=1\r\nX-Request-Id: r1\r\n"
        receiver.behaviour = lambda _: status(200, body, headers=lines)
        await home.endpoints.create(EndpointRequest(url=receiver.url, headers={"Authorization": password}))
        event = await home.commit()
        await receiver.until_accepted(1)
        (attempt,) = await home.log_of(event)
        (delivery,) = receiver.deliveries
    assert (attempt.status, attempt.error, attempt.next_at, attempt.given_up) == (200, "", 0, False)
    assert attempt.request_headers["Authorization"] == REDACTED
    assert attempt.request_headers["host"] == f"localhost:{receiver.port}"
    assert attempt.request_headers["accept-encoding"] == "identity"
    assert [attempt.request_headers["webhook-timestamp"]] == delivery.header("webhook-timestamp")
    assert delivery.header("authorization") == [password]
    assert attempt.request_bytes == len(delivery.body) == len(event.body)
    assert attempt.response_headers == {
        "content-type": "text/html",
        "x-request-id": "r1",
        "content-length": str(len(body)),
    }
    assert attempt.response_body.startswith(f'{{"you sent": "{REDACTED}", "zero": "\0"}}\ufffdxxx')
    assert len(attempt.response_body) <= BODY_EXCERPT
    assert attempt.remote in {"127.0.0.1", "::1"}
    assert password not in repr(attempt)


async def test_the_time_is_split(home: Home, authority: Authority) -> None:
    async with Receiver(tls=authority.server("localhost")) as receiver:
        receiver.behaviour = lambda _: status(200, delay=0.05)
        await home.endpoints.create(EndpointRequest(url=receiver.url, tls=Identity(authorities=authority.pem)))
        first = await home.commit()
        await receiver.until_accepted(1)
        second = await home.commit()
        await receiver.until_accepted(2)
        (fresh,) = await home.log_of(first)
        (kept,) = await attempts_of_event(home.database, second.id)
    parts = fresh.timing
    assert min(parts.dns, parts.connect, parts.tls) > 0
    assert parts.first_byte >= 0.045  # a timer may end a little early
    assert parts.dns + parts.connect + parts.tls + parts.first_byte <= fresh.seconds
    assert (kept.timing.dns, kept.timing.connect, kept.timing.tls) == (0, 0, 0)
    assert 0.045 <= kept.timing.first_byte <= kept.seconds
    assert kept.remote == fresh.remote


async def test_an_endpoint_s_earlier_headers_stay_with_the_attempts_that_had_them(home: Home) -> None:
    async with Receiver() as receiver:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url, headers={"x-old": "1"}))
        first = await home.commit()
        await receiver.until_accepted(1)
        await home.endpoints.update(endpoint.id, EndpointRequest(headers={"x-new": "1"}))
        second = await home.commit()
        await receiver.until_accepted(2)
        (before,) = await home.log_of(first)
        (after,) = await attempts_of_event(home.database, second.id)
    assert "x-old" in before.request_headers
    assert "x-old" not in after.request_headers
    assert "x-new" in after.request_headers


@pytest.mark.parametrize(
    ("code", "asked", "seconds"),
    [
        (429, b"600", 600),
        (503, b"600", 600),
        (429, b"1e18", 0.01),
        (500, b"600", 0.01),
        (429, b"999999999999", 24 * 3600),
    ],
)
async def test_an_endpoint_is_given_the_time_it_asks_for(home: Home, code: int, asked: bytes, seconds: float) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(code, headers=b"Retry-After: %b\r\n" % asked)
        await home.endpoints.create(EndpointRequest(url=receiver.url))
        event = await home.commit()
        await receiver.until(lambda: bool(receiver.deliveries))
        attempt = (await home.log_of(event))[0]
    waited = (attempt.next_at - attempt.at) / NANOSECONDS - attempt.seconds
    assert waited == pytest.approx(seconds, abs=0.01 if seconds < 1 else 1)
    assert attempt.error == failure_of_status(code)


async def test_nobody_answers(home: Home) -> None:
    async with Receiver() as receiver:
        pass
    await home.endpoints.create(EndpointRequest(url=receiver.url))
    event = await home.commit()
    while not await attempts_of_event(home.database, event.id):
        await home.ledger.commit(joined("other", RandomIds(), SystemClock()))
    attempt = (await home.log_of(event))[0]
    assert (attempt.status, attempt.error) == (0, "connection_refused")
    assert attempt.remote
    assert attempt.next_at > attempt.at
    assert (attempt.response_headers, attempt.response_body, attempt.timing.first_byte) == ({}, "", 0)


async def test_an_endpoint_that_is_gone_is_disabled_and_its_events_wait(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(410)
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url))
        disabled: list[bool] = []
        home.endpoints.watch(lambda _: disabled.append(True))
        event = await home.commit()
        await receiver.until(lambda: bool(receiver.deliveries))  # else another one may be the first to be told so
        while not disabled:
            await home.ledger.commit(joined("other", RandomIds(), SystemClock()))
        now = home.endpoints.get(endpoint.id)
        assert now is not None
        assert not now.enabled
        receiver.behaviour = lambda _: OK
        await home.endpoints.update(endpoint.id, EndpointRequest(enabled=True))
        await receiver.until(lambda: event.id in {one.id for one in receiver.accepted})
        first, *_ = await home.log_of(event)
    assert (first.status, first.error, first.given_up) == (410, "http_gone", False)
    assert "is disabled: gone" in caplog.text


async def test_the_target_of_a_redirect_is_told_and_cut(home: Home) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: Answer(
            b"HTTP/1.1 302 X\r\nlocation: http://169.254.169.254/%b\r\ncontent-length: 0\r\n\r\n" % (b"x" * 5000)
        )
        await home.endpoints.create(EndpointRequest(url=receiver.url))
        event = await home.commit()
        await receiver.until(lambda: bool(receiver.deliveries))
        attempt = (await home.log_of(event))[0]
    assert attempt.error == "http_3xx"
    assert attempt.response_headers["location"].startswith("http://169.254.169.254/x")
    assert len(attempt.response_headers["location"]) == HEADER_EXCERPT


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        *((301, Failure.HTTP_3XX), (399, Failure.HTTP_3XX), (400, Failure.HTTP_4XX), (404, Failure.HTTP_4XX)),
        *((408, Failure.HTTP_THROTTLED), (425, Failure.HTTP_THROTTLED), (429, Failure.HTTP_THROTTLED)),
        *((410, Failure.HTTP_GONE), (499, Failure.HTTP_4XX), (500, Failure.HTTP_5XX), (999, Failure.HTTP_5XX)),
    ],
)
def test_classes_of_status(code: int, failure: Failure) -> None:
    assert failure_of_status(code) is failure


def test_heads_and_headers_are_found_in_whatever_came() -> None:
    received = (
        b"HTTP/1.1 103 X\r\nretry-after: 1\r\n\r\nHTTP/1.1 429 X\r\nRetry-After:  2 \r\nretry-after: 3\r\n\r\nbody: x"
    )
    head = final_head(received, 1)
    assert header(head, b"retry-after") == b"2"
    assert header(head, b"body") is None
    assert final_head(b"HTTP/1.1 103 X\n\nHTTP/1.1 200 X\na: b\n\nbody", 1) == b"HTTP/1.1 200 X\na: b"
    assert final_head(b"", 3) == b""
    assert logged(b"HTTP/1.1 200 X\r\nserver\r\n: x\r\nvia: \xff\x00", b"\xff\x00") == (
        '{"headers":{"server":"","via":"ÿ\\u0000"},"body":"�\\u0000"}'
    )
