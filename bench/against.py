"""Callboard against what a team would write with the usual parts: `python -m bench.against [ROUNDS] [tls]`.

In each round these run one after the other, each against a receiver of its own and with a database of its own: bare
signed POSTs, Callboard on SQLite and on PostgreSQL, a hand-written outbox (SQLAlchemy, asyncpg, aiohttp) and
graphile-worker (undici), as fast as each goes; then all of them at 500 events a second. Each commits the event with its
state in one transaction, durably, delivers in order, and logs attempts: the checker refuses a run that lost or
disordered anything. Applications are pinned to one core, receivers to the other, PostgreSQL to none; its CPU is counted
with that of whoever used it. About a minute a round. Figures are ratios within a round, and their medians.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import peers
from bench.check import judge, percentile
from bench.cpu import tree_cpu
from bench.raw import recorded
from bench.run import CORE, RATE, RECEIVER_CORE, SECRET, SHARE, Broken
from callboard.testing.certificates import Authority
from callboard.testing.postgresql import PostgresqlCluster

ROUNDS = 3
FULL_SECONDS, PACED_SECONDS = 3.0, 4.0
OURS = ("Callboard, SQLite", "Callboard, PostgreSQL")
BARE = "bare signed POST"


@dataclass(frozen=True, slots=True)
class Figures:
    """One program, once. `cpu` is in seconds an event, the database's included; `share` that of its core."""

    rate: float
    cpu: float
    share: float
    p99: float


class Ground:
    """What the programs run on."""

    def __init__(self, folder: Path, cluster: PostgresqlCluster, *, tls: bool) -> None:
        self._folder = folder
        self._cluster = cluster
        self._ca, self._certificate = "", ""
        if tls:
            authority = Authority(folder)
            authority.server("localhost")
            self._certificate = str(folder / "localhost.pem")
            self._ca = str(folder / "ca.pem")
            Path(self._ca).write_text(authority.pem)
        self._body = folder / "body.json"
        self._body.write_bytes(recorded(1).body)
        self._programs = self._all()
        self._number = 0

    @property
    def names(self) -> list[str]:
        return list(self._programs)

    def _all(self) -> dict[str, Callable[[list[str]], list[str]]]:
        """Each program's command, out of PORT LOG SECRET SECONDS RATE."""
        python, core, ca = sys.executable, str(CORE), [self._ca] if self._ca else []
        handwritten, graphile = peers.handwritten(), ["taskset", "-c", core, *peers.graphile()]
        body = str(self._body)
        return {
            BARE: lambda given: [python, "-m", "bench.raw", core, *given, *ca],
            OURS[0]: lambda given: [python, "-m", "bench.ours", core, *given, self._sqlite(), *ca],
            OURS[1]: lambda given: [python, "-m", "bench.ours", core, *given, self._cluster.create_database(), *ca],
            "hand-written outbox": lambda given: [
                *handwritten, core, *given, self._cluster.create_database(), body, *ca
            ],
            "graphile-worker": lambda given: [*graphile, *given, self._cluster.create_database(), body, *ca],
        }  # fmt: skip

    def _sqlite(self) -> str:
        return f"sqlite:///{self._folder / f'{self._number}.db'}"

    def measure(self, name: str, seconds: float, rate: float) -> Figures:
        """Run a program once. Raises `Broken`."""
        self._number += 1
        sent, received = self._folder / f"{self._number}.sent", self._folder / f"{self._number}.received"
        with self._receiver(received, awake=not rate) as port:
            command = self._programs[name]([str(port), str(sent), SECRET, str(seconds), str(rate)])
            said, database = self._run(name, command)
        verdict = judge(sent, received)
        kept = verdict.kept or (name == BARE and not verdict.lost)  # bare ones promise no order
        if said["failed"] or not kept:
            raise Broken(f"{name}: {verdict.lost} lost, {verdict.disordered} disordered, {said['failed']} failed")
        p99 = percentile(verdict.latencies, 0.99) if verdict.latencies else 0.0
        for path in self._folder.glob(f"{self._number}.*"):
            path.unlink()
        return Figures(
            said["count"] / said["wall"], (said["cpu"] + database) / said["count"], said["cpu"] / said["wall"], p99
        )

    def _run(self, name: str, command: list[str]) -> tuple[dict[str, float], float]:
        """What the program said in the end, and the database's CPU while it was measured."""
        began = ended = 0.0
        last = "{}"
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for last in process.stdout:
                if last == "measuring\n":
                    began = tree_cpu(self._cluster.pid)
                elif last == "measured\n":
                    ended = tree_cpu(self._cluster.pid)
        if process.returncode:
            raise Broken(f"{name} ended with {process.returncode}")
        return json.loads(last), ended - began

    @contextmanager
    def _receiver(self, log: Path, *, awake: bool) -> Iterator[int]:
        more = [*["awake"] * awake, *[self._certificate] * bool(self._certificate)]
        command = [sys.executable, "-m", "bench.receiver", str(RECEIVER_CORE), str(log), SECRET, *more]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield int(process.stdout.readline())
            finally:
                process.terminate()
                said = process.stdout.read()
                process.wait(timeout=30)
        if json.loads(said)["wrong"]:
            raise Broken("the receiver found signatures that are wrong")


Round = dict[str, Figures]


def ratios(rounds: list[Round], ours: str, other: str, of: Callable[[Figures, Figures], float]) -> str:
    values = [of(each[ours], each[other]) for each in rounds]
    return f"{median(values):8.2f}   ({min(values):.2f} to {max(values):.2f})"


def report(full: list[Round], paced: list[Round], names: list[str], *, tls: bool) -> None:
    others = [name for name in names if name not in (*OURS, BARE)]
    share = min(each[name].share for each in full for name in (BARE, *OURS[:1]))
    print(f"{len(full)} rounds, TLS {'on' if tls else 'off'}; the smallest share of its core was {share:.2f}", end="")
    print("." if share >= SHARE else f": DISTURBED, it should be {SHARE}. What counts then is CPU per event.")
    for ours in OURS:
        for other in others:
            against = f"{ours} against {other}"
            print(f"{against:<52} events/s     {ratios(full, ours, other, lambda a, b: a.rate / b.rate)}  goal >= 15")
            print(f"{'':<52} CPU, 1/x     {ratios(full, ours, other, lambda a, b: b.cpu / a.cpu)}  goal >= 15")
            print(f"{'':<52} p99, 1/x     {ratios(paced, ours, other, lambda a, b: b.p99 / a.p99)}  goal >= 10")
        against = f"{ours} against a {BARE}"
        print(f"{against:<52} events/s     {ratios(full, ours, BARE, lambda a, b: a.rate / b.rate)}  goal >= 0.3")
        print(f"{'':<52} CPU          {ratios(full, ours, BARE, lambda a, b: a.cpu / b.cpu)}  goal <= 3")
        print(f"{'':<52} p99          {ratios(paced, ours, BARE, lambda a, b: a.p99 / b.p99)}  goal <= 3")
    print("For orientation:")
    for name in names:
        rate, cpu = (median(getattr(each[name], what) for each in full) for what in ("rate", "cpu"))
        p99 = median(each[name].p99 for each in paced)
        print(f"  {name:<24} {rate:9,.0f}/s  {cpu * 1e6:8.1f} us of CPU each  p99 at {RATE}/s {p99 * 1e3:8.2f} ms")


def main(wanted: int, *, tls: bool) -> int:
    cluster = PostgresqlCluster()
    cluster.start()
    try:
        with tempfile.TemporaryDirectory(prefix="callboard-bench-") as folder:
            ground = Ground(Path(folder), cluster, tls=tls)
            full: list[Round] = []
            paced: list[Round] = []
            for _ in range(wanted):
                full.append({name: ground.measure(name, FULL_SECONDS, 0) for name in ground.names})
                paced.append({name: ground.measure(name, PACED_SECONDS, RATE) for name in ground.names})
            report(full, paced, ground.names, tls=tls)
    except (Broken, peers.Missing) as broken:
        print(f"No figures: {broken}")
        return 1
    finally:
        cluster.stop()
    return 0


if __name__ == "__main__":
    numbers = [int(each) for each in sys.argv[1:] if each.isdigit()]
    sys.exit(main(numbers[0] if numbers else ROUNDS, tls="tls" in sys.argv[1:]))
