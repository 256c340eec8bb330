"""A house for tests: real database, ledger, rooms and signalling, with sockets in memory and no media engine.

Owns: `House` and `Phone`, a client end that speaks frames. Peers in it have roles without media, so that the media
engine is never asked; what needs media is tested with the real Janus.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from callboard.auth.tokens import AppClaims
from callboard.background import Background
from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.database import Database, Unit, open_database
from callboard.ledger import Ledger, Recorded
from callboard.media import MediaEngine, MediaSettings
from callboard.rooms import actions
from callboard.rooms.live import LiveRooms, RoomSettings
from callboard.rooms.models import Permissions, Role, Room, SubscribeParams, Template
from callboard.rooms.polls_live import LivePolls
from callboard.rooms.polls_store import PollStore
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.session import Loss, Track
from callboard.rooms.store import Store
from callboard.rooms.templates import template_row
from callboard.signaling.announcements import Announcements
from callboard.signaling.client import Client
from callboard.signaling.counts import Counts
from callboard.signaling.frames import SignalError
from callboard.signaling.mediation import Mediation
from callboard.signaling.methods.call import Features, Service
from callboard.signaling.polls import PollNews
from callboard.signaling.rates import Rate
from callboard.signaling.registry import Registry
from callboard.signaling.service import Signaling
from callboard.signaling.session_store import SessionStores
from callboard.signaling.socket import Limits, SocketClosed

DEADLINE = 60.0

ROLES = {
    "host": Role(
        name="host",
        permissions=Permissions(
            end_room=True, remove_others=True, change_role=True, mute=True, unmute=True, poll_read=True, poll_write=True
        ),
    ),
    "guest": Role(name="guest", permissions=Permissions(poll_read=True)),
    "listener": Role(name="listener", subscribe_params=SubscribeParams(subscribe_to_roles=("host",))),
    "speaker": Role(name="speaker", max_peer_count=1),
    "nobody": Role(name="nobody", max_peer_count=-1),
}


class Refused(Exception):  # noqa: N818 - what a call was answered with
    """A call's error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Phone:
    """The client's end of a socket, and the transport that the server sees."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self._to_server: asyncio.Queue[str | None] = asyncio.Queue()
        self._news = asyncio.Event()
        self._ids = itertools.count(1)
        self.reading = asyncio.Event()
        self.reading.set()
        self.task: asyncio.Task[None] | None = None

    # the server's side

    async def receive_text(self) -> str:
        text = await self._to_server.get()
        if text is None:
            raise SocketClosed
        if text.startswith("\0"):
            raise SignalError(400, "a binary frame: only text frames with JSON are understood")
        return text

    async def send_text(self, text: str) -> None:
        await self.reading.wait()
        if self.closed is not None:
            raise SocketClosed
        self.heard.append(json.loads(text))
        self._news.set()

    async def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)
        self._news.set()

    # the client's side

    def say(self, text: str) -> None:
        """Send raw text."""
        self._to_server.put_nowait(text)

    def notify(self, method: str, /, **params: Any) -> None:
        self.say(json.dumps({"method": method, "params": params}))

    async def call(self, method: str, /, **params: Any) -> Any:
        """The call's result. Raises `Refused`."""
        call_id = f"call-{next(self._ids)}"
        self.say(json.dumps({"method": method, "params": params, "id": call_id, "jsonrpc": "2.0"}))
        answer = await self.hear(lambda frame: frame.get("id") == call_id)
        if "error" in answer:
            raise Refused(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]

    async def hear(self, wanted: Callable[[dict[str, Any]], bool] | str) -> dict[str, Any]:
        """The first frame, of all that were ever heard, that is wanted (or has this method)."""
        matches = wanted if callable(wanted) else (lambda frame: frame.get("method") == wanted)
        async with asyncio.timeout(DEADLINE):
            while True:
                for frame in self.heard:
                    if matches(frame):
                        return frame
                self._news.clear()
                await self._news.wait()

    def methods(self) -> list[str]:
        """The notifications heard so far, by method."""
        return [frame["method"] for frame in self.heard if "method" in frame]

    async def hang_up(self) -> None:
        """Drop the connection without a word, and wait until the server knows."""
        self._to_server.put_nowait(None)
        if self.task is not None:
            await asyncio.wait_for(self.task, DEADLINE)


@dataclass(frozen=True)
class _Later:
    """The machine's clock, so many nanoseconds later."""

    by: int

    def now(self) -> int:
        return SystemClock().now() + self.by


class House:
    """A workspace with one room, whose template has the roles above."""

    database: Database
    ledger: Ledger
    rooms: LiveRooms
    registry: Registry
    signaling: Signaling
    room: Room

    def __init__(self, folder: Path, grace: float, limits: Limits, features: Features, request: RoomRequest) -> None:
        self._folder = folder
        self._features = features
        self._request = request
        self._grace = grace
        self._limits = limits
        self._calls = 0
        self.clock, self.ids = SystemClock(), RandomIds()
        self.recorded: list[Recorded] = []
        self._news = asyncio.Event()
        self.phones: list[Phone] = []

    async def open(self) -> None:
        """Start, or, after `crash`, start again on the same database."""
        self.database = open_database(f"sqlite:///{self._folder / 'house.db'}")
        await self.database.open()
        store = Store(self.database, self.clock, self.ids)
        await store.open_workspace(lambda n: b"x" * n)
        if not hasattr(self, "room"):
            now = self.clock.now()
            template = Template(id=self.ids.object_id(now), name="test", roles=ROLES, created_at=now, updated_at=now)
            await self.database.commit(Unit((template_row(template),)))
            self.room = await store.create_room(msgspec.structs.replace(self._request, template_id=template.id))
        self.store = store
        self.ledger = Ledger(self.database, account_id="a" * 24, app_id="b" * 24)
        self.ledger.subscribe(self._on_events)
        self.rooms = LiveRooms(
            database=self.database,
            ledger=self.ledger,
            directory=store,
            clock=self.clock,
            ids=self.ids,
            settings=RoomSettings(grace=self._grace),
        )
        self.background = Background("test")
        self.registry = Registry(self._lost)
        mediation = Mediation(MediaEngine(MediaSettings(), self.ids), self.rooms, self.registry, self.background)
        self.rooms.observe(Announcements(self.registry, mediation, Counts(self.rooms, self.registry)))
        stores = SessionStores()
        self.polls = PollStore(self.database, self.clock, self.ids)
        self.live_polls = LivePolls(self.database, self.polls, self.rooms, self.background, self.clock, self.ids)
        self._poll_news = PollNews(self.live_polls, self.rooms, self.registry)
        service = Service(
            self.rooms,
            self.registry,
            mediation,
            self.background,
            self.clock,
            self.ids,
            stores,
            self.live_polls,
            limits=self._limits,
            features=self._features,
        )
        self.signaling = Signaling(service)
        await self.rooms.start()
        await self.live_polls.start_up()

    def _on_events(self, events: Any) -> None:
        self.recorded.extend(events)
        self._news.set()

    def _lost(self, client: Client) -> None:
        actions.lose(self.rooms, client.room_id, client.id, Loss.WEBSOCKET)

    async def close(self) -> None:
        for phone in self.phones:
            if phone.task is not None and not phone.task.done():
                await phone.hang_up()
        self.phones.clear()
        self._stop_polls()
        await self.rooms.stop()
        await self.background.stop()
        await self.database.close()

    def later(self, seconds: float) -> None:
        """So much time has gone by: what is due by then happens."""
        self.rooms._clock = _Later(int(seconds * NANOSECONDS))
        for live in self.rooms.all_live():
            self.rooms._arm(live)

    async def crash_and_restart(self) -> None:
        """All that was in memory is gone; the sockets of the old process are dead."""
        await self.rooms.stop()
        for phone in self.phones:
            if phone.task is not None:
                phone.task.cancel()
                await asyncio.gather(phone.task, return_exceptions=True)
        self.phones.clear()
        self._stop_polls()
        await self.rooms.stop()
        await self.database.close()
        await self.open()

    def _stop_polls(self) -> None:
        self._poll_news.stop()
        self.live_polls.stop_clocks()

    def dial(self, peer_id: str, role: str = "guest", user: str | None = None) -> Phone:
        """A socket for this peer id."""
        now = int(self.clock.now() / 1e9)
        claims = AppClaims(
            access_key="k",
            version=2,
            jti="j",
            iat=now,
            nbf=now,
            exp=now + 60,
            type="app",
            room_id=self.room.id,
            role=role,
            user_id=user or f"user of {peer_id}",
        )
        phone = Phone()
        phone.task = asyncio.create_task(self.signaling.serve(phone, claims, peer_id))
        self.phones.append(phone)
        return phone

    async def publish(self, peer_id: str, *track_ids: str) -> None:
        """The peer publishes these videos, and nothing else, from now on; as its `offer` would have it."""
        tracks = {i: Track(i, f"stream of {peer_id}", "video", "regular", mute=False) for i in track_ids}
        await actions.set_tracks(self.rooms, self.room.id, peer_id, tracks)

    async def join(self, peer_id: str, role: str = "guest") -> Phone:
        """A peer that has joined and has its peer list."""
        phone = self.dial(peer_id, role)
        await phone.hear("on-policy-change")
        await phone.call("join", name=f"name of {peer_id}", data="")
        await phone.hear("peer-list")
        return phone

    def events(self) -> list[tuple[str, str]]:
        """(type, peer id) of all that was recorded, in order."""
        return [(one.type, one.peer_id) for one in self.recorded]

    async def happened(self, kind: str, peer_id: str = "") -> dict[str, Any]:
        """Wait for an event and return its data."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for one in self.recorded:
                    if one.type == kind and peer_id in {"", one.peer_id}:
                        data: dict[str, Any] = json.loads(one.body)["data"]
                        return data
                self._news.clear()
                await self._news.wait()


ORDINARY = Features()
FREE = Limits(messages=Rate(1e6, 1_000_000), calls=Rate(1e6, 1_000_000))
"""Limits under which a test may say as much as it likes, as fast as it likes."""


@asynccontextmanager
async def open_house(
    folder: Path,
    grace: float = 30.0,
    limits: Limits = FREE,
    features: Features = ORDINARY,
    *,
    large_room: bool = False,
) -> AsyncIterator[House]:
    """A house on a database in `folder`; lost peers are waited for `grace` seconds."""
    house = House(folder, grace, limits, features, RoomRequest(name="test", large_room=large_room))
    await house.open()
    try:
        yield house
    finally:
        await house.close()
