"""SIGKILL before, in and after every step of every kind of job: the next one goes on after the last finished step.

Captures are made by hand; workers, database, render program and FFmpeg are real.
"""

from __future__ import annotations

import ast
import asyncio
import signal
from collections import Counter
from pathlib import Path

import msgspec
import pytest

import callboard
from callboard.database import Put
from callboard.database.tables import CHAT_MESSAGE
from callboard.drill.nursery import Nursery
from callboard.ledger import Changes
from callboard.recording.assets import AssetType, RecordingStatus, load_assets, load_recording
from callboard.recording.timeline import Kind, Wanted
from callboard.recording.truth.report import Expected, Published
from callboard.recording.truth.verify import verify_file
from callboard.testing.jobkills import MODULE, Killing, broken, delivered
from callboard.testing.studio import OPENED_AT, Studio

pytestmark = pytest.mark.faults

SECONDS = 2.5
ANN: list[tuple[int, Kind, float, float]] = [(1, "video", 0.0, SECONDS), (1, "audio", 0.0, SECONDS)]
ALL = Wanted(track=True, stream=True, composite=True, stream_width=320, stream_height=240, presign_seconds=600)
STREAM = msgspec.structs.replace(ALL, track=False, composite=False)
TAKEN_OVER = ("recording.stream|mux|beside a child", "recording.stream|mux|made", "recording.deliver||done")
ELSEWHERE = {"webhook-replay": "tests/faults/test_replay_kills.py", "recording.chat": __file__}
"""Kinds that no good recording has, and where they are killed."""


async def prepared(folder: Path, database: str = "", wanted: Wanted = ALL) -> str:
    """A captured session of which this is wanted; with a chat if it is composed."""
    studio = await Studio.open(folder, database=database)
    session_id = await studio.captured(ANN, wanted=wanted)
    if wanted.composite:
        said = (session_id, OPENED_AT + 1, "id", "peer1", "Person 1", "", "[]", "Hello")
        await studio.ledger.commit(Changes(rows=(Put(CHAT_MESSAGE, said),)))
    await studio.close()
    return session_id


@pytest.mark.timeout(300)  # 6 s where nothing else runs beside it
async def test_killed_at_every_point_of_every_job_each_recording_is_made_delivered_and_told_once(
    tmp_path: Path,
) -> None:
    session_id = await prepared(tmp_path)
    async with Nursery(MODULE) as nursery:
        killing = Killing(nursery, tmp_path)
        while await killing.life():
            pass
    studio = await Studio.open(tmp_path)
    assert await broken(studio, session_id, tmp_path, killing.said()) == []
    assets = await load_assets(studio.database, session_id)
    await studio.close()
    assert Counter(asset.type for asset in assets) == {"track": 2, "stream": 1, "room-composite-legacy": 1, "chat": 1}
    both = Published(1, picture=((0.0, SECONDS),), sound=((0.0, SECONDS),))
    for asset in assets:
        if asset.type in {AssetType.STREAM, AssetType.COMPOSITE}:
            expected = Expected(starts_at=0.0, duration=SECONDS, published=(both,))
            report = await asyncio.to_thread(verify_file, delivered(asset, tmp_path), expected)
            assert report.failures == [], asset.type
    (chat,) = [asset for asset in assets if asset.type == AssetType.CHAT]
    assert delivered(chat, tmp_path).read_text(encoding="utf-8").endswith(",Hello\n")
    kinds, steps = kinds_and_steps()
    assert missing(killing.passed, kinds - ELSEWHERE.keys(), steps) == []
    assert all(Path(where).exists() for where in ELSEWHERE.values())
    beside = {point.split("|")[1] for point in killing.passed if point.endswith("|child killed")}
    assert {"render", "mux", "chunk", "join"} <= beside


@pytest.mark.timeout(300)
async def test_killed_at_every_point_of_jobs_that_fail_each_failure_is_told_once(tmp_path: Path) -> None:
    """The captures are none: what was made of them is given up, which is a commit like any other. The chat arrives."""
    session_id = await prepared(tmp_path)
    for file in (tmp_path / "capture").rglob("*.mjr"):
        file.write_bytes(b"MJR00002\x00\x10not what it says")
    async with Nursery(MODULE) as nursery:
        killing = Killing(nursery, tmp_path)
        while await killing.life():
            pass
    studio = await Studio.open(tmp_path)
    assert await broken(studio, session_id, tmp_path, killing.said(), good=False) == []
    (chat,) = [one for one in await load_assets(studio.database, session_id) if one.type == AssetType.CHAT]
    assert delivered(chat, tmp_path).read_text(encoding="utf-8").endswith(",Hello\n")
    recording = await load_recording(studio.database, chat.recording_id)
    assert recording is not None
    assert recording.status is RecordingStatus.FAILED, "a chat alone is no recording"
    await studio.close()
    of_chat = [point for point in killing.passed if point.startswith("recording.chat|")]
    assert missing(of_chat, {"recording.chat"}, {"chat"}) == []
    for kind in ("recording.track", "recording.stream", "recording.composite"):
        assert {f"{kind}||given up", f"{kind}||ended"} <= set(killing.passed)


@pytest.mark.timeout(600)  # 4 s where nothing else runs beside it
@pytest.mark.postgresql
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_another_worker_takes_over_where_the_first_one_died_or_hangs(
    tmp_path: Path, postgresql_url: str, how: signal.Signals
) -> None:
    """One that hangs goes on when another one has done its work: nothing that it does then has any effect."""
    async with Nursery(MODULE) as nursery:
        for number, point in enumerate(TAKEN_OVER):
            folder = tmp_path / str(number)
            session_id = await prepared(folder, postgresql_url, STREAM)
            killing = Killing(nursery, folder, database=postgresql_url)
            await killing.taken_over(point, how)
            studio = await Studio.open(folder, database=postgresql_url)
            assert await broken(studio, session_id, folder, killing.said()) == []
            await studio.close()
            said = killing.said()
            # Who hung in a transaction for longer than PostgreSQL lets it is cut off, and does not end in good order.
            cut_off = how is signal.SIGSTOP and "a commit failed" in killing.warnings()
            assert said.count("quiet") == (2 if how is signal.SIGSTOP and not cut_off else 1)
            if how is signal.SIGSTOP:
                assert not [line for line in said[said.index(f"went on {point}") :] if line.startswith("began")]


def kinds_and_steps() -> tuple[set[str], set[str]]:
    """The names of all kinds of jobs, and the first words of all steps, as the code has them."""
    kinds, steps = set(), set()
    for file in Path(callboard.__file__).parent.rglob("*.py"):
        tree = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        of_jobs = any(
            isinstance(node, ast.ImportFrom)
            and node.module in {"callboard.jobs", "callboard.jobs.kinds"}
            and "Kind" in {name.name for name in node.names}
            for node in tree
        )
        for node in tree:
            if not isinstance(node, ast.Call) or not node.args:
                continue
            if of_jobs and isinstance(node.func, ast.Name) and node.func.id == "Kind":
                kinds.add(text_of(node.args[0]))
            elif isinstance(node.func, ast.Attribute) and node.func.attr == "step" and text_of(node.args[0]):
                steps.add(text_of(node.args[0]).split()[0])
    return kinds, steps


def text_of(node: ast.expr) -> str:
    """What a literal says, or what an f-string begins with."""
    first = node.values[0] if isinstance(node, ast.JoinedStr) else node
    return str(first.value) if isinstance(first, ast.Constant) else ""


def missing(passed: list[str], kinds: set[str], steps: set[str]) -> list[str]:
    """The points at which nobody was killed, though the code has such jobs and steps."""
    points = {tuple(point.split("|")) for point in passed}
    wanted = {(kind, "", moment) for kind in kinds for moment in ("taken", "in", "done", "ended")}
    reached = {(kind, step) for kind, step, _ in points if step}
    wanted |= {(*pair, moment) for pair in reached for moment in ("before", "in", "made", "written")}
    unknown = steps - {step for _, step in reached}
    return [f"no kill in any step {step}" for step in sorted(unknown)] + sorted(map(str, wanted - points))
