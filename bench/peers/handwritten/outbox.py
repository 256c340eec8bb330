"""A peer: the transactional outbox that a careful team writes by hand, with SQLAlchemy, asyncpg and aiohttp.

`python outbox.py CORE PORT LOG SECRET SECONDS RATE DATABASE BODY [CA]`: RATE 0 is as fast as it goes. Each event is
committed with the change of its session's row in one transaction; a dispatcher in the same process claims up to 100
undelivered ones (`FOR UPDATE SKIP LOCKED`), at once while there are more and every 100 ms else, sends those of one
session in order and sessions at the same time, and marks them delivered with a row for each attempt. It needs nothing
of Callboard. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import os
import resource
import ssl
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import aiohttp
import uvloop
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

SESSIONS = 256
PRODUCERS = 32
CONNECTIONS = 64
BATCH = 100
POLL = 0.1
WARM_UP = 0.5
BEHIND = 512
SCHEMA = """
CREATE TABLE session (id text PRIMARY KEY, seq bigint NOT NULL);
CREATE TABLE outbox (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL UNIQUE,
    session text NOT NULL, seq bigint NOT NULL, body bytea NOT NULL, delivered boolean NOT NULL DEFAULT false);
CREATE INDEX outbox_due ON outbox (position) WHERE NOT delivered;
CREATE TABLE attempt (event text NOT NULL, number int NOT NULL, at double precision NOT NULL, status int NOT NULL,
    seconds double precision NOT NULL, PRIMARY KEY (event, number))
"""
NEXT = text("UPDATE session SET seq = seq + 1 WHERE id = :id RETURNING seq")
INSERT = text("INSERT INTO outbox (id, session, seq, body) VALUES (:id, :session, :seq, :body)")
CLAIM = text(
    "SELECT position, id, session, seq, body FROM outbox WHERE NOT delivered ORDER BY position LIMIT :limit"
    " FOR UPDATE SKIP LOCKED"
)
DONE = text("UPDATE outbox SET delivered = true WHERE position = ANY(:positions)")
LOGGED = text("INSERT INTO attempt (event, number, at, status, seconds) VALUES (:event, 1, :at, :status, :seconds)")


class Outbox:
    """Producers and dispatcher, on one engine."""

    def __init__(self, engine: AsyncEngine, http: aiohttp.ClientSession, url: str, secret: bytes, body: bytes) -> None:
        self.engine, self.http, self.url, self.secret, self.body = engine, http, url, secret, body
        self.lines: list[str] = []
        self.committed = self.delivered = self.failed = 0
        self.going = True

    async def emit(self, session: str) -> None:
        event = str(uuid.uuid4())
        async with self.engine.begin() as connection:
            seq = (await connection.execute(NEXT, {"id": session})).scalar_one()
            await connection.execute(INSERT, {"id": event, "session": session, "seq": seq, "body": self.body})
        self.lines.append(f"{session} {seq} {time.time_ns()}\n")
        self.committed += 1

    async def dispatch(self) -> None:
        while self.going or self.delivered < self.committed:
            if await self.round() < BATCH:
                await asyncio.sleep(POLL)

    async def round(self) -> int:
        async with self.engine.begin() as connection:
            rows = (await connection.execute(CLAIM, {"limit": BATCH})).all()
            if not rows:
                return 0
            lanes: dict[str, list[Any]] = {}
            for row in rows:
                lanes.setdefault(row.session, []).append(row)
            attempts = [each for lane in await asyncio.gather(*map(self.lane, lanes.values())) for each in lane]
            done = {each["event"] for each in attempts if each["status"] == 200}
            await connection.execute(DONE, {"positions": [row.position for row in rows if row.id in done]})
            await connection.execute(LOGGED, attempts)
        self.delivered += len(done)
        return len(rows)

    async def lane(self, rows: list[Any]) -> list[dict[str, Any]]:
        attempts = []
        for row in rows:
            at = time.time()
            stamp = str(int(at)).encode()
            signed = row.id.encode() + b"." + stamp + b"." + row.body
            signature = base64.b64encode(hmac.digest(self.secret, signed, "sha256")).decode()
            headers = {
                "content-type": "application/json",
                "webhook-id": row.id,
                "webhook-timestamp": stamp.decode(),
                "webhook-signature": f"v1,{signature}",
                "callboard-stream": row.session,
                "callboard-seq": str(row.seq),
            }
            async with self.http.post(self.url, data=row.body, headers=headers) as response:
                await response.read()
                status = response.status
            attempts.append({"event": row.id, "at": at, "status": status, "seconds": time.time() - at})
            if status != 200:
                self.failed += 1
                break
        return attempts


def cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def as_fast_as_it_goes(outbox: Outbox, seconds: float) -> dict[str, float]:
    async def produce(number: int) -> None:
        turn = number
        while outbox.going:
            if outbox.committed - outbox.delivered > BEHIND:
                await asyncio.sleep(0.002)
                continue
            turn = (turn + PRODUCERS) % SESSIONS
            await outbox.emit(f"room{turn}")

    producers = [asyncio.create_task(produce(number)) for number in range(PRODUCERS)]
    await asyncio.sleep(WARM_UP)
    began, used, before = time.perf_counter(), cpu(), outbox.delivered
    print("measuring", flush=True)
    await asyncio.sleep(seconds)
    result = {"count": outbox.delivered - before, "wall": time.perf_counter() - began, "cpu": cpu() - used}
    print("measured", flush=True)
    outbox.going = False
    await asyncio.gather(*producers)
    return result


async def at_a_rate(outbox: Outbox, seconds: float, rate: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    began, used, start = time.perf_counter(), cpu(), loop.time()
    print("measuring", flush=True)
    tasks = []
    for number in range(int(rate * seconds)):
        delay = start + number / rate - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(asyncio.create_task(outbox.emit(f"room{number % SESSIONS}")))
    await asyncio.gather(*tasks)
    print("measured", flush=True)
    outbox.going = False
    return {"count": len(tasks), "wall": time.perf_counter() - began, "cpu": cpu() - used}


async def main(
    core: int, port: int, log: str, secret: str, seconds: float, rate: float, url: str, body: str, ca: str
) -> None:
    os.sched_setaffinity(0, {core})
    key = base64.b64decode(secret.removeprefix("whsec_"))
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), pool_size=16, max_overflow=0)
    async with engine.begin() as connection:
        for statement in SCHEMA.split(";"):
            await connection.execute(text(statement))
        for number in range(SESSIONS):
            await connection.execute(text("INSERT INTO session VALUES (:id, 0)"), {"id": f"room{number}"})
    context = ssl.create_default_context(cafile=ca) if ca else False
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=context)
    hook = f"{'https' if ca else 'http'}://localhost:{port}/hook"
    async with aiohttp.ClientSession(connector=connector) as http:
        outbox = Outbox(engine, http, hook, key, Path(body).read_bytes())
        dispatching = asyncio.create_task(outbox.dispatch())
        result = await (at_a_rate(outbox, seconds, rate) if rate else as_fast_as_it_goes(outbox, seconds))
        await asyncio.wait_for(dispatching, 60)
    await engine.dispose()
    Path(log).write_text("".join(outbox.lines))
    print(json.dumps({**result, "failed": outbox.failed}))


if __name__ == "__main__":
    core, port, log, secret, seconds, rate, url, body, *ca = sys.argv[1:]
    uvloop.run(main(int(core), int(port), log, secret, float(seconds), float(rate), url, body, ca[0] if ca else ""))
