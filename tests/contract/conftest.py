"""What the contract tests share: the REST API, served by uvicorn on loopback, over a real SQLite database."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from litestar import Litestar
from litestar.types import ASGIApp

from callboard.api.app import api
from callboard.api.deps import Deps
from callboard.api.live import PeerView, SessionView
from callboard.auth.tokens import Tokens
from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.errors import NotFound
from callboard.ledger import Ledger
from callboard.rooms.models import Room
from callboard.rooms.polls_store import PollStore
from callboard.rooms.room_codes import RoomCodes
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.store import Store
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.ping import Pinger
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context

NOW = 1_800_000_000 * NANOSECONDS


class Clock:
    """A second passes at each look, so that ids of one test have an order."""

    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> int:
        self.instant += NANOSECONDS
        return self.instant


@dataclass
class Live:
    """Live rooms in memory: what `api.live.LiveRooms` promises, without sockets and media."""

    sessions: dict[str, SessionView] = field(default_factory=dict)
    said: list[tuple[Any, ...]] = field(default_factory=list)

    def session_of(self, room_id: str) -> SessionView | None:
        return self.sessions.get(room_id)

    async def end_room(self, room_id: str, reason: str, *, lock: bool) -> None:
        if self.sessions.pop(room_id, None) is None:
            raise NotFound("session not found")
        self.said.append(("end", room_id, reason, lock))

    async def remove_peers(self, room_id: str, *, peer_id: str | None, role: str | None, reason: str) -> None:
        session = self.sessions[room_id]
        if peer_id is not None and peer_id not in session.peers:
            raise NotFound("peer not found")
        gone = [peer.id for peer in session.peers.values() if peer.id == peer_id or peer.role == role]
        staying = {key: peer for key, peer in session.peers.items() if key not in gone}
        self.sessions[room_id] = replace(session, peers=staying)
        self.said.append(("remove", room_id, peer_id, role, reason))

    async def update_peer(
        self, room_id: str, peer_id: str, *, name: str | None, role: str | None, data: str | None
    ) -> PeerView:
        session = self.sessions[room_id]
        before = session.peers.get(peer_id)
        if before is None:
            raise NotFound("peer not found")
        peer = replace(
            before,
            name=before.name if name is None else name,
            role=before.role if role is None else role,
            data=before.data if data is None else data,
        )
        self.sessions[room_id] = replace(session, peers={**session.peers, peer_id: peer})
        return peer

    async def send_message(
        self,
        room_id: str,
        message: str,
        *,
        type: str,  # noqa: A002 - the interface's name
        peer_id: str | None,
        role: str | None,
    ) -> None:
        self.said.append(("message", room_id, message, type, peer_id, role))


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which says that it is JSON."""
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        return json.loads(self.body)


class Rest:
    """A client with a management token, and what is behind the API."""

    def __init__(self, url: str, http: aiohttp.ClientSession, deps: Deps, live: Live, ready: dict[str, bool]) -> None:
        self.url = url
        self.http = http
        self.deps = deps
        self.live = live
        self.ready = ready
        self.token = deps.tokens.mint_management_token()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        data: Any = None,
        params: Any = None,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """The response. Without a `token` a valid one is sent, with "" none."""
        token = self.token if token is None else token
        sent = ({"authorization": f"Bearer {token}"} if token else {}) | (headers or {})
        async with self.http.request(method, self.url + path, data=data, params=params, headers=sent) as response:
            received = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status, received, await response.read())

    async def get(self, path: str, status: int = 200, **params: Any) -> Any:
        """The JSON that is answered, with this status."""
        answer = await self.ask("GET", path, params=params)
        assert answer.status == status, answer.body
        return answer.json()

    async def post(self, path: str, body: object = None, status: int = 200) -> Any:
        """The JSON that is answered, with this status. Without a body none is sent."""
        answer = await self.ask("POST", path, data=None if body is None else json.dumps(body))
        assert answer.status == status, answer.body
        return answer.json()

    async def room(self, **wanted: Any) -> Room:
        """A new room."""
        return await self.deps.store.create_room(RoomRequest(**wanted))


@asynccontextmanager
async def serving(app: Litestar | ASGIApp) -> AsyncIterator[str]:
    """The URL at which `app` is served. Started and stopped without uvicorn's main loop, whose ticks take
    0.1 s.
    """
    config = uvicorn.Config(app, lifespan="off", log_config=None, loop="none", http="httptools")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await server.startup(sockets=[listening])
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        async with asyncio.timeout(30):
            await server.shutdown(sockets=[listening])


@pytest.fixture
def serve() -> Any:
    """`async with serve(app) as url`."""
    return serving


@pytest.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """A new SQLite database, open."""
    database = open_database(f"sqlite:///{tmp_path}/callboard.db")
    await database.open()
    yield database
    await database.close()


@asynccontextmanager
async def _served(deps: Deps, live: Live, ready: dict[str, bool]) -> AsyncIterator[Rest]:
    async with serving(api(deps)) as url, aiohttp.ClientSession() as http:
        yield Rest(url, http, deps, live, ready)


@pytest.fixture
def served() -> Callable[[Deps, Live, dict[str, bool]], AbstractAsyncContextManager[Rest]]:
    """`async with served(deps, rest.live, rest.ready) as other:` another API, with other parts behind it."""
    return _served


@pytest.fixture
async def rest(sqlite: Database) -> AsyncIterator[Rest]:
    """The API of a new workspace."""
    clock, ids = Clock(), RandomIds(7)
    store = Store(sqlite, clock, ids)
    workspace = await store.open_workspace(secrets.token_bytes)
    endpoints = Endpoints(sqlite, clock, ids, secrets.token_bytes)
    await endpoints.load()
    live, ready = Live(), {"database": True, "media": True}
    ledger = Ledger(sqlite, account_id=workspace.id, app_id=workspace.app_id)
    deps = Deps(
        workspace=workspace,
        tokens=Tokens(workspace, clock, ids),
        database=sqlite,
        store=store,
        ledger=ledger,
        endpoints=endpoints,
        deliveries=Dispatcher(sqlite, ledger, endpoints, clock, random.Random(1)),
        pinger=Pinger(
            workspace.id, workspace.app_id, SystemClock(), ids, SenderSettings(timeout=60.0), system_context()
        ),
        codes=RoomCodes(sqlite, store, clock, secrets.token_bytes),
        polls=PollStore(sqlite, clock, ids),
        live=live,
        clock=clock,
        checks={"database": lambda: ready["database"], "media": lambda: ready["media"]},
        max_body_bytes=100_000,
    )
    async with _served(deps, live, ready) as served:
        yield served
