"""`callboard listen --forward-to`: what is lost with the network, the receiver, the process itself. Nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from callboard.cli import forward, listen
from callboard.cli.forward import Cursor, CursorError
from callboard.cli.rest import Server
from callboard.clock import RandomIds, SystemClock
from callboard.ledger import Recorded
from callboard.testing.facts import joined
from callboard.testing.receiver import OK, Delivery, Receiver, status

SECRET = "whsec_" + "A" * 32


class Wire:
    """A TCP proxy that can be cut and mended: the network between `listen` and the server."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._to)
            self._open |= {writer, back}
            await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
            self._open -= {writer, back}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()


class Listening:
    """`callboard listen --forward-to`, as often as it is started, on one cursor's file."""

    def __init__(self, rest: Any, receiver: Receiver, path: Path) -> None:
        self.rest = rest
        self.receiver = receiver
        self.path = path
        self.wire = Wire(int(rest.url.rpartition(":")[2]))
        self.committed: list[Recorded] = []

    async def commit(self, count: int) -> None:
        ids = RandomIds()
        for number in range(count):
            change = joined(f"room{number % 3}", ids, SystemClock())
            self.committed += await self.rest.deps.ledger.commit(change)

    @asynccontextmanager
    async def running(self, after: int | None = None, attempts: int = 3) -> AsyncIterator[None]:
        server = Server(f"http://127.0.0.1:{self.wire.port}", self.rest.token)
        work = listen._forwarding(server, [], after, self.receiver.url, self.path, SECRET, attempts, insecure=False)
        task = asyncio.create_task(work)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def check(self, most_twice: int = 0) -> None:
        """Everything arrived, in order for each stream, signed."""
        assert {one.id for one in self.receiver.accepted} == {event.id for event in self.committed}
        for seqs in self.receiver.first_seqs().values():
            assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
        assert all(delivery.verified for delivery in self.receiver.deliveries)
        assert len(self.receiver.accepted) - len(self.committed) <= most_twice


@pytest.fixture
async def listening(rest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Listening]:
    monkeypatch.setattr(listen, "AGAIN_SECONDS", 0.05)
    monkeypatch.setattr(listen, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(forward, "WAITS", (0.02, 0.05))
    async with Receiver(secret=SECRET) as receiver:
        listening = Listening(rest, receiver, tmp_path / "cursor.json")
        await listening.wire.mend()
        yield listening
        await listening.wire.cut()


async def test_the_network_to_the_server_is_lost_and_nothing_else(listening: Listening) -> None:
    await listening.commit(5)
    async with listening.running(after=0):
        await listening.receiver.until_accepted(5)
        await listening.wire.cut()
        await listening.commit(20)
        await listening.wire.mend()
        await listening.receiver.until_accepted(25)
    listening.check()


async def test_the_receiver_is_away_for_a_while(listening: Listening) -> None:
    async with listening.running(after=0, attempts=1):
        await listening.commit(4)
        await listening.receiver.until_accepted(4)
        await listening.receiver.stop()
        await listening.commit(10)
        await asyncio.sleep(0.2)
        await listening.receiver.start()
        await listening.receiver.until_accepted(14)
    listening.check()


async def test_a_run_that_was_killed_is_gone_on_with_where_its_file_says(listening: Listening) -> None:
    await listening.commit(30)
    listening.receiver.behaviour = lambda _: status(200, delay=0.01)
    async with listening.running(after=0), asyncio.timeout(60):
        await listening.receiver.until_accepted(7)
        while not listening.path.exists():  # the first one's answer may be the last to be read
            await asyncio.sleep(0.01)
    after = json.loads(listening.path.read_text())["after"]
    assert 0 < after <= 30
    async with listening.running():
        await listening.receiver.until_accepted(30)
        await asyncio.sleep(0.05)
    listening.check(most_twice=30 - after)
    arrived = [delivery.id for delivery in listening.receiver.accepted]
    assert all(arrived.count(event.id) == 1 for event in listening.committed if event.position <= after)


async def test_what_is_forwarded_is_the_delivery_itself(listening: Listening) -> None:
    await listening.commit(1)
    async with listening.running(after=0):
        await listening.receiver.until_accepted(1)
    (delivery,) = listening.receiver.deliveries
    (event,) = listening.committed
    assert (delivery.body, delivery.id, delivery.seq, delivery.stream) == (
        event.body,
        event.id,
        event.seq,
        event.stream,
    )


async def test_an_event_that_is_refused_is_not_sent_again_and_one_that_fails_is_for_a_while(
    listening: Listening, capsys: pytest.CaptureFixture[str]
) -> None:
    await listening.commit(3)
    refused, failing = listening.committed[0].id, listening.committed[1].id

    def behave(delivery: Delivery) -> Any:
        return status(404) if delivery.id == refused else status(500) if delivery.id == failing else OK

    listening.receiver.behaviour = behave
    async with listening.running(after=0, attempts=2):
        await listening.receiver.until_accepted(1)
        await listening.receiver.until(lambda: len(listening.receiver.deliveries) >= 4)
        await listening.commit(1)
        await listening.receiver.until_accepted(2)
    sent = [delivery.id for delivery in listening.receiver.deliveries]
    assert (sent.count(refused), sent.count(failing)) == (1, 2)
    said = capsys.readouterr().out
    assert "-> 404 in" in said
    assert "refused: not sent again" in said
    assert "attempt 2 given up" in said


def test_a_cursor_of_another_server_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cursor.json"
    Cursor(path, "http://one").save(7)
    assert Cursor(path, "http://one").after == 7
    with pytest.raises(CursorError, match="is for http://one, not http://two"):
        Cursor(path, "http://two")
    path.write_text("[]")
    with pytest.raises(CursorError, match="is no cursor"):
        Cursor(path, "http://one")
