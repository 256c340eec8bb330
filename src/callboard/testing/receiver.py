"""A real HTTP server that receives deliveries, remembers them, and misbehaves on request.

Owns: `Receiver`, `Delivery`, `Answer` and a few ready-made answers.

Always holds: every request that arrived whole is in `deliveries`, in the order of arrival, whatever was
answered; `accepted` are those that were answered with 2xx. (Not `caught_up`'s own, which are no deliveries.)
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

import httptools

from callboard.testing.ports import free_port
from callboard.webhooks.signing import InvalidSignature, verify


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request; of a batch, `seq` is that of its first event.

    `connection` counts the receiver's connections; `verified` is None without a secret.
    """

    id: str
    seq: int
    stream: str
    body: bytes
    headers: tuple[tuple[str, str], ...]
    path: str
    at: int
    connection: int
    verified: bool | None

    def header(self, name: str) -> list[str]:
        """The values of this header, in the order of arrival."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True, slots=True)
class Answer:
    """What to write back: `data` after `delay` seconds, then `pieces`, each after another `delay`.

    If `closing`, the connection is ended then; if `abort`, by a reset.
    """

    data: bytes
    delay: float = 0.0
    closing: bool = False
    abort: bool = False
    pieces: Sequence[bytes] = field(default=())

    @property
    def accepts(self) -> bool:
        return self.data[9:10] == b"2"


def status(code: int, body: bytes = b"", *, delay: float = 0.0, headers: bytes = b"") -> Answer:
    """An orderly answer. `headers` are whole lines, each with its CRLF."""
    return Answer(b"HTTP/1.1 %d X\r\n%bcontent-length: %d\r\n\r\n%b" % (code, headers, len(body), body), delay)


OK = status(200)
FAILURE = status(500)
DROPPED = Answer(b"", closing=True, abort=True)
SILENCE = Answer(b"")

_MARKER = "/caught-up"

Behaviour = Callable[[Delivery], Answer]


class Receiver:
    """Listens on loopback: `async with Receiver(secret) as receiver`. `behaviour` may be replaced any time."""

    def __init__(self, secret: str | None = None, tls: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.deliveries: list[Delivery] = []
        self.accepted: list[Delivery] = []
        self.behaviour: Behaviour = lambda _: OK
        self.secret = secret
        self.connections = 0
        self.in_flight: dict[str, int] = {}
        """Per stream, how many requests are waiting for their answer."""
        self.most_in_flight = 0
        self.port = port
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[_Conversation] = set()
        self._none_open = asyncio.Event()
        self._none_open.set()
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Receiver:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://localhost:{self.port}/hook"

    async def start(self) -> None:
        """Listen; on the same port again after `stop`, which nobody can have taken meanwhile."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Conversation(self), "127.0.0.1", self.port or free_port(), ssl=self._tls, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset every connection."""
        assert self._server is not None
        self._server.close()
        self.close_connections()
        await self._server.wait_closed()
        await self._none_open.wait()

    def close_connections(self) -> None:
        """End the connections that are open now, without a word."""
        for conversation in tuple(self._open):
            conversation.abort()

    def opened(self, conversation: _Conversation) -> None:
        """A connection was opened."""
        self._open.add(conversation)
        self._none_open.clear()

    def closed(self, conversation: _Conversation) -> None:
        """A connection has ended."""
        self._open.discard(conversation)
        if not self._open:
            self._none_open.set()

    async def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> None:
        """Return once `holds()`, looked at whenever a delivery arrived.

        Raises `TimeoutError`, saying what has arrived.
        """
        try:
            async with asyncio.timeout(seconds), self._arrived:
                await self._arrived.wait_for(holds)
        except TimeoutError:
            raise TimeoutError(
                f"{len(self.deliveries)} deliveries, {len(self.accepted)} accepted after {seconds} s"
            ) from None

    async def caught_up(self) -> None:
        """Return once everything has arrived that was sent before, be it by a process that is dead by now.

        What it left in a socket is read some time after its end. Connections are accepted in their order, and what can
        be read is read in turns: when a request of our own on a new connection was answered, it was the others' turn.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(f"GET {_MARKER} HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async def until_accepted(self, count: int, seconds: float = 60.0) -> None:
        """Return once `count` different events have been accepted."""
        await self.until(lambda: len({delivery.id for delivery in self.accepted}) >= count, seconds)

    def first_seqs(self) -> dict[str, list[int]]:
        """Per stream, the accepted seqs in the order in which each was accepted for the first time."""
        seqs: dict[str, dict[int, None]] = {}
        for delivery in self.accepted:
            seqs.setdefault(delivery.stream, {})[delivery.seq] = None
        return {stream: list(order) for stream, order in seqs.items()}

    async def received(self, delivery: Delivery, answer: Answer) -> None:
        """Remember a delivery, and wake whoever waits for it."""
        self.deliveries.append(delivery)
        if answer.accepts:
            self.accepted.append(delivery)
        async with self._arrived:
            self._arrived.notify_all()

    def verified(self, headers: dict[str, str], body: bytes) -> bool | None:
        """Whether the signature is right; None without a secret."""
        if self.secret is None:
            return None
        try:
            verify(
                self.secret,
                headers.get("webhook-id", "").encode(),
                headers.get("webhook-timestamp", "").encode(),
                headers.get("webhook-signature", "").encode(),
                body,
                now=int(time.time()),
            )
        except InvalidSignature:
            return False
        return True


class _Conversation(asyncio.Protocol):
    """One connection to the receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._parser = httptools.HttpRequestParser(self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._url = b""
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is not a subclass
        self._receiver.connections += 1
        self._number = self._receiver.connections
        self._receiver.opened(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._receiver.closed(self)
        for task in self._tasks:
            task.cancel()

    def abort(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        headers = {name.lower(): value for name, value in self._headers}
        delivery = Delivery(
            id=headers.get("webhook-id", ""),
            seq=int(headers.get("callboard-seq", "0").partition(",")[0]),
            stream=headers.get("callboard-stream", ""),
            body=self._body,
            headers=tuple(self._headers),
            path=self._url.decode("latin-1"),
            at=time.time_ns(),
            connection=self._number,
            verified=self._receiver.verified(headers, self._body),
        )
        self._url, self._headers, self._body = b"", [], b""
        task = asyncio.get_running_loop().create_task(self._answer(delivery))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, delivery: Delivery) -> None:
        if delivery.path == _MARKER:
            self._transport.write(OK.data)
            return
        receiver, stream = self._receiver, delivery.stream
        answer = receiver.behaviour(delivery)
        receiver.in_flight[stream] = receiver.in_flight.get(stream, 0) + 1
        receiver.most_in_flight = max(receiver.most_in_flight, receiver.in_flight[stream])
        try:
            await receiver.received(delivery, answer)
            if answer.delay:
                await asyncio.sleep(answer.delay)
        finally:
            receiver.in_flight[stream] -= 1
        self._transport.write(answer.data)
        for piece in answer.pieces:
            await asyncio.sleep(answer.delay)
            self._transport.write(piece)
        if answer.abort:
            self._transport.abort()
        elif answer.closing:
            self._transport.close()
