"""The one place where the parts are put together: settings in, a running server out.

Owns: `Callboard`, the order in which the parts start and stop, and the HTTP server.

Always holds: what was started is stopped, in the opposite order, also when a later part failed to start. When the
database stops writing, the process ends: another one starts from what is durable (DESIGN §3).
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import msgspec
import uvicorn
from litestar import Litestar

from callboard.analytics.http import report_handler
from callboard.analytics.intake import Analytics
from callboard.api.app import api
from callboard.api.deps import Deps
from callboard.api.metrics import metrics_handler
from callboard.api.streams import Streams
from callboard.auth.tokens import Tokens
from callboard.background import Background
from callboard.clock import Clock, Ids, RandomIds, SystemClock
from callboard.config import Settings
from callboard.database import Database, open_database
from callboard.forgetting import Forgetting
from callboard.jobs import Handlers, Office
from callboard.jobs.desk import JobDesk
from callboard.jobs.setup import new_worker
from callboard.ledger import Ledger
from callboard.ledger.expunged_news import ExpungedNews
from callboard.media import MediaEngine
from callboard.meeting import Built, layout_handler, load, meeting_handlers
from callboard.metrics.collector import Collector
from callboard.metrics.requests import Requests
from callboard.metrics.setup import start_metrics
from callboard.parts import (
    client_limits,
    database_url,
    delivery_policy,
    delivery_settings,
    media_settings,
    turn_of,
)
from callboard.process import HttpServer, alone_in, listen, stop_on_signals
from callboard.recording.http import file_handlers
from callboard.recording.setup import Recordings
from callboard.resealing import seal_anew
from callboard.rooms import actions
from callboard.rooms.credentials import opened_headers, sealed_secret, sealing
from callboard.rooms.live import LiveRooms, RoomSettings
from callboard.rooms.models import Room, Workspace
from callboard.rooms.polls_live import LivePolls
from callboard.rooms.polls_store import PollStore
from callboard.rooms.room_codes import RoomCode, RoomCodes
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.session import Loss
from callboard.rooms.store import Store
from callboard.signaling.announcements import Announcements
from callboard.signaling.backend import Backend
from callboard.signaling.client import Client
from callboard.signaling.counts import Counts
from callboard.signaling.http import Doors, handlers
from callboard.signaling.mediation import Mediation
from callboard.signaling.methods.call import Features, Service
from callboard.signaling.polls import PollNews
from callboard.signaling.registry import Registry
from callboard.signaling.service import Signaling
from callboard.signaling.session_store import SessionStores
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoints import Endpoints, sealed_endpoint
from callboard.webhooks.notices import Notices
from callboard.webhooks.ping import Pinger
from callboard.webhooks.replays.line import Client as ReplayClient
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.resolver import Resolver
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.tls import system_context
from callboard.webhooks.vault import Vault
from callboard.webhooks.vault_file import open_vault

log = logging.getLogger("callboard")

SHUTDOWN_SECONDS = 5
WEBSOCKET_PING_SECONDS = 10.0
"""A socket whose other side is gone without a word is known to be within twice this."""


class Callboard:
    """A node: all parts, started in order. Use `serve`, or `async with` for the parts behind a socket of your own."""

    database: Database
    ledger: Ledger
    store: Store
    codes: RoomCodes
    workspace: Workspace
    tokens: Tokens
    engine: MediaEngine
    rooms: LiveRooms
    signaling: Signaling
    endpoints: Endpoints
    dispatcher: Dispatcher
    pinger: Pinger
    handlers: Handlers
    office: Office
    recordings: Recordings
    replays: ReplayService
    forgetting: Forgetting
    meeting: Built | None
    polls: PollStore
    analytics: Analytics
    vault: Vault
    metrics: Collector

    def __init__(self, settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ids = ids or RandomIds()
        self.failed: asyncio.Event = asyncio.Event()
        self.port = settings.server.port
        self.streams = Streams()
        self.requests = Requests()
        self.url = settings.server.public_url.rstrip("/") or f"http://{settings.server.host}:{self.port}"
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Callboard:
        """Start. Raises `DatabaseStopped`, `EngineStartError`, `VaultError`."""
        async with AsyncExitStack() as starting:
            await self._start(starting)
            self._parts = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def _start(self, parts: AsyncExitStack) -> None:
        settings = self.settings
        await asyncio.to_thread(Path(settings.data_dir).mkdir, parents=True, exist_ok=True)
        parts.enter_context(alone_in(Path(settings.data_dir)))
        self.database = open_database(database_url(settings))
        self.database.on_stop(self._database_stopped)
        await self.database.open()
        parts.push_async_callback(self.database.close)
        self.store = Store(self.database, self.clock, self.ids)
        self.codes = RoomCodes(self.database, self.store, self.clock, secrets.token_bytes)
        keys = settings.workspace
        self.workspace = await self.store.open_workspace(secrets.token_bytes, keys.access_key, keys.secret)
        self.tokens = Tokens(self.workspace, self.clock, self.ids)
        self.ledger = Ledger(self.database, account_id=self.workspace.id, app_id=self.workspace.app_id)
        self.handlers = Handlers()
        self.office = Office(self.database, self.ledger, self.handlers, self.clock)
        self.meeting = await asyncio.to_thread(load)
        await self._start_webhooks(parts)
        await self._start_rooms(parts)
        self.metrics = await start_metrics(self, parts)
        await self._start_worker(parts)

    async def _start_webhooks(self, parts: AsyncExitStack) -> None:
        setting, folder = self.settings.webhooks.master_key, Path(self.settings.data_dir)
        sealed = await sealed_endpoint(self.database) or await sealed_secret(self.database)
        vault = await asyncio.to_thread(open_vault, setting, folder, secrets.token_bytes, sealed=sealed)
        self.vault = vault
        self.store.seal_with(sealing(vault))
        await seal_anew(self.database, vault)
        policy = delivery_policy(self.settings, self.port)
        hooks = RoomHooks(self.database, self.workspace.secret, partial(opened_headers, vault))
        self.endpoints = Endpoints(self.database, self.clock, self.ids, secrets.token_bytes, vault, policy, hooks)
        await self.endpoints.load()
        resolver = Resolver(policy)
        parts.callback(resolver.close)
        delivery, tls = delivery_settings(self.settings), system_context()
        workspace = self.workspace
        self.pinger = Pinger(workspace.id, workspace.app_id, self.clock, self.ids, delivery.sender, tls, resolver)
        client = ReplayClient(delivery.sender, tls, resolver)
        notices = Notices(self.database, self.endpoints, self.clock, self.ids, client, delivery.retry)
        self.dispatcher = Dispatcher(
            self.database,
            self.ledger,
            self.endpoints,
            clock=self.clock,
            random=random.SystemRandom(),
            settings=delivery,
            tls=tls,
            resolve_and_vet=resolver,
            record=notices.record,
        )
        if self.database.shared:
            expunged = ExpungedNews(self.database, self.ledger, self.clock)
            expunged.start()
            parts.push_async_callback(expunged.stop)
        notices.start()
        parts.push_async_callback(notices.stop)
        await self.dispatcher.start()
        parts.push_async_callback(self.dispatcher.stop)
        self.replays = ReplayService(
            self.database,
            self.ledger,
            self.endpoints,
            self.clock,
            self.ids,
            client,
            account_id=workspace.id,
            per_second=self.settings.webhooks.replay_per_second,
        )
        await self.replays.start()
        parts.push_async_callback(self.replays.stop)
        self.forgetting = Forgetting(self.database, self.clock, self.settings.retention)
        self.forgetting.start()
        parts.push_async_callback(self.forgetting.stop)

    async def _start_rooms(self, parts: AsyncExitStack) -> None:
        settings = self.settings
        self.engine = MediaEngine(media_settings(settings), self.ids)
        background = Background("signaling")
        self.rooms = LiveRooms(
            database=self.database,
            ledger=self.ledger,
            directory=self.store,
            clock=self.clock,
            ids=self.ids,
            settings=RoomSettings(settings.rooms.reconnect_grace_seconds, settings.rooms.max_session_seconds),
        )
        registry = Registry(self._socket_lost)
        self.recordings = await Recordings.open(self, registry.media)
        mediation = Mediation(self.engine, self.rooms, registry, background, self.recordings.recorder)
        self.rooms.observe(Announcements(registry, mediation, Counts(self.rooms, registry)))
        self.polls = PollStore(self.database, self.clock, self.ids)
        polls = LivePolls(self.database, self.polls, self.rooms, background, self.clock, self.ids)
        parts.callback(PollNews(polls, self.rooms, registry).stop)
        self.analytics = Analytics(self.database, self.rooms, self.clock, self.ids, self.workspace.id)
        self.signaling = Signaling(
            Service(
                *(self.rooms, registry, mediation, background, self.clock, self.ids, SessionStores(), polls),
                limits=client_limits(settings),
                features=Features(settings.rooms.on_demand_tracks, settings.rooms.full_list_peers),
                hear=self.analytics.hear,
                chat=self.recordings.chat,
            )
        )
        await self.recordings.recorder.start()
        parts.push_async_callback(self.recordings.recorder.stop)
        await self.engine.start()
        self.engine.observe(mediation)
        parts.push_async_callback(self.engine.stop)
        parts.push_async_callback(background.stop)
        await self.rooms.start()
        parts.push_async_callback(self.rooms.stop)
        await polls.start_up()
        await self.analytics.start_up()
        parts.callback(polls.stop_clocks)

    async def _start_worker(self, parts: AsyncExitStack) -> None:
        """Background jobs are done by this process too; their heavy work is in children that die with it."""
        if self.settings.jobs.worker:
            worker = new_worker(self, f"serve-{self.ids.uuid()}")
            await worker.start()
            parts.push_async_callback(worker.stop)
            self.metrics.worker = worker

    def _socket_lost(self, client: Client) -> None:
        actions.lose(self.rooms, client.room_id, client.id, Loss.WEBSOCKET)

    async def serve(self, ready: Callable[[Callboard], Awaitable[None]] | None = None) -> bool:
        """Start, answer HTTP and WebSocket until SIGINT, SIGTERM or a fault, and stop. Returns whether it was no fault.

        `ready` is called once clients can connect. Raises as `__aenter__`, and `OSError` for an address in use.
        """
        server = self.settings.server
        listening = listen(server.host, server.port)
        with listening:
            self.port = listening.getsockname()[1]
            self.url = server.public_url.rstrip("/") or self._address(listening)
            async with self:
                http = HttpServer(self._uvicorn_config(), self.streams.stop)
                stopping = asyncio.get_running_loop().create_task(self._stop_on_fault(http))
                with stop_on_signals(http):
                    serving = asyncio.get_running_loop().create_task(http.serve(sockets=[listening]))
                    if ready is not None:
                        await ready(self)
                    await serving
                stopping.cancel()
        return not self.failed.is_set()

    def _address(self, listening: socket.socket) -> str:
        host, port = listening.getsockname()[:2]
        scheme = "https" if self.settings.server.tls_cert else "http"
        named = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - compared, not bound
        return f"{scheme}://{f'[{named}]' if ':' in named else named}:{port}"

    async def _stop_on_fault(self, http: uvicorn.Server) -> None:
        await self.failed.wait()
        http.should_exit = True

    def _uvicorn_config(self) -> uvicorn.Config:
        server, limits = self.settings.server, self.settings.limits
        return uvicorn.Config(
            self.requests.around(self._litestar()),
            loop="none",
            http="httptools",
            ws="websockets-sansio",
            ws_max_size=4 * limits.max_frame_bytes,
            ws_ping_interval=WEBSOCKET_PING_SECONDS,
            ws_ping_timeout=WEBSOCKET_PING_SECONDS,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            log_level="warning",  # at "info" it writes the URLs of WebSockets, and with them tokens
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            ssl_certfile=server.tls_cert or None,
            ssl_keyfile=server.tls_key or None,
        )

    def _litestar(self) -> Litestar:
        ice = tuple(msgspec.to_builtins(one) for one in self.settings.media.ice_servers)
        doors = Doors(
            self.tokens, self.rooms, self.signaling, self._endpoint(), ice, turn_of(self.settings, self.clock)
        )
        deps = Deps(
            workspace=self.workspace,
            tokens=self.tokens,
            database=self.database,
            store=self.store,
            ledger=self.ledger,
            endpoints=self.endpoints,
            deliveries=self.dispatcher,
            pinger=self.pinger,
            codes=self.codes,
            polls=self.polls,
            vault=self.vault,
            live=Backend(self.signaling.service),
            clock=self.clock,
            checks={"database": lambda: not self.failed.is_set(), "media": lambda: self.engine.running},
            max_body_bytes=self.settings.limits.max_body_bytes,
            cors_origins=self.settings.server.cors_origins,
            replays=self.replays.desk,
            recordings=self.recordings.desk,
            jobs=JobDesk(self.database, self.ledger, self.handlers, self.office),
            streams=self.streams,
        )
        layout = layout_handler(self.tokens, self.store, self.workspace.app_id)
        files = file_handlers(self.recordings.local)
        report = report_handler(self.tokens, self.rooms, self.analytics)
        metrics = metrics_handler(self.tokens, self.metrics, self.settings.metrics.token)
        others = [*meeting_handlers(self.meeting, self._endpoint()), layout, report, *files, metrics]
        return api(deps, [*handlers(doors), *others])

    def _endpoint(self) -> str:
        """The WebSocket's public address, when one is set; else each client is told the host that it asked."""
        public = self.settings.server.public_url.rstrip("/")
        return f"ws{public.removeprefix('http')}/ws" if public else ""

    async def first_room(self) -> Room:
        """A room to join: the newest, or, on the first start, a new one named "demo"."""
        rooms = await self.store.rooms(1)
        return rooms[0] if rooms else await self.store.create_room(RoomRequest(name="demo"))

    async def first_codes(self, room: Room) -> list[RoomCode]:
        """A code for each role of this room, the first one first; none for a room that is disabled."""
        return await self.codes.create_for_room(room.id) if room.enabled else []

    def _database_stopped(self, cause: BaseException) -> None:
        log.critical("the database stopped writing: this process ends", exc_info=cause)
        self.failed.set()
