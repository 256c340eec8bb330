"""Pages with the unmodified official client, and a real server for them.

Owns: the fixtures `house` (a room of its own on a server that all tests share, and what its backend was told),
`own_house` (a server of its own too, for tests that kill it) and `browser` (pages in one Chromium that all tests
share, driven by `driver.mjs` over JSON lines).

Always holds: Node and Chromium end with the tests: the driver ends when its stdin does, which is also when we
are killed. A test's pages are closed when it ends. Nothing but loopback is reached: what a page asks of another
host is refused and kept in `browser.blocked`.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio

from callboard.clock import RandomIds, SystemClock
from callboard.demo.inbox import Inbox
from callboard.demo.seen import Delivered
from callboard.demo.server import ServerProcess
from callboard.demo.stage import ROLES, RunningServer, Stage, role
from callboard.testing.driver import Driver

HERE = Path(__file__).parent
SECRET = "whsec_" + base64.b64encode(b"the browser tests' endpoint secret").decode()

Report = dict[str, Any]


EVERYBODY = ("host", "guest", "viewer", "star", "audience")
LAYERS = [
    {"rid": "f", "scaleResolutionDownBy": 1.0, "maxBitrate": 400, "maxFramerate": 10},
    {"rid": "h", "scaleResolutionDownBy": 2.0, "maxBitrate": 150, "maxFramerate": 10},
    {"rid": "q", "scaleResolutionDownBy": 4.0, "maxBitrate": 0, "maxFramerate": 10},
]


def _roles() -> dict[str, Mapping[str, Any]]:
    """The demo's roles with every permission that is tested, a role that sends simulcast, one without media."""
    host = role(
        allowed=("audio", "video", "screen"),
        subscribes=EVERYBODY,
        endRoom=True,
        removeOthers=True,
        changeRole=True,
        mute=True,
        unmute=True,
        pollRead=True,
        pollWrite=True,
    )
    guest = role(allowed=("audio", "video", "screen"), subscribes=EVERYBODY, pollRead=True)
    # Quick to take away and to give back, so that tests need not wait.
    guest["subscribeParams"]["subscribeDegradation"] = {
        "packetLossThreshold": 30,
        "degradeGracePeriodSeconds": 1,
        "recoverGracePeriodSeconds": 1,
    }
    star = role(allowed=("audio", "video"), subscribes=EVERYBODY)
    star["publishParams"] |= {
        "video": {"bitRate": 400, "width": 960, "height": 540, "frameRate": 10},
        "simulcast": {"video": {"layers": LAYERS}},
    }
    nobody: Any = role(subscribes=())
    return {
        **ROLES,
        "host": host,
        "guest": guest,
        "viewer": role(subscribes=EVERYBODY),
        "star": star,
        "audience": nobody,
    }


class RoomInbox:
    """What the backend was told about one room."""

    def __init__(self, inbox: Inbox, room_id: str) -> None:
        self._inbox = inbox
        self._room_id = room_id

    @property
    def first_arrivals(self) -> list[Delivered]:
        """Each event once, in the order of arrival."""
        return [one for one in self._inbox.first_arrivals if one.event.text("room_id") == self._room_id]

    def has(self, kind: str, **attributes: str) -> bool:
        """Whether an event of this type with these attributes has arrived."""
        return self._inbox.has(kind, room_id=self._room_id, **attributes)

    async def until(self, predicate: Callable[[], object], deadline: float, what: str) -> None:
        """Return once `predicate()` holds. Raises `TimeoutError`."""
        await self._inbox.until(predicate, deadline, what)


@dataclass(frozen=True)
class House:
    """A running server with a room; `inbox` is the backend that its events go to."""

    server: ServerProcess
    stage: Stage
    inbox: RoomInbox

    @property
    def url(self) -> str:
        return self.server.base_url

    def mint(self, role: str, user: str) -> str:
        """A token to join the room with."""
        return self.stage.tokens.mint_app_token(self.stage.room_id, role, user)

    async def reported(self, kind: str, deadline: float = 60.0, **attributes: str) -> None:
        """The event arrives at the backend."""
        await self.inbox.until(lambda: self.inbox.has(kind, **attributes), deadline, f"{kind} {attributes}")

    def told(self, kind: str) -> list[str]:
        """Whom the events of this type that have arrived are about."""
        return [one.event.who for one in self.inbox.first_arrivals if one.event.type == kind]


class Commands(Protocol):
    """What carries out a page's commands: `Browser`, `firefox.Firefox`."""

    async def command(self, do: str, **arguments: Any) -> Any: ...

    async def close(self, name: str) -> None: ...


class Page:
    """A page with the client. `report` is what it shows; see `window.party` in page.js."""

    def __init__(self, browser: Commands, name: str) -> None:
        self._browser = browser
        self.name = name

    async def call(self, function: str, **args: Any) -> Any:
        """Call `window.party.<function>`. Raises `PageError`."""
        return await self._browser.command("call", page=self.name, name=function, args=args)

    async def join(self, house: House, role: str, **settings: bool | str) -> None:
        """Join the room, with microphone and camera unless `audio` or `video` is False."""
        token = house.mint(role, self.name)
        await self.call("join", server=house.url, token=token, name=self.name, **settings)

    async def preview(self, house: House, role: str) -> None:
        """Look before joining: own devices, who is in."""
        await self.call("preview", server=house.url, token=house.mint(role, self.name), name=self.name)

    async def act(self, action: str, *args: Any) -> Any:
        """Any action of the client's (`HMSActions`), by its name. Raises `PageError`."""
        return await self.call("act", name=action, args=list(args))

    async def id(self) -> str:
        """Its own peer id."""
        return str(next(peer["id"] for peer in (await self.report())["peers"] if peer["local"]))

    async def offline(self, value: bool) -> None:
        """Take the page's network away, or give it back."""
        await self._browser.command("offline", page=self.name, value=value)

    async def close(self) -> None:
        """Close it, as closing the tab does."""
        await self._browser.close(self.name)

    async def crash(self) -> None:
        """Its process is gone without a word."""
        await self._browser.command("crash", page=self.name)

    async def report(self) -> Report:
        report: Report = await self.call("report")
        return report

    async def until(self, holds: Callable[[Report], object], what: str, deadline: float = 60.0) -> Report:
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


class Browser:
    """Chromium, by its driver."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._pages: set[str] = set()

    @property
    def blocked(self) -> set[str]:
        """The origins that pages asked for and that are not on this machine."""
        urls = [event["url"] for event in self._driver.told("blocked")]
        return {"/".join(url.split("/", 3)[:3]) for url in urls}

    def console(self, page: str) -> list[str]:
        """What was written to the page's console."""
        return [event["text"] for event in self._driver.told("console") if event["page"] == page]

    @property
    def page_errors(self) -> list[str]:
        """Exceptions that nobody caught in a page."""
        return [event["text"] for event in self._driver.told("pageerror")]

    async def open(self, name: str) -> Page:
        """A new page, alone in its browser context."""
        await self.command("open", page=name)
        self._pages.add(name)
        return Page(self, name)

    async def close(self, name: str) -> None:
        """Close a page as closing the tab does."""
        self._pages.discard(name)
        await self.command("close", page=name)

    async def clear(self) -> None:
        """Close all pages and forget what they told."""
        for name in tuple(self._pages):
            await self.close(name)
        self._driver.events.clear()

    async def command(self, do: str, **arguments: Any) -> Any:
        """Send a command and return its result. Raises `PageError`, `TimeoutError`."""
        return await self._driver.command(do, **arguments)


@pytest.fixture(scope="session")
def bundle() -> None:
    """What pages need is there."""
    bundle_once()


def bundle_once() -> None:
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


@asynccontextmanager
async def started_browser() -> AsyncIterator[Browser]:
    """Chromium with fake devices, whose pages have the client. The bundle must be there."""
    async with Driver.started(HERE / "driver.mjs", str(HERE)) as driver:
        yield Browser(driver)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _chromium(bundle: None) -> AsyncIterator[Browser]:
    async with started_browser() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def browser(_chromium: Browser) -> AsyncIterator[Browser]:
    """Chromium. The pages that a test opens are its own."""
    yield _chromium
    await _chromium.clear()


GRACE_SECONDS = 8.0
MEDIA_PORTS = (23_000, 23_999)
"""UDP ports of the shared server's media, so that a test can drop what passes there."""


@dataclass(frozen=True)
class Backend:
    """A running server and the inbox that all of its events go to."""

    server: ServerProcess
    inbox: Inbox


@asynccontextmanager
async def started_backend(folder: Path, settings: Mapping[str, str] | None = None) -> AsyncIterator[Backend]:
    """A server with its data in `folder`, which delivers to an inbox."""
    server = ServerProcess(folder, {"CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS": str(GRACE_SECONDS), **(settings or {})})
    await server.start()
    try:
        async with Inbox(SECRET) as inbox:
            yield Backend(server, inbox)
    finally:
        await server.stop()


@asynccontextmanager
async def opened_house(backend: Backend, *, endpoint: bool) -> AsyncIterator[House]:
    """A room of its own. `endpoint`: have events delivered to the inbox, which nothing else did before."""
    server = backend.server
    keys = RunningServer(server.base_url, server.access_key, server.secret)
    stage = Stage(keys, backend.inbox, SECRET, clock=SystemClock(), ids=RandomIds(), roles=_roles(), endpoint=endpoint)
    async with stage:
        yield House(server, stage, RoomInbox(backend.inbox, stage.room_id))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    ports = {"CALLBOARD_MEDIA__PORT_MIN": str(MEDIA_PORTS[0]), "CALLBOARD_MEDIA__PORT_MAX": str(MEDIA_PORTS[1])}
    async with started_backend(tmp_path_factory.mktemp("house"), ports) as backend:
        keys = RunningServer(backend.server.base_url, backend.server.access_key, backend.server.secret)
        await Stage(keys, backend.inbox, SECRET, clock=SystemClock(), ids=RandomIds()).listen()
        yield backend


@pytest_asyncio.fixture(loop_scope="session")
async def house(_backend: Backend) -> AsyncIterator[House]:
    """A room of its own, with the roles above, on the server that all tests share."""
    async with opened_house(_backend, endpoint=False) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="session")
async def own_house(tmp_path: Path) -> AsyncIterator[House]:
    """A room on a server of its own, which may be killed."""
    async with started_backend(tmp_path) as backend, opened_house(backend, endpoint=True) as house:
        yield house
