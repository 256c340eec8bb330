"""The programs that Callboard starts, and what has to be built.

Owns: looking for Janus, FFmpeg and the meeting page, and at the limits of this process.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from callboard.doctor.finding import Finding, broken, care, well
from callboard.meeting import load

SECONDS: Final = 10.0
"""For a program to say its version."""
NEEDED: Final = {"encoder": ("libx264", "aac"), "decoder": ("libopus",)}
"""Of FFmpeg, for recordings."""
FILES_NEEDED: Final = 4096
"""Open files: two sockets for each client, four for its media, and the webhooks' connections."""


async def janus(program: str) -> Finding:
    """The media engine: without it no server starts."""
    path = shutil.which(program)
    if path is None:
        return broken("Janus", f"{program!r} was not found", "apt install janus, or set media.janus to its path")
    said = await _said(path, "--version", code=1)  # 1.1.2 tells its version, and that it knows no such option
    if said is None or "version" not in said:
        return broken("Janus", f"{path} does not run", f"try it: {path} --version")
    return well("Janus", f"{path}: {said}")


async def ffmpeg() -> Finding:
    """What recordings are made with: a server runs without it, recordings do not."""
    path = shutil.which("ffmpeg")
    said = await _said(path, "-version") if path else None
    if path is None or said is None:
        return care(
            "FFmpeg", "it was not found, or does not run", "apt install ffmpeg: no recording is made without it"
        )
    missing: list[str] = []
    for role, names in NEEDED.items():
        known = await _said(path, "-hide_banner", f"-{role}s", whole=True) or ""
        missing += [f"{role} {name}" for name in names if f" {name} " not in known]
    if missing:
        return care("FFmpeg", f"{path} has no {', no '.join(missing)}", "install a build that has: apt install ffmpeg")
    return well("FFmpeg", f"{path}: {said.partition(' Copyright')[0]}")


def meeting_page(built: Callable[[], object | None] = load) -> Finding:
    """The page on which people meet."""
    if built() is None:
        node = "" if shutil.which("npm") else " (needs Node 18 or newer: apt install nodejs npm)"
        return care(
            "meeting page", "it is not built", f"make meeting{node}: /meeting/<room code> shows nothing without it"
        )
    return well("meeting page", "it is built")


def open_files() -> Finding:
    """How many files and sockets this user's processes may have open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= FILES_NEEDED:
        return well("open files", f"{soft} may be open")
    remedy = f"ulimit -n {FILES_NEEDED} (systemd: LimitNOFILE=); a client needs about six"
    return care("open files", f"only {soft} may be open (at most {hard})", remedy)


async def _said(path: str, *arguments: str, whole: bool = False, code: int = 0) -> str | None:
    """What the program prints, its first line or all; None if it ends with neither 0 nor `code`, or not at all."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(Path(path)),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    text = output.decode(errors="replace").strip()
    return None if process.returncode not in {0, code} else text if whole else text.partition("\n")[0]
