"""FFmpeg processes, for tests that kill them.

Owns: `ffmpegs_in`, `kill_ffmpegs`.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path


def ffmpegs_in(folder: Path) -> list[int]:
    """The FFmpeg processes that work below this folder, or on a file there: this test's, and nobody else's."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                where = (entry / "cwd").readlink()
            except OSError:
                continue
            on_file = any(part.startswith(os.fsencode(folder)) for part in command)
            if command[0] == b"ffmpeg" and (on_file or where.is_relative_to(folder)):
                found.append(int(entry.name))
    return found


async def kill_ffmpegs(folder: Path, most: int = 1_000) -> None:
    """Kill (SIGKILL) each FFmpeg that begins to work there, until so many were killed."""
    killed: set[int] = set()
    while len(killed) < most:
        for pid in ffmpegs_in(folder):
            if pid not in killed:
                killed.add(pid)
                os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.005)
