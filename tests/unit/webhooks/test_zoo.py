"""The zoo: servers that no HTTP library would build, over raw sockets. Each costs one attempt and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from callboard.testing.certificates import Authority
from callboard.webhooks.connection import BODY_BYTES, Connection
from callboard.webhooks.failures import Failure
from callboard.webhooks.reach import Target
from callboard.webhooks.sender import Pool, SenderSettings

PATIENT = SenderSettings(connections=2, timeout=60.0, idle=60.0)
QUICK = SenderSettings(connections=2, timeout=0.75, idle=60.0)
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\naccept-encoding: identity\r\ncontent-length: 0\r\n\r\n"

Animal = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Visitor:
    """Sends one request after the other, and keeps what each came to."""

    def __init__(self) -> None:
        self.left = 0
        self.came_to: deque[tuple[int, str, bytes]] = deque()
        self.ended = asyncio.Event()

    def take(self) -> int | None:
        if not self.left:
            return None
        self.left -= 1
        return self.left

    def render(self, work: int) -> bytes:
        return REQUEST

    def finished(self, work: int, status: int, error: Failure | None, wire: Connection[int]) -> None:
        self.came_to.append((status, error or "", wire.body))
        self.ended.set()


@asynccontextmanager
async def cage(animal: Animal, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that is this animal; its port."""
    inside: set[asyncio.Task[None]] = set()

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        inside.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await animal(reader, writer)
        except asyncio.CancelledError:
            pass  # the visit is over
        finally:
            inside.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(inside):
            task.cancel()
        await asyncio.gather(*inside, return_exceptions=True)
        await server.wait_closed()


async def visit(
    port: int, tls: ssl.SSLContext | None = None, times: int = 1, settings: SenderSettings = PATIENT
) -> list[tuple[int, str, bytes]]:
    visitor = Visitor()
    pool: Pool[int] = Pool(Target("localhost", port, tls), visitor, settings, _loopback)
    async with asyncio.timeout(90):
        for number in range(times):
            visitor.left = 1
            visitor.ended.clear()
            pool.wake()
            while len(visitor.came_to) <= number:
                await visitor.ended.wait()
                visitor.ended.clear()
        await pool.stop(1.0)
    return list(visitor.came_to)


async def _loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def one(animal: Animal, settings: SenderSettings = PATIENT) -> tuple[int, str]:
    async with cage(animal) as port:
        ((status, error, _),) = await visit(port, settings=settings)
        return status, error


async def request(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


def saying(*pieces: bytes, pause: float = 0.0, end: bool = False) -> Animal:
    """Says the pieces, with pauses, and then nothing; or ends."""

    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        if not end:
            await asyncio.Event().wait()

    return animal


def endless(first: bytes, again: bytes) -> Animal:
    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()

    return animal


async def test_a_port_that_never_accepts() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        others = [socket.socket() for _ in range(4)]
        try:
            for other in others:  # fill its queue: what comes after is not answered
                other.setblocking(False)
                other.connect_ex(("127.0.0.1", port))
            assert await visit(port, settings=QUICK) == [(0, "timeout_connect", b"")]
        finally:
            for other in others:
                other.close()


async def test_a_port_where_nobody_is() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert await visit(probe.getsockname()[1]) == [(0, "connection_refused", b"")]


async def test_accepts_and_hangs() -> None:
    assert await one(saying(), QUICK) == (0, "timeout_answer")


@pytest.mark.parametrize(
    ("head", "drop", "error"),
    [
        (b"HTTP/1.1 200 X\r\n", b"a", "timeout_answer"),
        (b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n", b"a", "timeout_body"),
        (b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n", "timeout_body"),
        (b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n", "timeout_body"),
        (b"", b"HTTP/1.1 100 X\r\n\r\n", "bad_response"),
    ],
)
async def test_drips_a_little_at_a_time(head: bytes, drop: bytes, error: str) -> None:
    settings = QUICK if error.startswith("timeout") else PATIENT
    assert await one(saying(head, *[drop] * 100, pause=0.05), settings) == (0, error)


@pytest.mark.parametrize(
    ("first", "again", "status", "error"),
    [
        (b"HTTP/1.1 200 X\r\n", b"a: b\r\n" * 100, 0, "too_large"),
        (b"HTTP/1.1 200 X\r\na: ", b"b" * 1000, 0, "too_large"),
        (b"HTTP/1.1 200 ", b"x" * 1000, 0, "too_large"),
        (b"", b"HTTP/1.1 103 X\r\na: b\r\n\r\n", 0, "bad_response"),
        (b"HTTP/1.1 200 X\r\ncontent-length: 10737418240\r\n\r\n", b"x" * 65536, 200, ""),
        (b"HTTP/1.1 500 X\r\n\r\n", b"x" * 65536, 500, ""),
        (b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 1000, 200, ""),
        (b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n1;", b"x" * 1000, 200, ""),
        (b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n" * 100, 200, ""),
    ],
)
async def test_never_comes_to_an_end(first: bytes, again: bytes, status: int, error: str) -> None:
    assert await one(endless(first, again)) == (status, error)


async def test_a_compressed_bomb_is_bytes_like_any_others() -> None:
    bomb = gzip.compress(bytes(10_000_000))
    head = b"HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    async with cage(saying(head + bomb)) as port:
        ((status, error, body),) = await visit(port)
    assert (status, error) == (200, "")
    assert bomb.startswith(body)


@pytest.mark.parametrize(
    "framing",
    [
        b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\nx\r\n",
        b"transfer-encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n0\r\n\r\n",
        b"content-length: 99999999999999999999999\r\n\r\n",
        b"content-length: 1, 2\r\n\r\nx",
        b"a\x00b: c\r\n\r\n",
    ],
)
async def test_frames_its_body_badly(framing: bytes) -> None:
    assert await one(saying(b"HTTP/1.1 200 X\r\n" + framing)) == (0, "bad_response")


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 X\r\n", b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n1"])
async def test_resets_the_connection(said: bytes) -> None:
    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(0.1)
        bare: socket.socket = writer.get_extra_info("socket")
        bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    assert await one(animal) == (0, "connection_reset")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(status: int) -> None:
    met: list[int] = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        met.append(status)

    async with cage(elsewhere) as other:
        location = b"HTTP/1.1 %d X\r\nlocation: http://127.0.0.1:%d/\r\ncontent-length: 0\r\n\r\n" % (status, other)
        assert await one(saying(location)) == (status, "")
    assert met == []


async def test_closes_before_its_answer_on_a_connection_that_served() -> None:
    """The second request comes to nothing on the old connection, and is made at once on another."""

    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n")
        await request(reader)

    async with cage(animal) as port:
        assert [(status, error) for status, error, _ in await visit(port, times=3)] == [(200, "")] * 3


async def test_lines_that_end_with_a_line_feed_only() -> None:
    said = b"HTTP/1.1 103 X\n\nHTTP/1.1 200 X\n\nbody"
    assert (await one(saying(said, end=True)))[1] in {"", "bad_response"}


async def test_speaks_before_it_is_spoken_to() -> None:
    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        await asyncio.Event().wait()

    # What it says may come before the connection is ours, or after the request was written.
    assert await one(animal) in {(0, "bad_response"), (0, "connection_lost")}


async def test_answers_more_than_it_was_asked() -> None:
    answer = b"HTTP/1.1 200 X\r\ncontent-length: 0\r\n\r\n"
    async with cage(saying(answer + answer)) as port:
        assert [(status, error) for status, error, _ in await visit(port, times=2)] == [(200, "")] * 2


async def test_takes_in_no_more_of_a_body_than_is_allowed() -> None:
    written = 0

    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await request(reader)
        writer.write(b"HTTP/1.1 200 X\r\ncontent-length: 1000000000\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
            written += 65536

    assert await one(animal) == (200, "")
    assert written < 300 * BODY_BYTES, "what the sockets' buffers hold, and no more"


async def test_tls_that_hangs_in_the_handshake(authority: Authority) -> None:
    async def animal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with cage(animal) as port:
        assert await visit(port, authority.client(), settings=QUICK) == [(0, "timeout_tls", b"")]


@pytest.mark.parametrize("name", ["example.com", "localhost.example.com"])
async def test_tls_of_somebody_else(authority: Authority, name: str) -> None:
    async with cage(saying(b"HTTP/1.1 200 X\r\n\r\n"), authority.server(name)) as port:
        assert await visit(port, authority.client()) == [(0, "tls_error", b"")]


async def test_tls_that_is_too_old(authority: Authority) -> None:
    old = authority.server("localhost")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with cage(saying(b"HTTP/1.1 200 X\r\n\r\n"), old) as port:
        assert await visit(port, authority.client()) == [(0, "tls_error", b"")]
