"""A real S3 server (JuiceFS's gateway, which is MinIO's) as a child, and both storages to run the same tests on.

The gateway checks signatures and the SHA-256 of bodies. It dies with pytest: `setpriv --pdeathsig` (util-linux).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yarl
from aiohttp import web

from callboard.clock import SystemClock
from callboard.storage import Bucket, Destination, Folder, Limits, Storage, links, serving
from callboard.testing.s3 import S3Server

MIB = 1 << 20
LIMITS = Limits(request=10.0, slowest=4 * MIB, part=5 * MIB, parts=2, abort=5.0)


Rule = Callable[[web.Request, bytes], Awaitable["bytes | web.Response"]]


Amend = Callable[[web.Request, dict[str, str], bytes], tuple[dict[str, str], bytes]]


class Connector(aiohttp.TCPConnector):
    """Connections that can be ended at once, also when what they were to send is not sent: a request that is cancelled
    in mid-upload would leave its transport closing for longer than the test's event loop lives."""

    def __init__(self) -> None:
        super().__init__()
        self._transports: list[asyncio.Transport] = []

    async def connect(self, *arguments: Any, **named: Any) -> Any:
        connection = await super().connect(*arguments, **named)
        if connection.transport is not None:
            self._transports.append(connection.transport)
        return connection

    def abort(self) -> None:
        for transport in self._transports:
            transport.abort()


class Proxy:
    """Stands between a bucket and its server. `rule` gets each request and its body, and returns the body to send on,
    or an answer; `seen` are the requests: method, path and query.

    `amend` may replace headers and body of the server's answer.
    """

    def __init__(self, server: S3Server) -> None:
        self._server = server
        self.seen: list[str] = []
        self.rule: Rule = self.pass_on
        self.amend: Amend = lambda _, headers, body: (headers, body)
        self.port = 0

    @staticmethod
    async def pass_on(request: web.Request, body: bytes) -> bytes | web.Response:
        return body

    def destination(self, bucket: str) -> Destination:
        return replace(self._server.destination(bucket), endpoint=f"http://127.0.0.1:{self.port}")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(f"{request.method} {request.raw_path}")
        ruled = await self.rule(request, body)
        if isinstance(ruled, web.Response):
            return ruled
        url = yarl.URL(f"{self._server.endpoint}{request.raw_path}", encoded=True)
        connector = Connector()
        async with aiohttp.ClientSession(auto_decompress=False, connector=connector) as session:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
            sending = session.request(request.method, url, headers=headers, data=io.BytesIO(ruled))
            async with _ended(connector), sending as answer:
                kept = {"content-length", "content-type", "etag", "last-modified", "content-range"}
                told = {name.lower(): value for name, value in answer.headers.items() if name.lower() in kept}
                if request.method != "HEAD":
                    told.pop("content-length", None)  # `amend` may change it
                told, content = self.amend(request, told, await answer.read())
                return web.Response(status=answer.status, body=content, headers=told)


@asynccontextmanager
async def _ended(connector: Connector) -> AsyncIterator[None]:
    try:
        yield
    finally:
        connector.abort()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server that keeps ETags and content types, with the bucket `recordings`."""
    server = S3Server(tmp_path_factory.mktemp("s3"), "--keep-etag", "--object-meta")
    server.start()
    server.create_bucket("recordings")
    yield server
    server.stop()


@pytest.fixture
def own_s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server for one test, to be stopped and started. It keeps no ETags."""
    server = S3Server(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def full_s3_server(tmp_path: Path) -> Iterator[S3Server]:
    """A server with room for a few dozen files."""
    server = S3Server(tmp_path, volume=["--inodes", "60"])
    server.start()
    server.create_bucket("recordings")
    yield server
    server.stop()


@pytest.fixture
async def proxy(s3_server: S3Server) -> AsyncIterator[Proxy]:
    proxy = Proxy(s3_server)
    application = web.Application(client_max_size=64 * MIB)
    application.router.add_route("*", "/{path:.*}", proxy.handle)
    async with serve(application) as proxy.port:
        yield proxy


class serve:  # noqa: N801 - used like a function
    """Serve `application` on a free port of loopback: `async with serve(application) as port`."""

    def __init__(self, application: web.Application) -> None:
        self._runner = web.AppRunner(application, handler_cancellation=True, shutdown_timeout=1.0)

    async def __aenter__(self) -> int:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port: int = self._runner.addresses[0][1]
        return port

    async def __aexit__(self, *error: object) -> None:
        await self._runner.cleanup()


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Folder]:
    """A folder whose URLs are served by the handler that an HTTP server would have."""
    root = tmp_path / "root"
    root.mkdir()
    holder: list[Folder] = []

    async def handle(request: web.Request) -> web.Response:
        found, key = holder[0], request.match_info["key"]
        try:
            found.check_link(key, request.query["expires"], request.query["signature"])
        except links.InvalidLinkError:
            return web.Response(status=403)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = serving.answer(request.method, headers, await found.head(key), await found.content_type(key))
        body = b"".join([data async for data in found.read(key, answer.start, answer.length)])
        return web.Response(status=answer.status, headers=answer.headers, body=body if answer.length else None)

    application = web.Application()
    application.router.add_get("/files/{key:.*}", handle)
    async with serve(application) as port:
        secrets = [b"0123456789abcdef-new", b"0123456789abcdef-old"]
        holder.append(Folder(root, "recordings", f"http://127.0.0.1:{port}/files", secrets, SystemClock()))
        yield holder[0]


@pytest.fixture
def bucket(s3_server: S3Server) -> Bucket:
    return Bucket(s3_server.destination("recordings"), LIMITS)


@pytest.fixture(params=["folder", "bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    """Each of the two, for the tests that say what any storage must do."""
    found: Storage = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[[int], Path]:
    """Make a file of so many bytes, which no two calls make the same."""

    def make(size: int) -> Path:
        path = tmp_path / f"{os.urandom(8).hex()}.bin"
        with path.open("wb") as file:
            for start in range(0, size, MIB):
                file.write(os.urandom(min(MIB, size - start)))
        return path

    return make


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
