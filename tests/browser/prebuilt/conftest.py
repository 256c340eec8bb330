"""The meeting page in Chromium, used by its buttons, and a room with codes for it.

Owns: the fixtures `meeting` (a server, a room, its codes) and `people` (who open the page with one of them), and the
same for people whose network lets no UDP through: `meeting_by_turn`, `people_without_udp`.

Always holds: Node and Chromium end with the test: the driver ends when its stdin does, which is also when we are
killed. Everything that a page asks of anybody is kept, and every error in its console.
"""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.demo.inbox import Inbox
from callboard.demo.server import ServerProcess
from callboard.demo.stage import RunningServer, Stage, role
from callboard.media.addresses import host_addresses
from callboard.meeting import link
from callboard.testing.coturn import Coturn, running_coturn
from callboard.testing.driver import Driver

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ARTEFACTS = ROOT / "build" / "meeting"  # git-ignored
SECRET = "whsec_" + base64.b64encode(b"the meeting tests' endpoint secret").decode()

Look = dict[str, Any]
"""What a page shows: see `look` in driver.mjs."""

ROLES = {
    "host": role(
        allowed=("audio", "video", "screen"),
        subscribes=("host", "guest"),
        endRoom=True,
        removeOthers=True,
        changeRole=True,
        mute=True,
        unmute=True,
    ),
    "guest": role(allowed=("audio", "video"), subscribes=("host", "guest")),
}


@dataclass(frozen=True)
class Meeting:
    """A server, and a room on it that people come to by code. `codes` are by role."""

    server: ServerProcess
    stage: Stage
    codes: dict[str, str]

    @property
    def host(self) -> str:
        """The server's host and port."""
        return self.server.base_url.partition("//")[2]

    def url(self, role_name: str, query: str = "") -> str:
        """The page for this role."""
        return link(self.server.base_url, self.codes[role_name]) + query

    async def reported(self, kind: str, deadline: float = 60.0, **attributes: str) -> None:
        """The event arrives at the backend."""
        inbox = self.stage.inbox
        await inbox.until(lambda: inbox.has(kind, **attributes), deadline, f"{kind} {attributes}")


class Someone:
    """A person in front of the page."""

    def __init__(self, people: People, name: str) -> None:
        self._people = people
        self.name = name

    async def click(self, thing: str) -> None:
        """Click what has this test id, once it is there."""
        await self._do("click", selector=f"[data-testid={thing}] >> visible=true")

    async def click_text(self, text: str) -> None:
        """Click the button with this text, once it is there."""
        await self._do("click", selector=f'button:has-text("{text}") >> visible=true')

    async def click_on(self, selector: str) -> None:
        """Click what this CSS selector finds, once it is there."""
        await self._do("click", selector=selector)

    async def hover(self, selector: str) -> None:
        """Move the pointer there."""
        await self._do("hover", selector=selector)

    async def join(self) -> None:
        """From the preview into the room, under one's name."""
        await self._do("fill", selector="input#name", text=self.name)
        await self.click_text("Join Now")

    async def write(self, message: str) -> None:
        """Send a chat message; the chat must be open."""
        box = "textarea >> visible=true"
        await self._do("fill", selector=box, text=message)
        await self._do("press", selector=box, key="Enter")

    async def look(self) -> Look:
        """What the page shows now."""
        look: Look = await self._do("look")
        return look

    async def sees(self, holds: Callable[[Look], object], what: str, deadline: float = 60.0) -> Look:
        """The first look for which `holds` is true. Raises `TimeoutError` with the last one and the console."""
        look: Look = {}
        try:
            async with asyncio.timeout(deadline):
                while not holds(look := await self.look()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            await self.screenshot(f"failed-{self.name}")
            shown = json.dumps(look, indent=1)
            told = "\n".join(self._people.console(self.name))
            raise TimeoutError(f"{self.name}: not within {deadline:g} s: {what}; saw:\n{shown}\n{told}") from None
        return look

    async def screenshot(self, name: str) -> Path:
        """Keep a picture of the page among the artefacts."""
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        path = ARTEFACTS / f"{name}.png"
        await self._do("screenshot", path=str(path))
        return path

    async def close(self) -> None:
        """Close the page, as closing the tab does."""
        await self._do("close")

    async def _do(self, command: str, **arguments: Any) -> Any:
        return await self._people.command(command, page=self.name, **arguments)


class People:
    """Who sit in front of pages, in one Chromium."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def console(self, page: str, *kinds: str) -> list[str]:
        """What was written to the page's console, all of it or these kinds."""
        told = [one for one in self._driver.told("console") if one["page"] == page]
        return [f"{one['kind']}: {one['text']}" for one in told if not kinds or one["kind"] in kinds]

    @property
    def errors(self) -> list[str]:
        """Errors in any console, and exceptions that nobody caught."""
        told = [one for one in self._driver.told("console") if one["kind"] == "error"]
        return [one["text"] for one in [*told, *self._driver.told("pageerror")]]

    @property
    def asked(self) -> set[str]:
        """Whom the pages have sent requests to: hosts with their ports."""
        urls = (urlsplit(one["url"]) for one in self._driver.told("request"))
        return {url.netloc for url in urls if url.scheme not in {"data", "blob"}}

    async def open(self, name: str, url: str) -> Someone:
        """Somebody opens this page, in a browser context of their own."""
        await self.command("open", page=name, url=url)
        return Someone(self, name)

    async def command(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result. Raises `PageError`, `TimeoutError`."""
        return await self._driver.command(do, **arguments)


@pytest.fixture(scope="session")
def built(bundle: None) -> None:
    """The page, built from its lock file before any server starts. (`bundle` has installed playwright-core.)"""
    script = ROOT / "scripts" / "build-meeting.sh"
    done = subprocess.run([script], timeout=600, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{script.name} failed:\n{done.stdout}{done.stderr}"


@asynccontextmanager
async def opened(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Meeting]:
    """A server of its own with these settings, which delivers to an inbox, and a room with a code for each role."""
    server = ServerProcess(folder, settings)
    await server.start()
    try:
        keys = RunningServer(server.base_url, server.access_key, server.secret)
        async with (
            Inbox(SECRET) as inbox,
            Stage(keys, inbox, SECRET, clock=SystemClock(), ids=RandomIds(), roles=ROLES) as stage,
        ):
            made = await stage.rest.post(f"/v2/room-codes/room/{stage.room_id}", {})
            yield Meeting(server, stage, {one["role"]: one["code"] for one in made["data"]})
    finally:
        await server.stop()


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[People]:
    """Chromium with fake devices and these flags."""
    async with Driver.started(HERE / "driver.mjs", *flags) as driver:
        yield People(driver)


@pytest.fixture
async def meeting(built: None, tmp_path: Path) -> AsyncIterator[Meeting]:
    """A room with a host's code and a guest's."""
    async with opened(tmp_path, {}) as meeting:
        yield meeting


@pytest.fixture
async def people(built: None) -> AsyncIterator[People]:
    """People with a network like any other."""
    async with chromium() as people:
        yield people


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    """A TURN server that relays from an address which Janus can send to."""
    async with running_coturn(tmp_path, "logen-south-logen-north", relay_ip=host_addresses()[0]) as coturn:
        yield coturn


@pytest.fixture
async def meeting_by_turn(built: None, tmp_path: Path, coturn: Coturn) -> AsyncIterator[Meeting]:
    """A room on a server that shares its secret with the TURN server."""
    settings = {
        "CALLBOARD_MEDIA__TURN_SECRET": coturn.secret,
        "CALLBOARD_MEDIA__TURN_URLS": f'["turn:127.0.0.1:{coturn.port}?transport=tcp"]',
    }
    async with opened(tmp_path, settings) as meeting:
        yield meeting


@pytest.fixture
async def people_without_udp(built: None) -> AsyncIterator[People]:
    """People from whose network no UDP gets out."""
    policy = "webrtc-ip-handling-policy=disable_non_proxied_udp"
    async with chromium(f"--{policy}", f"--force-{policy}") as people:
        yield people
