"""Deliveries across SIGKILL: nothing lost, nothing out of order, few things twice."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from callboard.clock import SystemClock
from callboard.database import open_database
from callboard.ledger import Ledger, Recorded
from callboard.testing.delivering import CONNECTIONS
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, Receiver
from callboard.webhooks.journal import MOST_HELD

pytestmark = pytest.mark.faults

STREAMS = 12


@dataclass
class Child:
    """A process that commits and delivers. `durable` are the ids of which it said so."""

    process: asyncio.subprocess.Process
    receiver: Receiver
    durable: list[str] = field(default_factory=list)

    async def listen(self) -> None:
        """Take in what it says until it ends."""
        assert self.process.stdout is not None
        while line := (await self.process.stdout.readline()).decode():
            kind, _, value = line.rstrip("\n").partition(" ")
            if kind == "secret":
                self.receiver.secret = value
            elif line.endswith("\n"):
                self.durable.append(value)


@asynccontextmanager
async def child(folder: Path, receiver: Receiver, seed: int, die: int = 0) -> AsyncIterator[Child]:
    """Run the process; on leaving, wait until it has ended."""
    url = f"sqlite:///{folder / 'callboard.db'}"
    arguments = [url, receiver.url, str(STREAMS), str(seed), *([str(die)] if die else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "callboard.testing.delivering", *arguments, stdout=asyncio.subprocess.PIPE
    )
    running = Child(process, receiver)
    listening = asyncio.create_task(running.listen())
    try:
        yield running
        async with asyncio.timeout(60):
            await process.wait()
            await listening
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def ledger_of(folder: Path) -> list[Recorded]:
    """Everything that was committed."""
    database = open_database(f"sqlite:///{folder / 'callboard.db'}")
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    events = await ledger.read(0, 1_000_000)
    await database.close()
    return events


def often(source: random.Random) -> Answer:
    """Every hundredth is refused, and some are answered late."""
    chance = source.random()
    return FAILURE if chance < 0.01 else Answer(OK.data, delay=0.003) if chance < 0.2 else OK


def check(receiver: Receiver, events: list[Recorded], durable: list[str], kills: int) -> None:
    committed = {event.id: event for event in events}
    assert set(durable) <= set(committed), "a commit that had returned is gone"
    accepted: dict[str, Delivery] = {}
    for delivery in receiver.accepted:
        accepted.setdefault(delivery.id, delivery)
    assert set(accepted) == set(committed), "lost, or sent without having been committed"
    for delivery in receiver.deliveries:
        event = committed[delivery.id]
        assert (delivery.stream, delivery.seq, delivery.body) == (event.stream, event.seq, event.body)
        assert delivery.verified
    for stream, seqs in receiver.first_seqs().items():
        assert seqs == list(range(1, len(seqs) + 1)), f"stream {stream} is out of order"
    assert receiver.most_in_flight <= 1 + kills, "two of one stream at a time"  # one may still be answered to the dead
    duplicates = len(receiver.accepted) - len(accepted)
    assert duplicates <= kills * (CONNECTIONS + MOST_HELD)


async def test_killed_at_random_nothing_is_lost_or_out_of_order(tmp_path: Path) -> None:
    kills, source = 4, random.Random(11)
    durable: list[str] = []
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: often(source)
        for number in range(kills):
            before = len(receiver.accepted)
            async with child(tmp_path, receiver, seed=number) as running:
                more = before + source.randrange(50, 400)
                await receiver.until(lambda more=more: len(receiver.accepted) >= more, seconds=60)  # type: ignore[misc]
                running.process.send_signal(signal.SIGKILL)
            assert running.process.returncode == -signal.SIGKILL
            durable += running.durable
        async with child(tmp_path, receiver, seed=99) as running:
            await receiver.until(lambda: len(running.durable) > 100, seconds=60)
            running.process.send_signal(signal.SIGTERM)
        assert running.process.returncode == 0
        durable += running.durable
        check(receiver, await ledger_of(tmp_path), durable, kills)


async def test_killed_between_commit_and_delivery(tmp_path: Path) -> None:
    """The last events are durable, and nobody was told, not even whoever awaited the commit."""
    async with Receiver() as receiver:
        for number in range(3):
            async with child(tmp_path, receiver, seed=number, die=1 if number == 0 else 100):
                pass
        untold = {event.id for event in await ledger_of(tmp_path)} - {d.id for d in receiver.deliveries}
        assert untold
        async with child(tmp_path, receiver, seed=9) as running:
            await receiver.until(lambda: len(running.durable) > 20, seconds=60)
            running.process.send_signal(signal.SIGTERM)
        events = await ledger_of(tmp_path)
        check(receiver, events, running.durable, kills=3)
        assert untold <= {delivery.id for delivery in receiver.accepted}


async def test_killed_while_the_receiver_is_down(tmp_path: Path) -> None:
    """A backlog outlives the process that made it."""
    async with Receiver() as receiver:
        async with child(tmp_path, receiver, seed=1) as running:
            await receiver.until(lambda: len(receiver.accepted) > 20, seconds=60)
            await receiver.stop()
            durable = len(running.durable)
            async with asyncio.timeout(60):
                while len(running.durable) < durable + 500:
                    await asyncio.sleep(0.01)
            running.process.send_signal(signal.SIGKILL)
        await receiver.start()
        async with child(tmp_path, receiver, seed=2) as last:
            await receiver.until(lambda: len(last.durable) > 20, seconds=60)
            last.process.send_signal(signal.SIGTERM)
        events = await ledger_of(tmp_path)
        assert events[-1].committed_at <= SystemClock().now()
        check(receiver, events, running.durable + last.durable, kills=1)
