"""One WebSocket of one client: frames in, one after the other; frames out, through a bounded queue.

Owns: `Socket`. It knows nothing of rooms.

Always holds: frames are handled in the order in which they came; `ping` is answered at once, whatever else is being
handled. What waits to be sent is bounded: a client that does not read is cut off (close code 1013), nobody waits.
A client that says more than its rates allow is read more slowly, so nothing of it is lost; its calls beyond theirs are
answered 429 at once, which the SDK takes for "again, later" (signal.md §3.1).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from callboard.signaling import frames
from callboard.signaling.frames import Frame, SignalError
from callboard.signaling.rates import Bucket, Rate

log = logging.getLogger("callboard.signaling")

SILENCE_SECONDS: Final = 90.0
"""The SDK pings every 3 s, a hidden tab at least once a minute (signal.md §2.3): after this the socket is dead."""
SEND_SECONDS: Final = 15.0
MESSAGES: Final = Rate(100.0, 400)
CALLS: Final = Rate(25.0, 150)
WORK_OFF_SECONDS: Final = 30.0


class Transport(Protocol):
    """What a socket needs of the web framework."""

    async def receive_text(self) -> str:
        """The next text frame. Raises `SocketClosed`, and `SignalError` for a frame that is not text."""
        ...

    async def send_text(self, text: str) -> None:
        """Send one frame. Raises `SocketClosed`."""
        ...

    async def close(self, code: int, reason: str) -> None: ...


class SocketClosed(Exception):  # noqa: N818 - it is what happened, not a fault
    """The other side is gone."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with (a `SignalError`: the error), and what happens right after it was queued."""

    result: object = None
    afterwards: Callable[[], None] | None = None


Handler = Callable[["Socket", Frame], Awaitable[Answer]]
"""Raises nothing but `SignalError`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a client's frame may be (an SDP offer with many sections has some 30,000 characters), how many of its
    frames may wait to be handled (more are not read), and how many of ours to be read (more: it is cut off).

    `messages` is how fast its frames of any kind are read, `calls` how many of them may be calls (`ping` aside).
    """

    frame: int = 262_144
    inbox: int = 256
    outbox: int = 2048
    messages: Rate = MESSAGES
    calls: Rate = CALLS


class Counters:
    """What all sockets of this process have seen."""

    def __init__(self) -> None:
        self.frames = 0
        self.bad_frames = 0
        self.unknown_methods = 0
        self.failed_calls = 0
        self.cut_off = 0
        self.slowed = 0
        self.refused_calls = 0


class Socket:
    """A connection of a client, from its upgrade to its close."""

    def __init__(self, transport: Transport, handler: Handler, counters: Counters, limits: Limits) -> None:
        self._transport = transport
        self._handler = handler
        self._counters = counters
        self._limits = limits
        self._inbox: asyncio.Queue[Frame | None] = asyncio.Queue(limits.inbox)
        self._outbox: asyncio.Queue[bytes | None] = asyncio.Queue(limits.outbox)
        self._close = (1000, "")
        self._finished = asyncio.Event()
        now = asyncio.get_running_loop().time()
        self._messages, self._calls = Bucket(limits.messages, now), Bucket(limits.calls, now)
        self.ready = False
        """Whether this client has had its peer list, and so may be told of changes to it."""

    @property
    def open(self) -> bool:
        return not self._finished.is_set()

    def send(self, frame: bytes) -> None:
        """Queue a frame. A client that has not read so many of them is cut off."""
        if not self.open:
            return
        if self._outbox.full():
            self._counters.cut_off += 1
            self.close(1013, "too many frames are waiting to be read")
            return
        self._outbox.put_nowait(frame)

    def notify(self, method: str, params: object) -> None:
        """Tell the client something."""
        self.send(frames.notification(method, params))

    def close(self, code: int, reason: str) -> None:
        """Close once what is queued has been sent. Idempotent."""
        self._close = (code, reason)
        if self._outbox.full():
            self._finished.set()
        elif self.open:
            self._outbox.put_nowait(None)

    async def run(self) -> None:
        """Serve the socket until either side closes it. What was received before is still handled: a client that says
        `leave` and hangs up has left."""
        reader, writer, worker = (asyncio.ensure_future(p()) for p in (self._read, self._write, self._work))
        finished = asyncio.ensure_future(self._finished.wait())
        try:
            await asyncio.wait([reader, writer, worker, finished], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._finished.set()
            for task in (reader, writer, finished):
                task.cancel()
            await _ended(reader, writer, finished)
            await self._work_off(worker)
            await self._transport.close(*self._close)

    async def _work_off(self, worker: asyncio.Future[None]) -> None:
        try:
            async with asyncio.timeout(WORK_OFF_SECONDS):
                await self._inbox.put(None)
                await worker
        except TimeoutError:
            log.exception("what a closed socket had sent could not be handled in %s s", WORK_OFF_SECONDS)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._in_turn(loop)
            try:
                async with asyncio.timeout(SILENCE_SECONDS):
                    text = await self._transport.receive_text()
                frame = frames.read(text, self._limits.frame)
            except SignalError as problem:
                self._counters.bad_frames += 1
                self.notify("on-warning", {"code": problem.code, "message": problem.message})
                continue
            self._counters.frames += 1
            if frame.method == "ping" and frame.id is not None:
                self.send(frames.result(frame.id, _pong(frame)))
            elif frame.id is not None and (wait := self._calls.take(loop.time())):
                self._counters.refused_calls += 1
                self.send(frames.error(frame.id, self._too_many(wait)))
            else:
                await self._inbox.put(frame)

    def _too_many(self, wait: float) -> SignalError:
        rate = self._limits.calls
        allowed = f"{rate.per_second:g} calls a second, {rate.burst} at once"
        return SignalError(429, f"too many calls: a client may make {allowed}; try again in {wait:.1f} s")

    async def _in_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wait until one more frame may be read."""
        wait = self._messages.take(loop.time())
        if wait:
            self._counters.slowed += 1
        while wait:
            await asyncio.sleep(wait)
            wait = self._messages.take(loop.time())

    async def _work(self) -> None:
        while (frame := await self._inbox.get()) is not None:
            try:
                answer = await self._handler(self, frame)
            except SignalError as problem:
                self._counters.failed_calls += 1
                if frame.id is not None:
                    self.send(frames.error(frame.id, problem))
                continue
            if frame.id is not None and isinstance(answer.result, SignalError):
                self.send(frames.error(frame.id, answer.result))
            elif frame.id is not None:
                self.send(frames.result(frame.id, answer.result))
            if answer.afterwards is not None:
                answer.afterwards()

    async def _write(self) -> None:
        while (frame := await self._outbox.get()) is not None:
            async with asyncio.timeout(SEND_SECONDS):
                await self._transport.send_text(frame.decode())


async def _ended(*tasks: asyncio.Future[Any]) -> None:
    """Wait for tasks to end; an error that is not about the other side being gone is ours, and logged."""
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception) and not isinstance(outcome, SocketClosed | TimeoutError):
            log.error("a socket ended by an error of ours", exc_info=outcome)


class _Ping(msgspec.Struct, frozen=True):
    timestamp: float | None = None


def _pong(frame: Frame) -> object:
    """The client's timestamp back, so that it can tell the round trip (signal.md §2.3)."""
    try:
        return {"timestamp": msgspec.json.decode(frame.params, type=_Ping).timestamp}
    except frames.UNREADABLE:
        return {"timestamp": None}
