"""FFmpeg and other child processes, for tests that kill them.

Owns: `ffmpegs_in`, `kill_ffmpegs`, `kill_working`.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
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
    """Kill (SIGKILL) each FFmpeg that begins to work there, until so many were killed. One that has ended meanwhile by
    itself does not count."""
    killed: set[int] = set()
    while len(killed) < most:
        for pid in ffmpegs_in(folder):
            if pid not in killed and kill_working(pid):
                killed.add(pid)
        await asyncio.sleep(0.005)


def kill_working(pid: int) -> bool:
    """Kill a process in the midst of its work; False if it has ended by itself. Blocks, for hardly a moment."""
    try:
        os.kill(pid, signal.SIGSTOP)
        while (state := _state(pid)) not in "TZX":
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state == "T"


def _state(pid: int) -> str:
    """proc_pid_stat(5): T is stopped, Z has ended."""
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
