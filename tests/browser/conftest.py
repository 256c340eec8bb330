"""Pages with the unmodified official client, and a real server for them.

Owns: the fixtures `house` (a server, a room, an inbox for its webhooks) and `browser` (Chromium, driven by
`driver.mjs` over JSON lines).

Always holds: Node and Chromium end with the test: the driver ends when its stdin does, which is also when we
are killed. Nothing but loopback is reached: what a page asks of another host is refused and kept in
`browser.blocked`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.demo.inbox import Inbox
from callboard.demo.server import ServerProcess
from callboard.demo.stage import RunningServer, Stage

HERE = Path(__file__).parent
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
STREAM_LIMIT = 16 * 1024 * 1024  # bytes of one line of the driver
SECRET = "whsec_" + base64.b64encode(b"the browser tests' endpoint secret").decode()

Report = dict[str, Any]


@dataclass(frozen=True)
class House:
    """A running server with a room; `inbox` is the backend that its events go to."""

    server: ServerProcess
    stage: Stage

    @property
    def url(self) -> str:
        return self.server.base_url

    @property
    def inbox(self) -> Inbox:
        return self.stage.inbox

    def mint(self, role: str, user: str) -> str:
        """A token to join the room with."""
        return self.stage.tokens.mint_app_token(self.stage.room_id, role, user)

    async def reported(self, kind: str, deadline: float = 30.0, **attributes: str) -> None:
        """The event arrives at the backend."""
        await self.inbox.until(lambda: self.inbox.has(kind, **attributes), deadline, f"{kind} {attributes}")


class Page:
    """A page with the client. `report` is what it shows; see `window.party` in page.js."""

    def __init__(self, browser: Browser, name: str) -> None:
        self._browser = browser
        self.name = name

    async def call(self, function: str, **args: Any) -> Any:
        """Call `window.party.<function>`. Raises `PageError`."""
        return await self._browser.command("call", page=self.name, name=function, args=args)

    async def join(self, house: House, role: str, **settings: bool) -> None:
        """Join the room, with microphone and camera unless `audio` or `video` is False."""
        token = house.mint(role, self.name)
        await self.call("join", server=house.url, token=token, name=self.name, **settings)

    async def offline(self, value: bool) -> None:
        """Take the page's network away, or give it back."""
        await self._browser.command("offline", page=self.name, value=value)

    async def close(self) -> None:
        """Close it, as closing the tab does."""
        await self._browser.command("close", page=self.name)

    async def report(self) -> Report:
        report: Report = await self.call("report")
        return report

    async def until(self, holds: Callable[[Report], object], what: str, deadline: float = 30.0) -> Report:
        """The first report for which `holds` is true. Raises `TimeoutError` with the last one."""
        report: Report = {}
        try:
            async with asyncio.timeout(deadline):
                while not holds(report := await self.report()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            shown = json.dumps(report, indent=1)
            raise TimeoutError(f"{self.name}: not within {deadline:g} s: {what}; last seen:\n{shown}") from None
        return report


class PageError(Exception):
    """A command failed in the page; the message is the page's."""


class Browser:
    """The driver process. Everything it tells unasked is kept in `events`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Any]] = {}
        self._ready = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self._reading = asyncio.create_task(self._read(), name="browser-driver")

    @property
    def blocked(self) -> set[str]:
        """The origins that pages asked for and that are not on this machine."""
        urls = [event["url"] for event in self.events if event["event"] == "blocked"]
        return {"/".join(url.split("/", 3)[:3]) for url in urls}

    def console(self, page: str) -> list[str]:
        """What was written to the page's console."""
        return [event["text"] for event in self.events if event["event"] == "console" and event["page"] == page]

    @property
    def page_errors(self) -> list[str]:
        """Exceptions that nobody caught in a page."""
        return [event["text"] for event in self.events if event["event"] == "pageerror"]

    async def open(self, name: str) -> Page:
        """A new page, alone in its browser context."""
        await self.command("open", page=name)
        return Page(self, name)

    async def command(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result. Raises `PageError`, `TimeoutError`."""
        number = next(self._ids)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending[number] = answer
        assert self._process.stdin is not None
        try:
            line = json.dumps({"id": number, "do": do, **arguments})
            self._process.stdin.write(line.encode() + b"\n")
            async with asyncio.timeout(60):
                await self._process.stdin.drain()
                return await answer
        finally:
            del self._pending[number]

    async def started(self) -> None:
        """Return when Chromium runs."""
        async with asyncio.timeout(60):
            await self._ready.wait()

    async def stop(self) -> None:
        """End Chromium and Node: by closing stdin, and if that does not do, by killing."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 15)
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


@pytest.fixture(scope="session")
def bundle() -> None:
    """The packages of package-lock.json, installed once per lock file, and the page's bundle."""
    lock = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    stamp = HERE / "node_modules" / ".callboard-lock"
    if not stamp.exists() or stamp.read_text() != lock:
        _npm("ci", "--ignore-scripts")
        stamp.write_text(lock)
    _npm("run", "--silent", "bundle")


def _npm(*arguments: str) -> None:
    done = subprocess.run(["npm", *arguments], cwd=HERE, timeout=300, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"npm {' '.join(arguments)} failed:\n{done.stderr}"


@pytest.fixture
async def browser(bundle: None) -> AsyncIterator[Browser]:
    """Chromium, with fake devices."""
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert chromium is not None, f"Chromium is not installed (looked for {', '.join(CHROMIUM)})"
    process = await asyncio.create_subprocess_exec(
        "node",
        "driver.mjs",
        chromium,
        str(HERE),
        cwd=HERE,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=STREAM_LIMIT,
    )
    browser = Browser(process)
    try:
        await browser.started()
        yield browser
    finally:
        await browser.stop()


GRACE_SECONDS = 8.0


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A server of its own, which delivers to an inbox, and a room with the demo's roles."""
    settings = {
        "CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS": str(GRACE_SECONDS),
    }
    server = ServerProcess(tmp_path, settings)
    await server.start()
    try:
        keys = RunningServer(server.base_url, server.access_key, server.secret)
        async with (
            Inbox(SECRET) as inbox,
            Stage(keys, inbox, SECRET, clock=SystemClock(), ids=RandomIds()) as stage,
        ):
            yield House(server, stage)
    finally:
        await server.stop()
