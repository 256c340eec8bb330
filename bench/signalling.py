"""What signalling costs, without media: idle peers, joins, and what a join makes the server send as a room grows.

    python -m bench.signalling [peers] [--first-frame]

A server of its own (a child process), and clients that speak the protocol over real WebSockets in this process, with
a role that has no media. They ping every 3 s, as the official client does. What is the server's is read from /proc:
the clients' own cost is not in it. Join latency is from the open WebSocket to the answer of `join`; clients join
`AT_ONCE` at a time, so it holds what they wait for each other and for this process too.

With `--first-frame` also, in Chromium with the official client (tests/browser): milliseconds from `join` to the first
frame of somebody else's video, over 20 joins.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets

from callboard.demo.rest import Rest
from callboard.demo.server import ServerProcess
from callboard.demo.stage import role

PEERS = 1000
AT_ONCE = 8
PING_SECONDS = 3.0
IDLE_SECONDS = 12.0
ROLES = {"audience": role(subscribes=()), "host": role(subscribes=())}
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time of all threads of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Peer:
    """A client. `frames` and `octets` are what it received; `joining` what came until it had its peer list."""

    frames: int = 0
    octets: int = 0
    joining: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    socket: Any = None
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def join(self, server: ServerProcess, room_id: str) -> None:
        token = server.tokens.mint_app_token(room_id, "audience", "bench")
        url = f"ws://127.0.0.1:{server.port}/ws?peer={uuid.uuid4()}&token={token}"
        self.socket = await websockets.connect(url, max_size=2**24, compression=None, ping_interval=None)
        began = time.perf_counter()
        await self._until("on-policy-change")
        await self.socket.send(json.dumps({"id": "join", "method": "join", "params": {"name": "bench"}}))
        answer = await self._until('"id":"join"')
        self.seconds = time.perf_counter() - began
        if '"result"' not in answer:
            raise RuntimeError(f"a join was refused: {answer[:200]}")
        await self._until('"peer-list"')
        self.joining = self.frames, self.octets
        self.tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._ping())]

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.socket.send(json.dumps({"method": "leave", "params": {}}))
        await self.socket.close()

    def _count(self, text: str) -> None:
        self.frames += 1
        self.octets += len(text)

    async def _until(self, wanted: str) -> str:
        async with asyncio.timeout(60):
            while True:
                text = str(await self.socket.recv())
                self._count(text)
                if wanted in text[:200]:
                    return text

    async def _read(self) -> None:
        async for text in self.socket:
            self._count(text)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_SECONDS)
            await self.socket.send('{"id":"p","method":"ping","params":{"timestamp":1},"jsonrpc":"2.0"}')


async def all_join(server: ServerProcess, rooms: list[str], peers: list[Peer]) -> None:
    """All of them, `AT_ONCE` at a time, each into the next of `rooms`."""
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(index: int, peer: Peer) -> None:
        async with turn:
            await peer.join(server, rooms[index % len(rooms)])

    await asyncio.gather(*(one(index, peer) for index, peer in enumerate(peers)))


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[tuple[ServerProcess, Rest, str]]:
    """A server, its REST API, and a template."""
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
        server = ServerProcess(Path(folder))
        await server.start()
        try:
            rest = Rest(server.base_url, server.management_token())
            yield server, rest, await rest.create_template("bench", ROLES)
        finally:
            await server.stop()


async def small_rooms(count: int) -> None:
    """`count` peers in rooms of ten: joins, memory, and what they cost while nothing happens."""
    async with running() as (server, rest, template_id):
        rooms = [await rest.create_room(f"bench-{n}", template_id) for n in range(max(1, count // 10))]
        warm = Peer()
        await warm.join(server, rooms[0])
        await warm.leave()
        memory, cpu, began = resident_bytes(server.pid), cpu_seconds(server.pid), time.perf_counter()
        peers = [Peer() for _ in range(count)]
        await all_join(server, rooms, peers)
        wall, used = time.perf_counter() - began, cpu_seconds(server.pid) - cpu
        grown = resident_bytes(server.pid) - memory
        await asyncio.sleep(2)
        cpu = cpu_seconds(server.pid)
        await asyncio.sleep(IDLE_SECONDS)
        idle = (cpu_seconds(server.pid) - cpu) / IDLE_SECONDS
        received = sum(peer.frames for peer in peers)
        await asyncio.gather(*(peer.leave() for peer in peers))
    latency = sorted(peer.seconds for peer in peers)
    print(f"{count} peers in rooms of 10, {AT_ONCE} joining at a time ({count / wall:.0f} joins/s)")
    print(f"  join: p50 {statistics.median(latency) * 1e3:.1f} ms, p99 {latency[int(count * 0.99) - 1] * 1e3:.1f} ms")
    print(
        f"  server CPU: {used / count * 1e3:.2f} ms a join; idle: {idle / count * 1000 * 100:.1f} % of a core per 1000"
    )
    print(f"  memory: {grown / count / 1024:.1f} KiB a peer; messages: {received / count:.1f} per join, to everybody")


async def one_room(count: int, *, large: bool) -> None:
    """One room that grows to `count` peers: what the last joins of each stage cost."""
    stages = [n for n in (50, 100, 200, 500, 1000) if n < count] + [count]
    print(f"one room, {'large_room' if large else 'ordinary'}:")
    async with running() as (server, rest, template_id):
        body = {"name": "bench", "template_id": template_id, "large_room": large}
        room = str((await rest.post("/v2/rooms", body))["id"])
        peers: list[Peer] = []
        for stage in stages:
            await more(server, room, peers, stage - len(peers) - 10)
            await asyncio.sleep(1.5)  # counts that are told after a pause are told
            before, cpu = sum(peer.frames for peer in peers), cpu_seconds(server.pid)
            last = [Peer() for _ in range(10)]
            for peer in last:
                await peer.join(server, room)
            await asyncio.sleep(1.5)
            used = (cpu_seconds(server.pid) - cpu) / 10
            others = (sum(peer.frames for peer in peers) - before) / 10
            mine = statistics.median(peer.joining[0] for peer in last)
            octets = statistics.median(peer.joining[1] for peer in last)
            milliseconds = statistics.median(peer.seconds for peer in last) * 1e3
            print(
                f"  {stage:5} in: the joiner gets {mine:.0f} messages, {octets / 1024:.1f} KiB, {milliseconds:.1f} ms;"
                f" all others {others:.0f} messages together; server CPU {used * 1e3:.1f} ms a join"
            )
            peers += last
        await asyncio.gather(*(peer.leave() for peer in peers))


async def more(server: ServerProcess, room: str, peers: list[Peer], count: int) -> None:
    added = [Peer() for _ in range(count)]
    await all_join(server, [room], added)
    peers += added


async def first_frame(joins: int = 20) -> None:
    """In Chromium: from `join` to the first frame of the other's video."""
    from tests.browser import conftest  # noqa: PLC0415 - it needs what only tests need

    conftest.bundle_once()
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
        async with (
            conftest.started_browser() as browser,
            conftest.started_backend(Path(folder)) as backend,
            conftest.opened_house(backend, endpoint=False) as house,
        ):
            ann = await browser.open("Ann")
            await ann.join(house, "host")
            measured = []
            for number in range(joins + 1):
                ben = await browser.open(f"Ben {number}")
                token = house.mint("viewer", ben.name)
                measured.append(await ben.call("firstFrame", server=house.url, token=token, name=ben.name))
                await ben.close()
    frames = sorted(one["frame"] / 1e3 for one in measured[1:])
    joined = statistics.median(one["joined"] / 1e3 for one in measured[1:])
    print(f"Chromium, the official client, {joins} joins as a viewer: `join` resolved after {joined:.2f} s (p50)")
    print(
        f"  first remote frame: p50 {statistics.median(frames):.2f} s, slowest {frames[-1]:.2f} s (goal p50 <= 0.5 s)"
    )


async def run(count: int, *, browser: bool) -> None:
    await small_rooms(count)
    await one_room(count, large=False)
    await one_room(count, large=True)
    if browser:
        await first_frame()


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:] if argument.isdigit()]
    asyncio.run(run(numbers[0] if numbers else PEERS, browser="--first-frame" in sys.argv))
