"""A process that commits is killed at any moment: what it was told is durable is there, and nothing is half there.

Run as a program (`python test_database_killed.py URL NAME`), this file is that process.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys

import asyncpg
import pytest

from callboard.database import Database, Row, Unit, open_database
from callboard.testing.units import event, session

WORKERS = 24
STREAMS = 5
ROUNDS = 8


@pytest.mark.faults
@pytest.mark.timeout(300)
async def test_what_was_acknowledged_survives_and_nothing_is_half_written(database_url: str) -> None:
    acknowledged: set[str] = set()
    moments = random.Random()
    for number in range(ROUNDS):
        acknowledged |= await run_and_kill(database_url, f"round{number}", after=moments.randint(1, 600))
        if database_url.startswith("postgresql"):
            await left_alone(database_url)
        database = open_database(database_url)
        await database.open()
        await check(database, acknowledged)
        await database.close()
    assert len(acknowledged) >= ROUNDS


async def run_and_kill(url: str, name: str, *, after: int) -> set[str]:
    """Let a child commit until it has acknowledged `after` units, kill it, and return all that it acknowledged."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, url, name, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(60):
            while len(lines) < after:
                lines.append(await child.stdout.readline())
    finally:
        child.send_signal(signal.SIGKILL)
        lines += (await child.stdout.read()).splitlines(keepends=True)
        await child.wait()
    assert child.returncode == -signal.SIGKILL
    # A line without its end was cut off by the kill: what it was going to say is not known.
    return {line.decode().strip() for line in lines if line.endswith(b"\n")}


async def left_alone(url: str) -> None:
    """PostgreSQL ends what a client has sent, also when that one is dead: wait until nobody is connected any more."""
    connection = await asyncpg.connect(url)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    try:
        async with asyncio.timeout(60):
            while await connection.fetchval(others + " AND backend_type = 'client backend'"):
                await asyncio.sleep(0.01)
    finally:
        await connection.close()


async def check(database: Database, acknowledged: set[str]) -> None:
    rows = await database.fetch("events_after", position=0, types="", limit=10_000_000)
    firsts = {str(row[1]).removesuffix("/1") for row in rows if str(row[1]).endswith("/1")}
    seconds = {str(row[1]).removesuffix("/2") for row in rows if str(row[1]).endswith("/2")}
    sessions = {str(row[0]) for row in await database.fetch("open_sessions")}
    assert acknowledged <= firsts
    assert firsts == seconds == sessions  # each unit is there whole, or not at all
    check_numbers(rows)
    heads = {str(row[0]): (row[1], row[2]) for row in await database.fetch("stream_heads", position=0, upto=2**62)}
    for stream, (first, last) in heads.items():
        assert first == 1
        [place] = await database.commit(Unit(events=(event(f"{stream} goes on at {last!r}", stream),)))
        assert isinstance(last, int)
        assert place.seq == last + 1


def check_numbers(rows: list[Row]) -> None:
    """Positions rise, and each stream counts 1, 2, 3, … in their order."""
    positions = [int(str(row[0])) for row in rows]
    assert positions == sorted(set(positions))
    counts: dict[object, int] = {}
    for _, _, stream, seq, *_ in rows:
        counts[stream] = counts.get(stream, 0) + 1
        assert seq == counts[stream]


async def commit_for_ever(url: str, name: str) -> None:
    database = open_database(url)
    await database.open()

    async def work(worker: int) -> None:
        number = 0
        while True:
            number += 1
            unit_id = f"{name}-{worker}-{number}"
            first, second = f"stream{worker % STREAMS}", f"stream{(worker + number) % STREAMS}"
            unit = Unit((session(unit_id),), (event(f"{unit_id}/1", first), event(f"{unit_id}/2", second)))
            await database.commit(unit)
            os.write(1, f"{unit_id}\n".encode())

    await asyncio.gather(*(work(worker) for worker in range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(commit_for_ever(sys.argv[1], sys.argv[2]))
