"""The server is killed while keyed requests are at work: whoever repeats one never has its work done twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from callboard.demo.server import ServerProcess

pytestmark = [pytest.mark.faults, pytest.mark.timeout(120)]

ROUNDS = 4
AT_ONCE = 12


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    server = ServerProcess(tmp_path)
    await server.start()
    yield server
    await server.stop()


async def create(http: aiohttp.ClientSession, server: ServerProcess, key: str) -> tuple[int, dict[str, Any]]:
    """Create a room under this key, which is in its description; (0, {}) when no answer came."""
    headers = {"authorization": f"Bearer {server.management_token()}", "idempotency-key": key}
    try:
        async with http.post(f"{server.base_url}/v2/rooms", json={"description": key}, headers=headers) as answer:
            return answer.status, await answer.json()
    except (aiohttp.ClientError, ConnectionError):
        return 0, {}


async def all_rooms(http: aiohttp.ClientSession, server: ServerProcess) -> list[str]:
    """The keys under which rooms were made, one for each room."""
    found: list[str] = []
    headers, start = {"authorization": f"Bearer {server.management_token()}"}, ""
    while True:
        query = f"limit=100&start={start}"
        async with http.get(f"{server.base_url}/v2/rooms?{query}", headers=headers) as answer:
            page = await answer.json()
        found += [room["description"] for room in page["data"] if room["description"]]
        start = page["last"]
        if not start:
            return found


async def test_no_work_is_done_twice_whenever_the_server_is_killed(server: ServerProcess) -> None:
    chance = random.Random(28)
    first: dict[str, tuple[int, dict[str, Any]]] = {}
    seen: set[int] = set()
    async with aiohttp.ClientSession() as http:
        for number in range(ROUNDS):
            keys = [f"round-{number}-{n}" for n in range(AT_ONCE)]
            asking = [asyncio.create_task(create(http, server, key)) for key in keys]
            await asyncio.sleep(chance.uniform(0.0, 0.03))
            await server.kill()
            first |= dict(zip(keys, await asyncio.gather(*asking), strict=True))
            await server.start()
            for key in keys:
                status, room = await create(http, server, key)
                seen.add(status)
                assert status in {200, 409}, room
                if first[key][0] == 200:
                    assert (status, room) == first[key], "what was answered is answered again"
        made = await all_rooms(http, server)
    assert len(made) == len(set(made)), "no key made two rooms"
    assert 200 in seen
