"""A Node program that drives a browser: commands to its stdin, answers and what it tells unasked from its stdout.

Owns: `Driver`, `PageError`.

Always holds: the program ends with the test: when its stdin ends, which is also when we are killed, it ends the
browser.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_LINE_BYTES = 16 * 1024 * 1024
_SECONDS = 60.0
"""For an answer, and until the browser runs."""
_STOP_SECONDS = 15.0


class PageError(Exception):
    """A command failed in the page; the message is the page's."""


class Driver:
    """The program. Everything that it tells unasked is kept in `events`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._ready = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read(), name="browser-driver")

    @classmethod
    @asynccontextmanager
    async def started(cls, program: Path, *arguments: str) -> AsyncIterator[Self]:
        """Run `program` with Node, in its folder; it is given Chromium's path before these arguments."""
        process = await asyncio.create_subprocess_exec(
            "node",
            str(program),
            _chromium(),
            *arguments,
            cwd=program.parent,
            env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
        )
        driver = cls(process)
        try:
            async with asyncio.timeout(_SECONDS):
                await driver._ready.wait()
            yield driver
        finally:
            await driver._stop()

    async def command(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result. Raises `PageError`, `TimeoutError`."""
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        assert self._process.stdin is not None
        try:
            line = json.dumps({"id": number, "do": do, **arguments})
            self._process.stdin.write(line.encode() + b"\n")
            async with asyncio.timeout(_SECONDS):
                await self._process.stdin.drain()
                return await answer
        finally:
            del self._pending[number]

    def told(self, kind: str) -> list[dict[str, Any]]:
        """The events of this kind, in order."""
        return [event for event in self.events if event["event"] == kind]

    async def _stop(self) -> None:
        """End the browser and Node: by closing stdin, and if that does not do, by killing."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            message = json.loads(line)
            if "event" in message:
                self.events.append(message)
                if message["event"] == "ready":
                    self._ready.set()
            elif (answer := self._pending.get(message["id"])) is not None and not answer.done():
                if "error" in message:
                    answer.set_exception(PageError(message["error"]))
                else:
                    answer.set_result(message["result"])
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(PageError("the driver has ended"))


def _chromium() -> str:
    """Where Chromium is."""
    program = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    assert program is not None, f"Chromium is not installed (looked for {', '.join(_CHROMIUM)})"
    return program
