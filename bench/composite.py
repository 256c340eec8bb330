"""How fast sessions are composed, and how that grows with tracks and with length.

    python -m bench.composite [seconds]

Everybody publishes 720p at 25 pictures a second in VP8 (a key picture every 10 s, as captures have) and Opus; what is
made is 720p, H.264 and AAC, with the settings that the server has by default. The first line is what the others are
compared with, in the same run. CPU is of FFmpeg and all its threads; memory is the largest FFmpeg's.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from callboard.jobs.process import run_process
from callboard.recording.composite.compose import Composer
from callboard.recording.composite.look import Look
from callboard.recording.composite.plan import plan_of
from callboard.recording.timeline import Kind, Piece, PlacedTrack, Timeline

GOAL = 2.0
"""Times real time, of four people at 720p."""
SECONDS = 60
VP8 = ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1200k", "-g", "250")
OPUS = ("-c:a", "libopus", "-b:a", "32k", "-application", "voip")


@dataclass(frozen=True)
class Spent:
    """Seconds of media, of the clock, of CPU."""

    media: float
    wall: float
    cpu: float

    @property
    def speed(self) -> float:
        return self.media / self.wall


def source(folder: Path, seconds: int) -> tuple[Path, Path]:
    """A camera with movement and noise, and a voice-like sound."""
    picture, sound = folder / "picture.webm", folder / "sound.webm"
    moving = f"testsrc2=s=1280x720:r=25:d={seconds},noise=alls=6:allf=t"
    humming = f"sine=f=220:d={seconds},tremolo=f=3:d=0.7"
    for graph, coder, path in ((moving, VP8, picture), (humming, OPUS, sound)):
        command = ("ffmpeg", "-nostdin", "-y", "-v", "error", "-f", "lavfi", "-i", graph, *coder, str(path))
        subprocess.run(command, check=True)
    return picture, sound


def session(picture: Path, sound: Path, people: int, seconds: int, times: int) -> Timeline:
    """So many people, each with a camera and a microphone, for `times` × `seconds`."""

    def track(number: int, kind: Kind, file: Path) -> PlacedTrack:
        pieces = tuple(
            Piece(file=str(file), codec="", start=float(seconds * n), duration=float(seconds)) for n in range(times)
        )
        return PlacedTrack(
            peer_id=f"peer{number}",
            peer_name=f"Person {number}",
            user_id="",
            stream_id="",
            track_id=f"{kind}{number}",
            kind=kind,
            source="regular",
            recording_id="",
            pieces=pieces,
        )

    tracks = [track(n, kind, file) for n in range(people) for kind, file in (("video", picture), ("audio", sound))]  # type: ignore[arg-type]
    duration = float(seconds * times)
    return Timeline(session_id="s", room_id="r", started_at=0, duration=duration, tracks=tuple(tracks), presences=())


async def compose(timeline: Timeline, folder: Path) -> Spent:
    plan = plan_of(timeline, Look())
    composer = Composer(plan, folder, run_process)
    before, began = _cpu(), time.perf_counter()
    await composer.join()
    spent = Spent(plan.seconds, time.perf_counter() - began, _cpu() - before)
    composer.remove()
    return spent


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def main(seconds: int) -> None:
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, load {os.getloadavg()[0]:.1f} before; sessions of {seconds} s unless said")
    print(f"{'':28}{'speed':>9}{'CPU a s':>9}{'wall, ratio':>13}{'CPU, ratio':>12}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture, sound = source(folder, seconds)
        runs = [("4 people", 4, 1), ("1 person", 1, 1), ("9 people", 9, 1), ("16 people", 16, 1)]
        runs += [("4 people, 3 times as long", 4, 3)]
        first: Spent | None = None
        for what, people, times in runs:
            spent = await compose(session(picture, sound, people, seconds, times), folder)
            first = first or spent
            print(
                f"{what:28}{spent.speed:8.2f}x{spent.cpu / spent.media:9.2f}"
                f"{spent.wall / first.wall:13.2f}{spent.cpu / first.cpu:12.2f}"
            )
        assert first is not None
        verdict = "reached" if first.speed >= GOAL else "MISSED"
        print(f"goal: 4 people at {GOAL:g}x real time: {verdict} ({first.speed:.2f}x)")
        print(f"memory: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB, the largest FFmpeg")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS))
