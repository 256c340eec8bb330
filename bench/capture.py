"""What capturing costs: the CPU of Janus and of the server per captured track, beside the same call without capturing.

Owns: the program `python -m bench.capture [--tracks N] [--seconds N] [--height 720]`.

Always holds: both calls have the same publishers, frames and length, one after the other on one machine, in turns; what
is printed are cores (CPU seconds per second), of the whole process. Publishers run in this process and are not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from callboard.testing.play import Play, play
from callboard.testing.recordings import TALKERS, Cast

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """CPU seconds that a process has used so far, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def janus_of(server: int) -> int:
    """The server's Janus."""
    for child in Path(f"/proc/{server}/task/{server}/children").read_text().split():
        if "janus" in Path(f"/proc/{child}/comm").read_text():
            return int(child)
    raise LookupError("the server has no janus")


async def call(stage: Play, folder: Path, tracks: int, height: int, seconds: float) -> tuple[float, float, float]:
    """Cores of Janus and of the server, and Mbit/s captured, while so many pictures are published."""
    cast = Cast(stage, folder)
    peers = [stage.peer(f"Peer {n}", "host") for n in range(tracks)]
    for number, peer in enumerate(peers):
        await peer.join()
        await peer.publish(cast.publisher(number, width=height * 16 // 9, height=height, rate=15).picture)
    await asyncio.sleep(2.0)
    pids = (janus_of(stage.server.pid), stage.server.pid)
    before, began = [cpu_of(pid) for pid in pids], time.monotonic()
    size = captured(folder)
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    janus, server = ((cpu_of(pid) - was) / took for pid, was in zip(pids, before, strict=True))
    rate = (captured(folder) - size) * 8e-6 / took
    await asyncio.gather(*(peer.leave() for peer in peers))
    await stage.told("session.close.success")
    return janus, server, rate


def captured(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "capture" / "raw").rglob("*.mjr"))


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--height", type=int, default=720)
    asked = parser.parse_args()
    found: dict[bool, list[tuple[float, float, float]]] = {False: [], True: []}
    for recorded in (False, True, False, True):
        with tempfile.TemporaryDirectory(prefix="bench-capture-") as name:
            folder = Path(name)
            async with play(folder, roles=TALKERS) as stage:
                if recorded:
                    await stage.stage.rest.record(stage.stage.template_id, trackRecording={"enabled": True})
                found[recorded].append(await call(stage, folder, asked.tracks, asked.height, asked.seconds))
    plain, taped = ([sum(column) / len(column) for column in zip(*found[key], strict=True)] for key in (False, True))
    print(f"{asked.tracks} pictures of {asked.height} lines at 15 a second, {asked.seconds:g} s, twice each")
    print(f"  not captured: janus {plain[0]:.3f} cores, server {plain[1]:.3f}")
    print(f"  captured:     janus {taped[0]:.3f} cores, server {taped[1]:.3f}; {taped[2]:.2f} Mbit/s on disk")
    extra = (taped[0] - plain[0] + taped[1] - plain[1]) / asked.tracks
    whole = (taped[0] + taped[1]) / asked.tracks
    print(f"  capturing costs {extra:.4f} cores per track (all of it, with forwarding: {whole:.4f}); the goal is 0.05")


if __name__ == "__main__":
    asyncio.run(main())
