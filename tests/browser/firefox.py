"""Firefox with the unmodified official client, driven over WebDriver BiDi (https://w3c.github.io/webdriver-bidi).

Owns: `Firefox`: one process per page, because a page that is not in front gets no devices (janus.md §6).

Always holds: a process cannot outlive us (PR_SET_PDEATHSIG); its profile goes with it. Whatever a page asks of another
host goes to a proxy that is not there.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.browser.conftest import Page
from websockets.asyncio.client import ClientConnection, connect

from callboard.background import Background

HERE = Path(__file__).parent
PROGRAMS = ("firefox-esr", "firefox")
PR_SET_PDEATHSIG = 1
PREFERENCES = {
    "focusmanager.testmode": True,  # each page takes itself for the one in front
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "localhost, 127.0.0.1",
    "app.update.auto": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
}

CALL = "async (name, given) => JSON.stringify((await window.party[name](JSON.parse(given))) ?? null)"


def program() -> str | None:
    """Where Firefox is, if it is installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """The page and its bundle, over HTTP; where they are."""
    files = {"/": ("index.html", "text/html"), "/page.bundle.js": ("build/page.bundle.js", "text/javascript")}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            writer.close()
            return
        name, kind = files.get(head.split()[1].decode(), ("", "text/plain"))
        body = (HERE / name).read_bytes() if name else b""
        status = "200 OK" if name else "404 Not Found"
        headers = f"Content-Type: {kind}; charset=utf-8\r\nContent-Length: {len(body)}\r\nConnection: close"
        writer.write(f"HTTP/1.1 {status}\r\n{headers}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


class Tab:
    """One Firefox with one page."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.context = ""

    async def read(self) -> None:
        """Take what Firefox says, until it is gone."""
        async for text in self._socket:
            message = json.loads(text)
            waiting = self._waiting.pop(message.get("id") or 0, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)

    async def command(self, method: str, **params: Any) -> dict[str, Any]:
        """A BiDi command's result. Raises `RuntimeError` with the browser's words."""
        number = next(self._numbers)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        message = await asyncio.wait_for(answer, 60)
        if message.get("type") == "error":
            raise RuntimeError(f"{method}: {message.get('message')}")
        result: dict[str, Any] = message["result"]
        return result

    async def open(self, address: str) -> None:
        """Load the page."""
        await self.command("session.new", capabilities={})
        tree = await self.command("browsingContext.getTree", maxDepth=0)
        self.context = tree["contexts"][0]["context"]
        await self.command("browsingContext.navigate", context=self.context, url=address, wait="complete")
        await self.command("browsingContext.activate", context=self.context)

    async def call(self, function: str, arguments: dict[str, Any]) -> Any:
        """`window.party.<function>`. Raises `RuntimeError` with the page's words."""
        answer = await self.command(
            "script.callFunction",
            functionDeclaration=CALL,
            arguments=[{"type": "string", "value": function}, {"type": "string", "value": json.dumps(arguments)}],
            target={"context": self.context},
            awaitPromise=True,
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"]["value"])


class Firefox:
    """Pages, each in a Firefox of its own. Speaks as `conftest.Browser` does, as far as pages ask."""

    def __init__(self, program: str, address: str, background: Background) -> None:
        self._program = program
        self._address = address
        self._background = background
        self._tabs: dict[str, tuple[Tab, AsyncExitStack]] = {}

    async def open(self, name: str) -> Page:
        """A new page."""
        async with AsyncExitStack() as parts:
            socket = await parts.enter_async_context(self._process())
            tab = Tab(socket)
            self._background.start(tab.read())
            await tab.open(self._address)
            self._tabs[name] = (tab, parts.pop_all())
        return Page(self, name)

    async def close(self, name: str) -> None:
        """End the page's Firefox."""
        _, parts = self._tabs.pop(name)
        await parts.aclose()

    async def clear(self) -> None:
        """End all."""
        for name in tuple(self._tabs):
            await self.close(name)

    async def command(self, do: str, **arguments: Any) -> Any:
        """What `Page` asks of its browser."""
        if do != "call":
            raise NotImplementedError(f"{do} is not done in Firefox")
        return await self._tabs[arguments["page"]][0].call(arguments["name"], arguments["args"])

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[ClientConnection]:
        with tempfile.TemporaryDirectory(prefix="firefox-", ignore_cleanup_errors=True) as profile:
            lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in PREFERENCES.items()]
            (Path(profile) / "user.js").write_text("".join(lines))
            process = await asyncio.create_subprocess_exec(
                *(self._program, "--headless", "--remote-debugging-port=0", "--profile", profile, "about:blank"),
                env={"HOME": profile, "PATH": "/usr/bin:/bin"},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                preexec_fn=_die_with_parent,
            )
            assert process.stderr is not None
            try:
                async with asyncio.timeout(60):
                    while b"BiDi listening on" not in (line := await process.stderr.readline()):
                        assert line, "Firefox did not start"
                self._background.start(_drain(process.stderr))
                url = line.split()[-1].decode() + "/session"
                async with connect(url, max_size=None, proxy=None) as socket:
                    yield socket
            finally:
                if process.returncode is None:
                    process.kill()
                await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


@asynccontextmanager
async def firefox() -> AsyncIterator[Firefox]:
    """Firefox, if it is installed."""
    found = program()
    assert found is not None, f"Firefox is not installed (looked for {', '.join(PROGRAMS)})"
    background = Background("firefox")
    async with served() as address:
        browser = Firefox(found, address, background)
        try:
            yield browser
        finally:
            await browser.clear()
            await background.stop()
