"""The media engine of this node: Janus, kept running, and the peers in its rooms.

Owns: `MediaEngine`.

Always holds: at most one Janus runs; every `PeerMedia` belongs to one generation of it and is over when that
is; what is lost is announced before what is restored. Janus's rooms exist while somebody is in them.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Final

from callboard.clock import Ids
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.contract import (
    EngineObserver,
    EngineStartError,
    MediaCounters,
    MediaError,
    MediaSettings,
    MediaUnavailable,
    PeerListener,
    PeerTransports,
)
from callboard.media.generation import Generation
from callboard.media.peer import PeerMedia
from callboard.media.room import MediaRoom

log = logging.getLogger("callboard.media")

OPEN_DEADLINE: Final = 5.0
"""Seconds that `open_peer` waits for an engine that restarts."""
STEADY: Final = 60.0
"""Seconds after which an engine that ran is not held responsible for earlier failures."""


class MediaEngine:
    """`start` it, open peers, `stop` it. `ids` makes node ids, `token` secrets (32 hexadecimal digits or
    more).
    """

    def __init__(
        self, settings: MediaSettings, ids: Ids, token: Callable[[], str] = lambda: secrets.token_hex(16)
    ) -> None:
        self.counters = MediaCounters()
        self._settings = settings
        self._ids = ids
        self._token = token
        self._observers: list[EngineObserver] = []
        self._generation: Generation | None = None
        self._running = asyncio.Event()
        self._node_id = ""
        self._rooms: dict[str, MediaRoom] = {}
        self._making: dict[MediaRoom, asyncio.Task[None]] = {}
        self._peers: set[PeerMedia] = set()
        self._serials = itertools.count(1)
        self._keeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def observe(self, observer: EngineObserver) -> None:
        """Tell `observer` of every loss and restart from now on."""
        self._observers.append(observer)

    @property
    def node_id(self) -> str:
        """The `sfu_node_id` of the engine; a new one after every restart."""
        return self._node_id

    @property
    def running(self) -> bool:
        return self._generation is not None

    async def start(self) -> None:
        """Start Janus and wait until it answers. Raises `EngineStartError`."""
        if self._keeper is not None:
            raise MediaError("the media engine was started already")
        generation = await self._make()
        self._up(generation)
        self._keeper = asyncio.create_task(self._keep(generation), name="media engine")

    async def stop(self) -> None:
        """Close every peer and stop Janus. Idempotent; bounded time."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        generation, self._generation = self._generation, None
        self._running.clear()
        await asyncio.gather(*(peer.close() for peer in tuple(self._peers)))
        if self._tasks:
            await asyncio.wait(tuple(self._tasks))
        if generation is not None:
            await generation.stop()

    async def open_peer(
        self,
        room_id: str,
        peer_id: str,
        listener: PeerListener,
        capture: str | None = None,
        *,
        on_demand: bool = False,
    ) -> PeerMedia:
        """Media for a peer, in a Janus room made on demand.

        `capture`: write what it publishes to files whose paths begin so (`capture.check_base`; the folder exists).
        `on_demand`: it is offered a video only while it asks for it (signal.md §5.7).
        Waits a few seconds for an engine that restarts. Raises `MediaUnavailable`, and `MediaError` if this
        peer is open in this room already.
        """
        generation = await self._current()
        room = self._rooms.get(room_id) or self._make_room(generation, room_id, captured=capture is not None)
        making = self._making[room]
        if peer_id in room:
            raise MediaError(f"peer {peer_id} is open in this room already")
        serial = next(self._serials)
        node_id = f"{generation.node_id}.{serial}"
        context = generation.context
        peer = PeerMedia(context, room, peer_id, serial, node_id, listener, self._closed, capture, on_demand=on_demand)
        self._peers.add(peer)
        self.counters.peers_opened += 1
        try:
            await asyncio.shield(making)
        except (JanusError, JanusTimeout, JanusGone) as error:
            await peer.close()
            raise MediaUnavailable(f"the room could not be made: {error}") from error
        except BaseException:
            await asyncio.shield(peer.close())
            raise
        return peer

    async def transport_state(self, peer: PeerMedia) -> PeerTransports:
        """Ask Janus whether the connections of `peer` are really up. Raises `MediaLost`, `MediaUnavailable`."""
        return await peer.transports()

    async def handles(self) -> int:
        """How many handles Janus has for us, its control handle included. Raises `MediaUnavailable`."""
        context = (await self._current()).context
        try:
            return len(await context.admin.handles(context.session.id))
        except (JanusError, JanusTimeout, JanusGone) as error:
            raise MediaUnavailable(str(error)) from error

    # Rooms.

    def _make_room(self, generation: Generation, room_id: str, *, captured: bool) -> MediaRoom:
        room = self._rooms[room_id] = MediaRoom(room_id, f"{room_id}.{next(self._serials)}")
        codecs = self._settings.video_codecs
        creating = generation.context.control.create(room.name, codecs, captured=captured)
        making = asyncio.create_task(creating, name="make room")
        making.add_done_callback(lambda task: task.cancelled() or task.exception())  # told by `open_peer`
        self._making[room] = making
        return room

    def _closed(self, peer: PeerMedia) -> None:
        self._peers.discard(peer)
        self.counters.peers_closed += 1
        room = self._rooms.get(peer.room_id)
        if room is not None and room.empty:
            del self._rooms[peer.room_id]
            making = self._making.pop(room)
            if self._generation is not None:
                self._spawn(self._destroy(self._generation, room, making))

    async def _destroy(self, generation: Generation, room: MediaRoom, making: asyncio.Task[None]) -> None:
        try:
            await making
            await generation.context.control.destroy(room.name)
        except (JanusError, JanusTimeout, JanusGone) as error:
            log.info("a media room was not destroyed: %s", error)

    # Keeping Janus running.

    async def _current(self) -> Generation:
        try:
            async with asyncio.timeout(OPEN_DEADLINE):
                await self._running.wait()
        except TimeoutError:
            raise MediaUnavailable("the media engine is not running") from None
        if self._generation is None:
            raise MediaUnavailable("the media engine is not running")
        return self._generation

    async def _make(self) -> Generation:
        generation = await Generation.start(
            self._settings, self.counters, self._ids.uuid(), self._token, self._reclaimed
        )
        self.counters.engine_starts += 1
        return generation

    def _up(self, generation: Generation) -> None:
        self._generation = generation
        self._node_id = generation.node_id
        self._running.set()

    async def _keep(self, generation: Generation) -> None:
        """Replace the engine whenever it is lost. Runs until `stop`."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            since = loop.time()
            reason = await generation.lost()
            failures = 0 if loop.time() - since > STEADY else failures
            self._down(reason)
            # Also when `stop` ends this task meanwhile.
            killing = asyncio.create_task(generation.kill(), name="kill janus")
            self._track(killing)
            await asyncio.shield(killing)
            generation, failures = await self._replace(failures)
            self._up(generation)
            for observer in tuple(self._observers):
                observer.engine_restored(generation.node_id)

    async def _replace(self, failures: int) -> tuple[Generation, int]:
        delays = self._settings.restart_delays
        while True:
            await asyncio.sleep(delays[min(failures, len(delays) - 1)])
            failures += 1
            try:
                return await self._make(), failures
            except EngineStartError as error:
                self.counters.failed_restarts += 1
                log.warning("the media engine did not start again (attempt %d): %s", failures, error)

    def _down(self, reason: str) -> None:
        log.error("the media engine was lost: %s", reason)
        self.counters.engine_losses += 1
        self._generation = None
        self._running.clear()
        self._rooms.clear()
        self._making.clear()
        for peer in tuple(self._peers):
            self._track(peer.abandon("the media engine was lost"))
        for observer in tuple(self._observers):
            observer.engine_lost(reason)

    def _reclaimed(self) -> None:
        self.counters.control_reclaims += 1
        for peer in tuple(self._peers):
            self._spawn(peer.resync())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._track(asyncio.create_task(work))

    def _track(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
