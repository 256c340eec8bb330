"""Recordings at length: every codec and shape made and measured, jobs killed at every wait, and the tests with Janus.

`python -m callboard.testing.matrix` (`make recordings`): prints how it goes, and a table in the end; the exit code is 1
when anything was not as it should be.

Owns: `main`, the cases, and the rounds of kills.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple
from xml.etree import ElementTree

import typer
from rich.console import Console
from rich.table import Column, Table

from callboard.drill.nursery import Nursery
from callboard.recording.assets import AssetType, load_assets
from callboard.recording.timeline import Kind, Wanted
from callboard.recording.truth.coding import PictureCodec
from callboard.recording.truth.report import Expected, Published, Report
from callboard.recording.truth.verify import verify_file
from callboard.testing.jobkills import MODULE, PATIENT, Killing, broken, delivered
from callboard.testing.postgresql import PostgresqlCluster
from callboard.testing.studio import Studio

CODECS: tuple[PictureCodec, ...] = ("vp8", "h264")
SHAPES: dict[str, tuple[tuple[int, int], ...]] = {
    "160×120": ((160, 120),),
    "640×360": ((640, 360),),
    "1280×720": ((1280, 720),),
    "720×1280": ((720, 1280),),
    "turned": ((320, 180), (180, 320)),
    "smaller, larger": ((640, 360), (320, 180), (640, 360)),
}
AS_PUBLISHED = Wanted(track=True, stream=True, composite=True, presign_seconds=600)
SIZED = Wanted(stream=True, stream_width=480, stream_height=270, presign_seconds=600)
SECONDS = 6.0
EVERYTHING = Wanted(track=True, stream=True, composite=True, stream_width=320, stream_height=240, presign_seconds=600)
CAPTURE_KILLS = "CALLBOARD_CAPTURE_KILLS"
"""How often tests/faults/test_recording_kills.py kills in each way."""
LIVE = ("tests/media/test_recordings*.py", "tests/media/test_composite*.py", "tests/faults/test_recording_*.py")


class Row(NamedTuple):
    """A line of the table in the end."""

    part: str
    what: str
    times: int
    failed: int
    seen: str


Tell = Callable[[str], None]


async def derivations(folder: Path, tell: Tell) -> list[Row]:
    """Each codec in each shape, as every kind of recording, measured by its marks."""
    rows = []
    for codec, (shape, sizes) in itertools.product(CODECS, SHAPES.items()):
        reports = []
        for number, wanted in enumerate((AS_PUBLISHED, SIZED)):
            reports += await _made(folder / f"{codec}-{shape}-{number}", codec, sizes, wanted)
        failures = [f"{kind}: {failure}" for kind, report in reports for failure in report.failures]
        skews = [one.skew.p95_ms for _, report in reports for one in report.publishers if one.skew is not None]
        seen = "; ".join(failures) or f"skew p95 at most {max(skews):.0f} ms"
        rows.append(Row("made and measured", f"{codec} {shape}", len(reports), len(failures), seen))
        tell(f"{codec} {shape}: {len(reports)} files, {seen}")
    return rows


async def _made(
    folder: Path, codec: PictureCodec, sizes: Sequence[tuple[int, int]], wanted: Wanted
) -> list[tuple[str, Report]]:
    studio = await Studio.open(folder, composite=PATIENT)
    both: list[tuple[int, Kind, float, float]] = [(1, "video", 0.0, SECONDS), (1, "audio", 0.0, SECONDS)]
    session_id = await studio.captured(both, wanted=wanted, sizes=sizes, codec=codec)
    worker = studio.worker()
    await worker.start()
    async with asyncio.timeout(300):
        while await studio.database.fetch("open_jobs"):  # noqa: ASYNC110 - nobody else waits for this
            await asyncio.sleep(0.05)
    await worker.stop()
    wrong = await broken(studio, session_id, folder, [])
    found = []
    for asset in await load_assets(studio.database, session_id):
        if asset.type != AssetType.CHAT:
            report = await asyncio.to_thread(
                verify_file, delivered(asset, folder), _expected(asset.type, asset.metadata)
            )
            found.append((f"{asset.type}{' sized' if wanted is SIZED else ''}", report))
    await studio.close()
    if wrong:
        raise AssertionError(wrong)
    return found


def _expected(kind: str, metadata: str) -> Expected:
    whole = ((0.0, SECONDS),)
    picture = kind != AssetType.TRACK or '"video"' in metadata
    sound = kind != AssetType.TRACK or '"audio"' in metadata
    sent = Published(1, picture=whole if picture else (), sound=whole if sound else ())
    return Expected(starts_at=0.0, duration=SECONDS, published=(sent,))


class Kills(NamedTuple):
    """Rows of the table, and the points at which somebody was killed in the first session."""

    rows: list[Row]
    points: list[str]


async def job_kills(folder: Path, kills: int, seed: int, tell: Tell) -> Kills:
    """Sessions of all kinds: the first one killed at each named point, others each time that anything waits, until
    there were so many kills."""
    source = random.Random(seed)  # noqa: S311 - which session
    passed, wrong, began = list[str](), list[str](), time.monotonic()
    named: list[str] = []
    async with Nursery(MODULE) as nursery:
        while len(passed) < kills:
            killing = Killing(nursery, folder / f"session-{len(passed)}", full=bool(passed))
            session_id = await _captured(killing.folder, source)
            while len(passed) < kills and (point := await killing.life()):
                passed.append(point)
                if len(passed) % 25 == 0:
                    tell(f"{len(passed)} of {kills} kills, {time.monotonic() - began:.0f} s, {len(wrong)} faults")
            await (await killing.start(armed=False)).ended(120)  # what is left, in good order
            wrong += await _broken(killing, session_id)
            named = named or killing.passed
    steps = Counter("|".join(point.split("|")[:2]) for point in passed)
    rows = [Row("jobs killed", step.rstrip("|"), count, 0, "") for step, count in sorted(steps.items())]
    return Kills([*rows, Row("jobs killed", "all", len(passed), len(wrong), "; ".join(wrong))], named)


async def takeovers(folder: Path, count: int, points: Sequence[str], seed: int, tell: Tell) -> list[Row]:
    """On PostgreSQL: a worker dies or hangs at a point, and another one takes over."""
    source = random.Random(seed)  # noqa: S311 - where
    rows, began = list[Row](), time.monotonic()
    cluster = PostgresqlCluster(survives_power_loss=False)
    await asyncio.to_thread(cluster.start)
    try:
        url = await asyncio.to_thread(cluster.create_database)
        async with Nursery(MODULE) as nursery:
            for number in range(count):
                point, how = source.choice(points), source.choice([signal.SIGKILL, signal.SIGSTOP])
                killing = Killing(nursery, folder / f"takeover-{number}", database=url)
                session_id = await _captured(killing.folder, source, url)
                await killing.taken_over(point, how)
                wrong = await _broken(killing, session_id)
                rows.append(Row("taken over", how.name, 1, len(wrong), "; ".join(wrong)))
                tell(f"{number + 1} of {count} takeovers, {time.monotonic() - began:.0f} s: {how.name} at {point}")
    finally:
        await asyncio.to_thread(cluster.stop)
    return [_sum(list(some)) for _, some in itertools.groupby(sorted(rows), key=lambda row: row.what)]


def live(kills: int, tell: Tell) -> list[Row]:
    """The tests with Janus and real peers: what is captured is measured, and capturing is killed `kills` times each
    way. Their own words are shown."""
    files = sorted(str(file) for pattern in LIVE for file in Path().glob(pattern))
    tell(f"tests with Janus: {', '.join(files)}")
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "--timeout=900")
        environment = {**os.environ, CAPTURE_KILLS: str(kills)}
        done = subprocess.run((*command, f"--junitxml={report.name}", *files), env=environment, check=False)  # noqa: S603
        cases = list(ElementTree.parse(report.name).iter("testcase"))  # noqa: S314 - pytest wrote it
    rows = [
        Row("with Janus", str(case.get("classname")).rpartition(".")[2], 1, int(_failed(case)), "") for case in cases
    ]
    summed = [_sum(list(some)) for _, some in itertools.groupby(sorted(rows), key=lambda row: row.what)]
    return [*summed, Row("with Janus", "pytest's end", 1, int(done.returncode != 0), f"exit code {done.returncode}")]


def _failed(case: ElementTree.Element) -> bool:
    return case.find("failure") is not None or case.find("error") is not None


def _sum(rows: Sequence[Row]) -> Row:
    seen = "; ".join(row.seen for row in rows if row.seen)
    return Row(rows[0].part, rows[0].what, sum(row.times for row in rows), sum(row.failed for row in rows), seen)


async def _captured(folder: Path, source: random.Random, database: str = "") -> str:
    """A session of one or two people, of some seconds, of which everything is wanted."""
    studio = await Studio.open(folder, database=database)
    tracks: list[tuple[int, Kind, float, float]] = []
    for who in range(1, source.randint(2, 3)):
        start = round(source.uniform(0.0, 1.0), 1)
        end = round(start + source.uniform(1.0, 3.0), 1)
        tracks += [(who, "video", start, end), (who, "audio", start, end)]
    session_id = await studio.captured(tracks, wanted=EVERYTHING)
    await studio.close()
    return session_id


async def _broken(killing: Killing, session_id: str) -> list[str]:
    studio = await Studio.open(killing.folder, database=killing.database)
    found = await broken(studio, session_id, killing.folder, killing.said())
    await studio.close()
    return found


def table(rows: Sequence[Row]) -> Table:
    """What came of it."""
    shown = Table("", Column("what", no_wrap=True), "times", "faults", "seen", box=None)
    for row in rows:
        shown.add_row(row.part, row.what, str(row.times), str(row.failed), row.seen)
    return shown


def main(
    kills: Annotated[int, typer.Option(min=0, help="How often jobs are killed.")] = 300,
    takeover: Annotated[int, typer.Option(min=0, help="How often a worker takes over from another.")] = 20,
    capture: Annotated[
        int, typer.Option(min=0, help="How often each way of killing a capture; 0: none with Janus.")
    ] = 5,
    seed: int = 1,
) -> None:
    """Make, measure and kill recordings; see the module."""
    console, began = Console(), time.monotonic()

    def tell(line: str) -> None:
        console.print(f"{time.monotonic() - began:5.0f} s  {line}", markup=False, highlight=False)

    async def made_by_hand(folder: Path) -> list[Row]:
        rows = await derivations(folder, tell)
        killed = await job_kills(folder, kills, seed, tell)
        return [
            *rows,
            *killed.rows,
            *await takeovers(folder, takeover, killed.points or ["recording.track||taken"], seed, tell),
        ]

    with tempfile.TemporaryDirectory(prefix="callboard-recordings-") as name:
        rows = asyncio.run(made_by_hand(Path(name)))
    rows += live(capture, tell) if capture else []
    console.print(table(rows))
    faults = sum(row.failed for row in rows)
    console.print(f"{faults} faults in {time.monotonic() - began:.0f} s; seed {seed}.", highlight=False)
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
