"""What one bad endpoint among 100 costs the others: `python -m bench.fairness [ROUNDS]`, about a minute and a half.

Every event goes to 100 endpoints. Three times, and each time beside a run in which all 100 are well:

* `hole`: one of them takes connections and never answers. At a steady rate, p99 from commit to receipt at the others.
* `dead`: one of them refuses connections, and 10,000 events wait for it. As fast as it goes, CPU for each delivery to
  the others (on one core that is what they lose; unlike a rate it does not change with what else the machine does).

A run that lost anything, or disordered anything, gives no figure. The figures are ratios within a round, and their
medians.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import httptools
import uvloop

from bench.check import percentile
from bench.cpu import Meter, pin
from bench.load import paced
from callboard.clock import RandomIds, SystemClock
from callboard.database import open_database
from callboard.ledger import Ledger, Recorded
from callboard.testing.facts import joined
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.sender import SenderSettings

ENDPOINTS = 100
BACKLOG = 10_000
RATE = 20.0
"""Events a second, each of them 100 deliveries."""
SECONDS = 5.0
WARM_UP = 0.5
ROOMS = 8
ROUNDS = 3
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
SETTINGS = Settings(sender=SenderSettings(connections=16, timeout=2.0))


# The receiver.


class Conversation(asyncio.Protocol):
    """One connection to the endpoint that its path names; the one at `/hole` is never answered."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.parser = httptools.HttpRequestParser(self)
        self.place: dict[bytes, bytes] = {}
        self.path = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's is not a subclass

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self.path = url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.place[name] = value

    def on_message_complete(self) -> None:
        if self.path == b"/hole":
            return
        place = (self.path, self.place[b"callboard-stream"], self.place[b"callboard-seq"], time.time_ns())
        self.lines.append(b"%b %b %b %d\n" % place)
        self.transport.write(OK)


async def receive(path: Path) -> None:
    """Listen until SIGTERM, then write a line `path stream seq nanoseconds` for each delivery."""
    pin(0)
    lines: list[bytes] = []
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Conversation(lines), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await stopped.wait()
    server.close()
    path.write_bytes(b"".join(lines))


@contextmanager
def receiver(log: Path) -> Iterator[int]:
    """Yields its port; when left, its log is written."""
    command = [sys.executable, "-m", "bench.fairness", "receive", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(timeout=30)


# Callboard.


async def deliver(kind: str, port: int, folder: Path, rate: float) -> None:
    """Commit at `rate` (0: as fast as it is delivered) to 99 good endpoints and one that is as `kind` says.

    Writes a line `stream seq nanoseconds` per event into `sent`; prints seconds of CPU for each delivery to the 99.
    """
    pin(1)
    clock, ids = SystemClock(), RandomIds()
    database = open_database(f"sqlite:///{folder / 'callboard.db'}")
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes)
    await endpoints.load()
    url = {
        "well": f"http://127.0.0.1:{port}/99",
        "hole": f"http://127.0.0.1:{port}/hole",
        "dead": "http://127.0.0.1:9/",
    }
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(), SETTINGS)
    await dispatcher.start()
    odd = await endpoints.create(EndpointRequest(url=url[kind])) if kind == "dead" else None
    if not rate:  # the same database in both cases, and what waits for the dead one
        await asyncio.gather(*(ledger.commit(joined(f"old{n % 100}", ids, clock)) for n in range(BACKLOG)))
        await asyncio.sleep(WARM_UP)
    odd = odd or await endpoints.create(EndpointRequest(url=url[kind]))
    for number in range(ENDPOINTS - 1):
        await endpoints.create(EndpointRequest(url=f"http://127.0.0.1:{port}/{number}"))
    gc.collect()
    gc.freeze()
    lines: list[str] = []

    def committed(events: Sequence[Recorded]) -> None:
        lines.extend(f"{event.stream} {event.seq} {time.time_ns()}\n" for event in events)

    def others(name: str) -> int:
        return sum(getattr(gauges, name) for gauges in dispatcher.gauges() if gauges.endpoint_id != odd.id)

    ledger.subscribe(committed)
    began, before, meter = time.perf_counter(), others("delivered"), Meter()
    number = 0

    async def act() -> None:
        nonlocal number
        number += 1
        await ledger.commit(joined(f"room{number % ROOMS}", ids, clock))

    if rate:
        await paced(rate, SECONDS, act)
    else:
        while time.perf_counter() - began < SECONDS:
            await act()
            while others("pending") > 4 * ENDPOINTS:
                await asyncio.sleep(0.001)
    each = meter.read().cpu / (others("delivered") - before)
    while others("pending"):
        await asyncio.sleep(0.01)
    (folder / "sent").write_text("".join(lines))
    print(json.dumps({"each": each}), flush=True)
    # Neither the hole nor the backlog is worth waiting for.
    await asyncio.wait([asyncio.ensure_future(dispatcher.stop())], timeout=SETTINGS.grace + 5)
    await database.close()


# Judging.


class Broken(Exception):  # noqa: N818 - a promise is
    """A run lost or disordered something: there are no figures."""


def run(kind: str, rate: float) -> tuple[float, list[float]]:
    """Seconds of CPU for a delivery to the 99, and the seconds from commit to receipt of each, sorted."""
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as name:
        folder = Path(name)
        with receiver(folder / "received") as port:
            command = [sys.executable, "-m", "bench.fairness", "deliver", kind, str(port), name, str(rate)]
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=True)
        sent = {tuple(line.split()[:2]): int(line.split()[2]) for line in (folder / "sent").open()}
        seen: dict[tuple[str, str], int] = {}
        latencies: list[float] = []
        for line in (folder / "received").open():
            path, stream, seq, at = line.split()
            if path == "/99" or (stream, seq) not in sent:
                continue
            if int(seq) != seen.get((path, stream), 0) + 1:
                raise Broken(f"{kind}: {path} was sent {stream} {seq} after {seen.get((path, stream), 0)}")
            seen[path, stream] = int(seq)
            latencies.append((int(at) - sent[stream, seq]) / 1e9)
        if len(latencies) != len(sent) * (ENDPOINTS - 1):
            raise Broken(f"{kind}: {len(latencies)} of {len(sent) * (ENDPOINTS - 1)} deliveries")
    return json.loads(ended.stdout)["each"], sorted(latencies)


def line(name: str, values: list[float], goal: str) -> str:
    return f"{name:<74} {median(values):5.2f}   ({min(values):.2f} to {max(values):.2f}; goal {goal})"


def main(rounds: int) -> int:
    slower, dearer, p99s, rates = [], [], [], []
    try:
        for _ in range(rounds):
            (_, well), (_, hole) = run("well", RATE), run("hole", RATE)
            slower.append(percentile(hole, 0.99) / percentile(well, 0.99))
            p99s.append((percentile(well, 0.99), percentile(hole, 0.99)))
            (good, _), (bad, _) = run("well", 0), run("dead", 0)
            dearer.append(bad / good)
            rates.append((good, bad))
    except Broken as broken:
        print(f"No figures: {broken}")
        return 1
    print(f"{rounds} rounds; every event goes to {ENDPOINTS} endpoints.")
    print(line(f"one black hole: p99 at the others at {RATE:.0f} events/s, to that without it", slower, "<= 1.2"))
    print(line(f"one dead, {BACKLOG} waiting: CPU per delivery to the others, to that without it", dearer, "<= 1.05"))
    well, hole = (median(values) * 1e3 for values in zip(*p99s, strict=True))
    good, bad = (median(values) for values in zip(*rates, strict=True))
    print(f"For orientation: p99 {well:.2f} ms, {hole:.2f} ms; {good * 1e6:.1f} us, {bad * 1e6:.1f} us of CPU.")
    return 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["receive", path]:
            uvloop.run(receive(Path(path)))
        case ["deliver", kind, port, folder, rate]:
            uvloop.run(deliver(kind, int(port), Path(folder), float(rate)))
        case arguments:
            sys.exit(main(int(arguments[0]) if arguments else ROUNDS))
