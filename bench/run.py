"""The bench of deliveries: `python -m bench.run [ROUNDS]`, at most three minutes.

In each round four programs run one after the other, each against a receiver of its own on another core: bare signed
POSTs and Callboard, both as fast as they go; then both at 500 a second. Callboard means: committed durably (SQLite,
synchronous FULL), delivered in order, every attempt logged, the whole process on one core. The figures are ratios
within a round, and their medians over the rounds: absolute rates belong to the machine and the minute. A round in
which a program at full speed got less than `SHARE` of its core is dropped, and begun again. A run that lost or
disordered anything ends the bench without any figure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.check import Verdict, judge, percentile

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RECEIVER_CORE, CORE = 0, 1
SHARE = 0.85
RATE = 500
ROUNDS = 5
BUDGET = 140.0
"""Seconds, after which no other round is begun."""


@dataclass(frozen=True, slots=True)
class Run:
    """One program, once."""

    count: int
    wall: float
    cpu: float
    verdict: Verdict

    @property
    def rate(self) -> float:
        return self.count / self.wall

    @property
    def cpu_each(self) -> float:
        return self.cpu / self.count

    @property
    def share(self) -> float:
        return self.cpu / self.wall


@dataclass(frozen=True, slots=True)
class Pair:
    """Bare POSTs and Callboard, one right after the other, under the same load."""

    raw: Run
    ours: Run

    @property
    def undisturbed(self) -> bool:
        return min(self.raw.share, self.ours.share) >= SHARE

    @property
    def throughput(self) -> float:
        return self.ours.rate / self.raw.rate

    @property
    def cpu(self) -> float:
        return self.ours.cpu_each / self.raw.cpu_each

    @property
    def latency(self) -> float:
        return p99(self.ours) / p99(self.raw)


@dataclass(slots=True)
class Results:
    """What was measured: at full speed, what of that was dropped, and at `RATE`."""

    full: list[Pair] = field(default_factory=list)
    dropped: list[Pair] = field(default_factory=list)
    paced: list[Pair] = field(default_factory=list)


class Broken(Exception):  # noqa: N818 - a promise is
    """A run lost or disordered something, or did not end: there are no figures."""


def p99(run: Run) -> float:
    """Seconds."""
    return percentile(run.verdict.latencies, 0.99)


@contextmanager
def receiver(log: Path, *, awake: bool) -> Iterator[int]:
    """A receiver of its own for one run; yields its port."""
    command = [sys.executable, "-m", "bench.receiver", str(RECEIVER_CORE), str(log), SECRET, *["awake"] * awake]
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


def measure(program: str, seconds: float, rate: float) -> Run:
    """Run `bench.raw` or `bench.ours` once, against a new receiver, with a new database."""
    with tempfile.TemporaryDirectory(prefix="callboard-bench-") as name:
        folder = Path(name)
        sent, received = folder / "sent", folder / "received"
        with receiver(received, awake=rate == 0) as port:
            command = [sys.executable, "-m", f"bench.{program}", str(CORE), str(port), str(sent), SECRET]
            command += [str(seconds), str(rate)] + (
                [f"sqlite:///{folder / 'callboard.db'}"] if program == "ours" else []
            )
            ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
        if ended.returncode:
            raise Broken(f"bench.{program} ended with {ended.returncode}")
        said = json.loads(ended.stdout.splitlines()[-1])
        verdict = judge(sent, received)
    # Bare posts promise no order, and at full speed they are one and the same event.
    if said["failed"] or verdict.lost or (program == "ours" and not verdict.kept):
        raise Broken(f"bench.{program}: {verdict.lost} lost, {verdict.disordered} disordered, {said['failed']} failed")
    return Run(int(said["count"]), said["wall"], said["cpu"], verdict)


def pair(raw_seconds: float, ours_seconds: float, rate: float) -> Pair:
    return Pair(measure("raw", raw_seconds, rate), measure("ours", ours_seconds, rate))


def measured(wanted: int) -> Results:
    """At most `wanted` rounds, begun within `BUDGET` seconds."""
    results = Results()
    end = time.monotonic() + BUDGET
    while len(results.full) < wanted and time.monotonic() < end:
        full = pair(1.5, 2.5, 0)
        if full.undisturbed:
            results.full.append(full)
            results.paced.append(pair(3.0, 3.0, RATE))
        else:
            results.dropped.append(full)
    return results


def line(name: str, values: list[float], goal: str) -> str:
    return f"{name:<58} {median(values):6.2f}   ({min(values):.2f} to {max(values):.2f}; goal {goal})"


def report(results: Results) -> str:
    full, paced = results.full, results.paced
    return "\n".join(
        [
            f"{len(full)} rounds, {len(results.dropped)} dropped (a program got less than {SHARE} of its core).",
            line("events/s delivered, to bare signed POSTs/s", [each.throughput for each in full], ">= 0.30"),
            line("CPU per event delivered, to CPU per bare POST", [each.cpu for each in full], "<= 3"),
            line(f"commit to receipt p99 at {RATE}/s, to send to receipt", [each.latency for each in paced], "<= 3"),
            f"For orientation: {median(each.ours.rate for each in full):,.0f} events/s"
            f" at {median(each.ours.cpu_each for each in full) * 1e6:.1f} us of CPU,"
            f" {median(each.raw.rate for each in full):,.0f} bare POSTs/s"
            f" at {median(each.raw.cpu_each for each in full) * 1e6:.1f} us;"
            f" p99 {median(p99(each.ours) for each in paced) * 1e3:.2f} ms,"
            f" bare {median(p99(each.raw) for each in paced) * 1e3:.2f} ms."
            f" Lost 0, disordered 0, duplicates {sum(each.ours.verdict.duplicates for each in full + paced)}.",
        ]
    )


def main(wanted: int) -> int:
    try:
        results = measured(wanted)
    except Broken as broken:
        print(f"No figures: {broken}")
        return 1
    if not results.full:
        print(f"No figures: others use this machine too ({len(results.dropped)} rounds dropped).")
        print(line("Disturbed: CPU per event, to CPU per bare POST", [each.cpu for each in results.dropped], "<= 3"))
        return 1
    print(report(results))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
