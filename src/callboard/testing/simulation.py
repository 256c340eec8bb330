"""Days of deliveries in milliseconds: a loop whose time is made up, a database whose power can be cut, and an endpoint
that answers as it is told, in place of the sender.

Owns: `VirtualLoop`, `Mains`, `World`, `Server`, `Wires`.

Always holds: made-up time stands still while the database (a real one) works, and jumps to the next timer when nothing
else is to be done. What was submitted and not durable when the power was cut never gets durable. `Server` remembers
every request that reached it, also those of which the answer reached nobody.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

from callboard.clock import NANOSECONDS
from callboard.database import Appended, Database, Row, Unit, Value
from callboard.webhooks.connection import Opening
from callboard.webhooks.failures import Failure
from callboard.webhooks.reach import Target
from callboard.webhooks.sender import SenderSettings, Source

PATIENCE = 30.0
"""Real seconds to wait for the database before made-up time goes on all the same."""


class _Selector(selectors.DefaultSelector):
    """Where a loop waits."""

    world: World

    def select(self, timeout: float | None = None) -> Any:
        if timeout is not None and timeout <= 0:
            return super().select(0)
        ready = super().select(PATIENCE if self.world.busy else 0)
        if not ready and timeout is not None:
            self.world.elapsed += timeout
        elif not ready and not self.world.busy:
            raise RuntimeError("nothing will ever happen")
        return ready


class World:
    """Time. `elapsed` seconds have passed since the beginning; the wall clock is `off` by so many."""

    BEGINNING = 1_800_000_000

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.off = 0.0
        self.busy = 0
        """Operations of the database that have not ended."""

    def now(self) -> int:
        """The wall clock (`clock.Clock`)."""
        return int((self.BEGINNING + self.elapsed + self.off) * NANOSECONDS)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in a `World`."""

    def __init__(self, world: World) -> None:
        self._world = world
        selector = _Selector()
        selector.world = world
        super().__init__(selector)

    def time(self) -> float:
        return self._world.elapsed


class Mains:
    """A `Database` behind a plug. Everything but what is written here is the database's own."""

    def __init__(self, database: Database, world: World) -> None:
        self._database = database
        self._world = world
        self.cut = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def commit(self, unit: Unit, done: Callable[[Sequence[Appended]], None] | None = None) -> Sequence[Appended]:
        """As `Database.commit`; without power it never returns."""
        if self.cut:
            await asyncio.get_running_loop().create_future()
        self._world.busy += 1
        try:
            return await self._database.commit(unit, None if done is None else self._alive(done))
        finally:
            self._world.busy -= 1

    def submit(self, unit: Unit, done: Callable[[Sequence[Appended]], None] | None = None, *more: Any) -> None:
        """As `Database.submit`; without power nothing happens."""
        if self.cut:
            return
        self._world.busy += 1

        def durable(places: Sequence[Appended]) -> None:
            self._world.busy -= 1
            if done is not None and not self.cut:
                done(places)

        self._database.submit(unit, durable, *more)

    async def fetch(self, query: str, /, **parameters: Value) -> list[Row]:
        """As `Database.fetch`; without power it never returns."""
        if self.cut:
            await asyncio.get_running_loop().create_future()
        self._world.busy += 1
        try:
            return await self._database.fetch(query, **parameters)
        finally:
            self._world.busy -= 1

    def _alive(self, done: Callable[[Sequence[Appended]], None]) -> Callable[[Sequence[Appended]], None]:
        return lambda places: None if self.cut else done(places)


@dataclass(frozen=True, slots=True)
class Request:
    """One that reached the server, in the `life`th process; of a batch, one for each of its events."""

    id: str
    stream: str
    seq: int
    gap: tuple[int, ...]
    at: float
    life: int
    accepted: bool
    replay: bool


@dataclass
class Server:
    """What is at the other end. `mood` is ok, broken (500), down, silent, slow, throttled (429 with Retry-After 60) or
    refusing (400, to the ids in `poison` always).
    """

    world: World
    mood: str = "ok"
    life: int = 0
    poison: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    verify: Callable[[dict[str, str], bytes], None] = lambda _headers, _body: None
    batches: dict[str, bytes] = field(default_factory=dict)
    flying: dict[str, int] = field(default_factory=dict)
    """By stream, how many requests of this life have no answer yet; "" for those of replays."""

    def answer(self, request: bytes) -> tuple[float, int, bytes, Failure | None]:
        """Seconds, status, head of the answer, failure."""
        if self.mood == "down":
            return 0.001, 0, b"", Failure.CONNECTION_REFUSED
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        self.verify(headers, body)
        status = {"broken": 500, "throttled": 429, "refusing": 400}.get(self.mood, 200)
        stream, seqs = headers["callboard-stream"], [int(seq) for seq in headers["callboard-seq"].split(",")]
        ids = [headers["webhook-id"]]
        if "callboard-batch" in headers:
            assert self.batches.setdefault(ids[0], body) == body, "another batch by the same name"
            ids = [event["id"] for event in json.loads(body)["batch"]]
            assert len(ids) == int(headers["callboard-batch"]) > 1
        if self.poison.intersection(ids):
            status = 422
        gap = tuple(int(seq) for seq in headers.get("callboard-gap", "").split(",") if seq)
        accepted = 200 <= status < 300 and self.mood != "silent"
        replay = "callboard-replay" in headers
        self.requests += [
            Request(id_, stream, seq, gap, self.world.elapsed, self.life, accepted, replay)
            for id_, seq in zip(ids, seqs, strict=True)
        ]
        if self.mood == "silent":
            return 15.0, 0, b"", Failure.TIMEOUT_ANSWER
        more = b"Retry-After: 60\r\n" if status == 429 else b""
        return 3.0 if self.mood == "slow" else 0.01, status, b"HTTP/1.1 %d X\r\n%b" % (status, more), None


class Wires:
    """In place of `sender.Pool`: every request goes to `server` and is answered after a while."""

    server: Server
    living: ClassVar[list[Wires]] = []

    def __init__(self, target: Target, source: Source[Any], settings: SenderSettings, _resolve: object = None) -> None:
        self.server = SERVERS[target.host]
        self._source = source
        self._most = settings.connections
        self._stopping = False
        self._flying: dict[Any, asyncio.TimerHandle] = {}
        self._lanes: dict[Any, str] = {}
        self.living.append(self)

    @property
    def open(self) -> int:
        return len(self._flying)

    @property
    def busy(self) -> int:
        return len(self._flying)

    def wake(self) -> None:
        """As `Pool.wake`."""
        while not self._stopping and len(self._flying) < self._most:
            work = self._source.take()
            if work is None:
                return
            request = self._source.render(work)
            seconds, status, head, failure = self.server.answer(request)
            lane = "" if b"\ncallboard-replay:" in request else work.stream
            self._lanes[work] = lane
            self.server.flying[lane] = self.server.flying.get(lane, 0) + 1
            loop = asyncio.get_running_loop()
            self._flying[work] = loop.call_later(seconds, self._end, work, status, head, failure)

    def retarget(self, target: Target, *_: object) -> None:
        """As `Pool.retarget`."""
        self.server = SERVERS[target.host]

    def limit(self, timeout: float) -> None:
        """As `Pool.limit`; here moods say how long things take."""

    async def stop(self, grace: float) -> None:
        """As `Pool.stop`."""
        self._stopping = True
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._flying:  # noqa: ASYNC110 - made-up time
                    await asyncio.sleep(0.01)
        for work, timer in list(self._flying.items()):
            timer.cancel()
            self._end(work, 0, b"", Failure.STOPPED)

    @classmethod
    def cut(cls) -> None:
        """The process is gone: nothing that is under way ends, on whichever wires."""
        for wires in cls.living:
            wires._stopping = True
            for timer in wires._flying.values():
                timer.cancel()
            wires._flying.clear()
        cls.living.clear()

    def _end(self, work: Any, status: int, head: bytes, failure: Failure | None) -> None:
        del self._flying[work]
        self.server.flying[self._lanes.pop(work)] -= 1
        wire = SimpleNamespace(opening=Opening(), remote="", first_byte=0.0, body=b"", head=head, status=status)
        self._source.finished(work, status, failure, wire)  # type: ignore[arg-type]
        self.wake()


SERVERS: dict[str, Server] = {}
"""By host name."""
