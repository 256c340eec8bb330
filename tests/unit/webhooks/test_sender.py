"""The sender against servers that behave, and against those that don't, on both event loops."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from callboard.testing.certificates import Authority
from callboard.testing.receiver import DROPPED, OK, SILENCE, Answer, Receiver, status
from callboard.webhooks.connection import BODY_BYTES, HEADER_BYTES, Connection, Opening
from callboard.webhooks.failures import Failure
from callboard.webhooks.reach import AddressRefused, Resolve, Target, resolve
from callboard.webhooks.sender import Pool, SenderSettings

PATIENT = SenderSettings(connections=4, timeout=60.0, idle=60.0)
QUICK = SenderSettings(connections=4, timeout=1.0, idle=60.0)


class Posts:
    """A source of numbered POSTs, and what became of them."""

    def __init__(self) -> None:
        self.ready: deque[int] = deque()
        self.results: list[tuple[int, int, str]] = []
        self.openings: list[Opening] = []
        self.answers: list[tuple[bytes, bytes]] = []
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self) -> int | None:
        return self.ready.popleft() if self.ready else None

    def render(self, work: int) -> bytes:
        body = b"{}"
        return (
            b"POST /hook HTTP/1.1\r\nhost: localhost\r\nwebhook-id: %d\r\ncallboard-seq: %d\r\n"
            b"content-length: %d\r\n\r\n%b" % (work, work, len(body), body)
        )

    def finished(self, work: int, status: int, error: Failure | None, wire: Connection[int]) -> None:
        self.results.append((work, status, error or ""))
        self.openings.append(wire.opening)
        self.answers.append((wire.head, wire.body))
        task = asyncio.get_running_loop().create_task(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def until(self, count: int) -> list[tuple[int, int, str]]:
        async with asyncio.timeout(60), self._news:
            await self._news.wait_for(lambda: len(self.results) >= count)
        return self.results


@asynccontextmanager
async def pool_to(
    port: int,
    *,
    settings: SenderSettings = PATIENT,
    tls: ssl.SSLContext | None = None,
    host: str = "localhost",
    vet: Resolve = resolve,
) -> AsyncIterator[tuple[Pool[int], Posts]]:
    posts = Posts()
    pool: Pool[int] = Pool(Target(host, port, tls), posts, settings, vet)
    try:
        yield pool, posts
    finally:
        await pool.stop(60.0)
        assert pool.open == 0


async def post(pool: Pool[int], posts: Posts, *works: int) -> list[tuple[int, int, str]]:
    """Send `works`, and return their results once all are there."""
    before = len(posts.results)
    posts.ready.extend(works)
    pool.wake()
    return (await posts.until(before + len(works)))[before:]


async def one(answer: Answer, settings: SenderSettings = PATIENT) -> tuple[int, str]:
    """What a POST came to that was answered so on a new connection; the one after it must not suffer."""
    async with Receiver() as receiver, pool_to(receiver.port, settings=settings) as (pool, posts):
        receiver.behaviour = lambda _: answer
        ((_, code, error),) = await post(pool, posts, 1)
        pool.limit(PATIENT.timeout)
        receiver.behaviour = lambda _: OK
        assert await post(pool, posts, 2) == [(2, 200, "")]
        return code, error


async def test_posts_go_over_one_kept_connection() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        for number in range(20):
            assert await post(pool, posts, number) == [(number, 200, "")]
        assert receiver.connections == 1
        assert [delivery.id for delivery in receiver.deliveries] == [str(number) for number in range(20)]


async def test_no_more_connections_are_opened_than_allowed() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        receiver.behaviour = lambda _: status(200, delay=0.01)
        await post(pool, posts, *range(40))
        assert receiver.connections == 4
        assert sorted(work for work, *_ in posts.results) == list(range(40))


@pytest.mark.parametrize("code", [204, 301, 302, 307, 404, 410, 429, 500, 503])
async def test_a_status_is_a_status_and_no_redirect_is_followed(code: int) -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        location = f"location: http://localhost:{receiver.port}/elsewhere\r\n".encode()
        receiver.behaviour = lambda _: Answer(b"HTTP/1.1 %d X\r\n%bcontent-length: 0\r\n\r\n" % (code, location))
        assert await post(pool, posts, 1) == [(1, code, "")]
        assert [delivery.path for delivery in receiver.deliveries] == ["/hook"]
        assert receiver.connections == 1


async def test_a_chunked_answer_is_read_to_its_end() -> None:
    chunks = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nt: u\r\n\r\n"
    assert await one(Answer(chunks)) == (200, "")


async def test_an_answer_may_come_byte_by_byte() -> None:
    answer = b"HTTP/1.1 201 X\r\ncontent-length: 2\r\n\r\nab"
    assert await one(Answer(b"", delay=0.001, pieces=[answer[i : i + 1] for i in range(len(answer))])) == (201, "")


async def test_interim_answers_are_passed_over() -> None:
    assert await one(Answer(b"HTTP/1.1 100 X\r\n\r\nHTTP/1.1 103 X\r\nlink: x\r\n\r\n" + OK.data)) == (200, "")


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\nserver: x\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
async def test_the_end_of_the_connection_ends_an_answer_without_a_length(head: bytes) -> None:
    assert await one(Answer(head + b"thank you", closing=True)) == (200, "")


async def test_an_answer_without_a_length_after_an_interim_one_ends_with_the_connection() -> None:
    interim = b"HTTP/1.1 103 X\r\ncontent-length: 0\r\n\r\n"
    assert await one(Answer(interim + b"HTTP/1.1 202 X\r\n\r\nok", closing=True)) == (202, "")


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 X\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"HTTP/1.1 200 X\r\nserver: x",
        b"",
    ],
)
@pytest.mark.parametrize("abort", [False, True])
async def test_an_answer_cut_short_is_a_failure(head: bytes, abort: bool) -> None:
    assert await one(Answer(head, closing=True, abort=abort)) == (0, "connection_lost")


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x01\x02\x03" * 100,
        b"<html>",
        b"HTTP/1.1 abc X\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 X\r\n\r\n" * 9 + OK.data,
        b"HTTP/1.1 007 X\r\n\r\n" + OK.data,
    ],
)
async def test_what_is_no_answer_is_a_failure(garbage: bytes) -> None:
    assert await one(Answer(garbage)) == (0, "bad_response")


async def test_endless_headers_are_cut_off() -> None:
    pieces = [b"x-filler: " + b"y" * 1000 + b"\r\n"] * (HEADER_BYTES // 1000 + 5)
    assert await one(Answer(b"HTTP/1.1 200 X\r\n", delay=0.0001, pieces=pieces)) == (0, "too_large")


async def test_one_endless_header_is_cut_off() -> None:
    code, error = await one(Answer(b"HTTP/1.1 200 X\r\nx: " + b"y" * (HEADER_BYTES + 1)))
    assert (code, error) == (0, "too_large")


async def test_a_huge_body_is_not_read_but_its_status_counts() -> None:
    """Whoever sends ten gigabytes after "200" has accepted the event; it must not be sent again for ever."""
    head = b"HTTP/1.1 200 X\r\ncontent-length: 10000000000\r\n\r\n"
    assert await one(Answer(head + b"z" * (BODY_BYTES + 1), pieces=[b"z" * 65536] * 100)) == (200, "")


async def test_what_follows_an_answer_unasked_ends_the_connection_but_not_the_answer() -> None:
    for extra in (b"OK", OK.data, b"HTTP/1.1 500 X\r\ncontent-"):
        async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
            receiver.behaviour = lambda _, extra=extra: Answer(OK.data + extra)  # type: ignore[misc]
            assert await post(pool, posts, 1) == [(1, 200, "")]
            receiver.behaviour = lambda _: status(503)
            assert await post(pool, posts, 2) == [(2, 503, "")], "answered by what the first answer left behind"
            assert receiver.connections == 2


async def test_data_on_an_idle_connection_ends_it() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        receiver.behaviour = lambda _: Answer(OK.data, pieces=[OK.data], delay=0.05)
        await post(pool, posts, 1)
        async with asyncio.timeout(30):
            while pool.open:
                await asyncio.sleep(0.01)
        receiver.behaviour = lambda _: status(202)
        assert await post(pool, posts, 2) == [(2, 202, "")]


async def test_connection_close_is_obeyed() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        receiver.behaviour = lambda _: Answer(b"HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        for number in range(3):
            assert await post(pool, posts, number) == [(number, 200, "")]
        assert receiver.connections == 3


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (SILENCE, "timeout_answer"),
        (Answer(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n1", delay=0.001), "timeout_body"),
    ],
)
async def test_an_attempt_ends_at_its_deadline_even_after_a_status(answer: Answer, error: str) -> None:
    assert await one(answer, QUICK) == (0, error)


async def test_dripping_does_not_move_the_deadline() -> None:
    assert await one(Answer(b"HTTP/1.1 200 X\r\n", delay=0.1, pieces=[b"a: b\r\n"] * 600), QUICK) == (
        0,
        "timeout_answer",
    )


async def test_an_idle_connection_is_closed_in_time() -> None:
    settings = SenderSettings(connections=4, timeout=60.0, idle=0.1)
    async with Receiver() as receiver, pool_to(receiver.port, settings=settings) as (pool, posts):
        await post(pool, posts, 1)
        async with asyncio.timeout(30):
            while pool.open:
                await asyncio.sleep(0.01)
        assert await post(pool, posts, 2) == [(2, 200, "")]
        assert receiver.connections == 2


async def test_a_connection_closed_between_requests_costs_no_failed_attempt() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        for number in range(10):
            assert await post(pool, posts, number) == [(number, 200, "")]
            receiver.close_connections()  # noticed at once or only when the next request is written


async def test_a_kept_connection_that_ends_instead_of_answering_is_replaced_once() -> None:
    """The other side may have closed it just before the request came: that is no answer to the request."""
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        await post(pool, posts, 1)
        receiver.behaviour = lambda _: DROPPED
        assert await post(pool, posts, 2) == [(2, 0, "connection_lost")]
        assert [delivery.id for delivery in receiver.deliveries] == ["1", "2", "2"]
        assert receiver.connections == 2


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with pool_to(unused.getsockname()[1]) as (pool, posts):
            results = await post(pool, posts, *range(10))
            assert sorted(results) == [(number, 0, "connection_refused") for number in range(10)]


async def test_a_name_that_does_not_exist() -> None:
    async with pool_to(80, host="nobody.invalid") as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 0, "dns_error")]


async def test_a_name_that_cannot_exist() -> None:
    async with pool_to(80, host="a" * 64 + ".example") as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 0, "dns_error")]


async def test_only_vetted_addresses_are_connected_to_in_their_order() -> None:
    asked = []

    async def vet(host: str, port: int) -> Sequence[str]:
        asked.append((host, port))
        return ["127.0.0.2", "127.0.0.1"]  # nobody listens on the first

    async with Receiver() as receiver, pool_to(receiver.port, host="example.invalid", vet=vet) as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 200, "")]
        assert await post(pool, posts, 2) == [(2, 200, "")]
        assert asked == [("example.invalid", receiver.port)], "asked once per connection"


async def test_a_refused_address_is_not_connected_to() -> None:
    async def vet(host: str, port: int) -> Sequence[str]:
        raise AddressRefused(host)

    async with Receiver() as receiver, pool_to(receiver.port, vet=vet) as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 0, "refused_address")]
        assert receiver.connections == 0


async def test_a_resolver_that_fails_is_a_failed_attempt(caplog: pytest.LogCaptureFixture) -> None:
    async def vet(host: str, port: int) -> Sequence[str]:
        raise KeyError(host)

    async with pool_to(1, vet=vet) as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 0, "connection_failed")]
    assert "nobody foresaw" in caplog.text


async def test_a_resolver_that_hangs_ends_at_the_deadline() -> None:
    async def vet(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with pool_to(1, vet=vet, settings=QUICK) as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 0, "timeout_dns")]


async def test_proxies_in_the_environment_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        assert await post(pool, posts, 1) == [(1, 200, "")]


async def test_tls_with_an_authority_that_is_trusted(authority: Authority) -> None:
    async with (
        Receiver(tls=authority.server("localhost")) as receiver,
        pool_to(receiver.port, tls=authority.client()) as (pool, posts),
    ):
        for number in range(5):
            assert await post(pool, posts, number) == [(number, 200, "")]
        assert receiver.connections == 1


async def test_tls_with_an_authority_that_is_not_trusted(authority: Authority) -> None:
    async with (
        Receiver(tls=authority.server("localhost")) as receiver,
        pool_to(receiver.port, tls=ssl.create_default_context()) as (pool, posts),
    ):
        assert await post(pool, posts, 1) == [(1, 0, "tls_error")]
        assert receiver.deliveries == []


async def test_tls_with_another_server_s_certificate(authority: Authority) -> None:
    async with (
        Receiver(tls=authority.server("example.com")) as receiver,
        pool_to(receiver.port, tls=authority.client()) as (pool, posts),
    ):
        assert await post(pool, posts, 1) == [(1, 0, "tls_error")]
        assert receiver.deliveries == []


async def test_tls_to_a_server_that_does_not_speak_it(authority: Authority) -> None:
    async with Receiver() as receiver, pool_to(receiver.port, tls=authority.client()) as (pool, posts):
        ((_, code, error),) = await post(pool, posts, 1)
        assert (code, error) in {(0, "tls_error"), (0, "connection_failed")}


async def test_a_new_target_is_used_from_the_next_request_on() -> None:
    async with Receiver() as old, Receiver() as new, pool_to(old.port) as (pool, posts):
        old.behaviour = lambda _: status(200, delay=0.1)
        posts.ready.append(1)
        pool.wake()
        await old.until(lambda: len(old.deliveries) == 1)
        pool.retarget(Target("localhost", new.port, None))
        await posts.until(1)
        await post(pool, posts, 2, 3)
        assert [delivery.id for delivery in old.deliveries] == ["1"]
        assert sorted(delivery.id for delivery in new.deliveries) == ["2", "3"]


async def test_stopping_lets_attempts_under_way_end() -> None:
    async with Receiver() as receiver, pool_to(receiver.port) as (pool, posts):
        receiver.behaviour = lambda _: status(200, delay=0.1)
        posts.ready.extend(range(4))
        pool.wake()
        await receiver.until(lambda: len(receiver.deliveries) == 4)
        posts.ready.extend(range(4, 10))  # not before: who was answered already would have taken one
        await pool.stop(60.0)
        assert sorted(posts.results) == [(number, 200, "") for number in range(4)]
        assert len(posts.ready) == 6


async def test_stopping_cuts_off_what_takes_too_long() -> None:
    async def vet(host: str, port: int) -> Sequence[str]:
        if posts.results:
            await asyncio.Event().wait()
        return ["127.0.0.1"]

    settings = SenderSettings(connections=4, timeout=60.0)
    async with Receiver() as receiver, pool_to(receiver.port, vet=vet, settings=settings) as (pool, posts):
        await post(pool, posts, 1)
        receiver.behaviour = lambda _: SILENCE
        posts.ready.extend([2, 3])  # one on the connection there is, the other on one that never gets an address
        pool.wake()
        await receiver.until(lambda: len(receiver.deliveries) == 2)
        await pool.stop(0.05)
        assert sorted(posts.results[1:]) == [(2, 0, "stopped"), (3, 0, "stopped")]
