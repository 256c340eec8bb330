"""Heavy work in a child process.

Owns: `run_process`.

Always holds: the child does not outlive the call, however it ends (a cancelled one kills it and the processes it
started), nor this process, however that ends (`launch.py`; only the child itself then, not what it started). It gets
none of our environment, which may hold secrets. What it prints is bounded.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from callboard.jobs import launch
from callboard.jobs.memory import oom_kills

MOST_OUTPUT = 1_048_576
"""Bytes of standard output, unless asked for otherwise."""
MOST_COMPLAINTS = 16_384
"""Bytes that are kept of the end of standard error."""
MOST_LINE = 65_536
_KILLED_SECONDS = 10.0
_CHUNK = 65_536

ReadProgress = Callable[[str], float | None]
"""Reads a line of standard output: how much is done (0.0 to 1.0), or None if the line doesn't say."""

log = logging.getLogger("callboard.jobs")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program that has ended well printed.

    `output` is its standard output, b"" if that was read for progress; `complaints` the end of its standard error.
    """

    output: bytes
    complaints: str


class ProcessFailed(Exception):  # noqa: N818 - an event, said as the sentence it is
    """The program did not do its work. `code` is its exit code, negative for a signal. `starved`: the kernel killed it,
    or another at the same time, for want of memory."""

    def __init__(self, program: str, how: str, code: int, complaints: str, *, starved: bool = False) -> None:
        said = f": {complaints.strip()[-1_000:]}" if complaints.strip() else ""
        super().__init__(f"{program} {how}{said}")
        self.code = code
        self.complaints = complaints
        self.starved = starved


class ProcessTimeout(ProcessFailed):
    """The program was not done at its deadline, and was killed."""


class TooMuchOutput(ProcessFailed):
    """The program printed more than was asked for, and was killed."""


async def run_process(
    command: Sequence[str],
    *,
    deadline: float,
    progress: ReadProgress | None = None,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    niceness: int = 10,
    memory: int = 0,
    most_output: int = MOST_OUTPUT,
) -> Finished:
    """Run `command` to its end, within `deadline` seconds.

    Its standard output is given line by line to `progress`, or kept. `environment` is all that it gets besides PATH
    and a UTF-8 locale; `memory` limits its address space (bytes, 0 for no limit). Raises `ProcessFailed` if it ends
    with another code than 0 (127: there is no such program), `ProcessTimeout`, `TooMuchOutput`.
    """
    program, kills = Path(command[0]).name, oom_kills()
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), str(niceness), str(memory)),
        *command,
        cwd=folder,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,  # a process group of its own, to be killed as one
    )
    assert child.stdout is not None
    assert child.stderr is not None
    complaints = _Tail(MOST_COMPLAINTS)
    output = _Whole(most_output, lambda: _kill(child)) if progress is None else _Lines(progress)
    try:
        async with asyncio.timeout(deadline):
            await asyncio.gather(_read(child.stdout, output.add), _read(child.stderr, complaints.add))
            code = await child.wait()
    except TimeoutError:
        how = f"was not done after {deadline:g} s"
        raise ProcessTimeout(program, how, -signal.SIGKILL, complaints.text()) from None
    finally:
        await _end(child, program)
    if output.too_much:
        raise TooMuchOutput(program, f"printed more than {most_output} bytes", code, complaints.text())
    if code != 0:
        starved = code == -signal.SIGKILL and oom_kills() > kills
        how = f"{_how(code)} for want of memory" if starved else _how(code)
        raise ProcessFailed(program, how, code, complaints.text(), starved=starved)
    return Finished(output.kept(), complaints.text())


async def _end(child: asyncio.subprocess.Process, program: str) -> None:
    """Kill what still runs; does not wait for ever for a child that the kernel does not let go."""
    if child.returncode is not None:
        return
    _kill(child)
    try:
        async with asyncio.timeout(_KILLED_SECONDS):
            await child.wait()
    except TimeoutError:
        log.critical("%s, pid %d, has been killed and does not end", program, child.pid)


def _kill(child: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


async def _read(stream: asyncio.StreamReader, add: Callable[[bytes], None]) -> None:
    while chunk := await stream.read(_CHUNK):
        add(chunk)


def _how(code: int) -> str:
    return f"ended with code {code}" if code >= 0 else f"was killed by signal {-code}"


class _Whole:
    """All of the output, up to a bound; `stop` is called when there is more."""

    def __init__(self, most: int, stop: Callable[[], None]) -> None:
        self._most = most
        self._stop = stop
        self._kept = bytearray()
        self.too_much = False

    def add(self, chunk: bytes) -> None:
        if len(self._kept) + len(chunk) <= self._most:
            self._kept += chunk
        elif not self.too_much:
            self.too_much = True
            self._stop()

    def kept(self) -> bytes:
        return bytes(self._kept)


class _Lines:
    """The output, given away line by line. What is longer than `MOST_LINE` is no line, and is passed over."""

    too_much = False

    def __init__(self, read: ReadProgress) -> None:
        self._read = read
        self._begun = b""
        self._passing = False

    def add(self, chunk: bytes) -> None:
        *lines, rest = (self._begun + chunk).split(b"\n")
        for line in lines:
            if not self._passing:
                self._read(line.decode(errors="replace"))
            self._passing = False
        self._passing = self._passing or len(rest) > MOST_LINE
        self._begun = b"" if self._passing else rest

    def kept(self) -> bytes:
        return b""


class _Tail:
    """The end of what is printed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = b""

    def add(self, chunk: bytes) -> None:
        self._kept = (self._kept + chunk)[-self._most :]

    def text(self) -> str:
        return self._kept.decode(errors="replace")
