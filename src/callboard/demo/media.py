"""What a peer sends and receives, over all generations of its connections.

Owns: `Media`: publishing, muting, answering the server's offers, and the move to another SFU node.

Always holds: subscribe offers and candidates are taken one after the other, in the order they came; an
offer of another node than the known one is dropped. Changes of what is published happen one at a time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiortc import RTCIceServer

from callboard.clock import Ids
from callboard.demo.connections import Connections, Spawn
from callboard.demo.media_tracks import PacedTrack
from callboard.demo.policy import Policy
from callboard.demo.pulse import Pulse
from callboard.demo.roster import Roster
from callboard.demo.signal_client import Params, SocketLost
from callboard.demo.subscribing import Ended

PUBLISH = 0  # `target` of a trickled candidate; anything else is the subscribe side
OFFERS_WAITING = 64
log = logging.getLogger("callboard.demo.media")

TrackMaker = Callable[[str], PacedTrack]
"""Makes a track with the given id; called again when the track has to be published anew."""


class Signalling(Protocol):
    """How to reach the server, whichever socket is the present one."""

    async def call(self, method: str, params: Params) -> Params: ...

    async def notify(self, method: str, params: Params) -> None: ...


class Media:
    """The media of one peer. `spawn` runs work in the background and reports its failures."""

    def __init__(
        self,
        signalling: Signalling,
        ice_servers: tuple[RTCIceServer, ...],
        *,
        ids: Ids,
        roster: Roster,
        pulse: Pulse,
        spawn: Spawn,
        on_notification: Callable[[str, Params], None],
    ) -> None:
        self._signalling = signalling
        self._ids = ids
        self._spawn = spawn
        self._makers: dict[str, TrackMaker] = {}
        self._offers: asyncio.Queue[tuple[str, Params]] = asyncio.Queue(OFFERS_WAITING)
        self._changing = asyncio.Lock()
        self._node = ""
        self._ended = False
        self.keep_ids = False
        self._retired: list[Connections] = []

        def connections() -> Connections:
            return Connections(
                ice_servers,
                self._exchange,
                ids=ids,
                roster=roster,
                pulse=pulse,
                spawn=spawn,
                on_notification=on_notification,
            )

        self._make_connections = connections
        self.connections = connections()
        spawn(self._take_offers(), "subscribe-offers")

    # -- lifecycle

    @property
    def up(self) -> bool:
        """Whether the publish connection is up and the API channel is open."""
        return self.connections.publishing.connected and self.connections.channel.is_open

    async def join(self, send: Callable[[Params], Awaitable[Params]]) -> None:
        """Negotiate the first offer; `send` puts it into the `join` call and returns its result."""

        async def exchange(sdp: str, _: dict[str, Params]) -> str:
            answer = await send({"type": "offer", "sdp": sdp})
            self._node = answer.get("sfu_node_id", "")
            return str(answer["sdp"])

        await self.connections.publishing.negotiate(exchange)

    async def present(self) -> None:
        """Offer what is published on a new socket or to a server that had no media from this peer yet."""
        async with self._changing:
            await self.connections.publishing.negotiate()

    async def drop(self) -> None:
        """Close the connections, and build new ones when the server names another node. Then tracks get new ids, as
        with the official client, or keep theirs (`keep_ids`)."""
        await self.connections.close()

    async def close(self) -> None:
        """Say goodbye and stop. Idempotent. What the server says of media from now on is not listened to."""
        self._ended = True
        await asyncio.gather(self.connections.close(), *(old.close() for old in self._retired))

    async def cut_off(self) -> None:
        """Stop without saying goodbye. Idempotent. What the server says of media from now on is not listened to."""
        self._ended = True
        await asyncio.gather(self.connections.cut_off(), *(old.cut_off() for old in self._retired))

    # -- publishing

    @property
    def published(self) -> dict[str, Params]:
        """Track id → own track as signalled."""
        return self.connections.publishing.signalled()

    async def publish(self, make: TrackMaker, source: str, *, muted: bool) -> str:
        """Publish what `make` makes; return its track id. Raises what a call raises."""
        async with self._changing:
            return await self._publish(make, source, muted=muted)

    async def unpublish(self, track_id: str) -> None:
        """Raises `KeyError` when the track is not published, and what a call raises."""
        async with self._changing:
            await self.connections.publishing.remove(track_id)
            del self._makers[track_id]

    async def withdraw(self, policy: Policy) -> None:
        """Unpublish what the role does not allow (signal.md §7.1)."""
        for track_id, track in self.published.items():
            if not policy.may_publish(track["type"], track["source"]):
                await self.unpublish(track_id)

    async def set_muted(self, chosen: Callable[[Params], bool], *, muted: bool) -> None:
        """Mute or unmute the own tracks that `chosen` picks from the signalled ones, and say so."""
        published = self.connections.publishing.published
        changed = {
            track_id: track
            for track_id, track in published.items()
            if track.track.muted != muted and chosen(track.signalled())
        }
        for track in changed.values():
            track.track.muted = muted
        if changed:
            tracks = {track_id: track.signalled() for track_id, track in changed.items()}
            await self._signalling.notify("track-update", {"tracks": tracks})

    async def _publish(self, make: TrackMaker, source: str, *, muted: bool, track_id: str = "") -> str:
        track = make(track_id or self._ids.uuid())
        track.muted = muted
        self._makers[track.id] = make
        await self.connections.publishing.add(track, self.connections.stream_of(source), source)
        return track.id

    async def _exchange(self, sdp: str, tracks: dict[str, Params]) -> str:
        params: Params = {"desc": {"type": "offer", "sdp": sdp}, "tracks": tracks, **self._node_id()}
        return str((await self._signalling.call("offer", params))["sdp"])

    # -- subscribing

    def take(self, method: str, params: Params) -> bool:
        """Take a notification; return whether it was about media. Raises `asyncio.QueueFull`."""
        if self._ended:
            return method in ("node-info", "offer", "trickle")
        if method == "node-info":
            self._spawn(self._move(params["sfu_node_id"]), "node-info")
        elif method in ("offer", "trickle"):
            self._offers.put_nowait((method, params))
        else:
            return False
        return True

    async def _take_offers(self) -> None:
        while True:
            method, params = await self._offers.get()
            if self._ended:
                return
            connections = self.connections
            if method == "offer":
                await self._answer(connections, params)
            elif params.get("target") == PUBLISH:
                await connections.publishing.add_candidate(params["candidate"])
            else:
                await connections.subscribing.add_candidate(params["candidate"])

    async def _answer(self, connections: Connections, offer: Params) -> None:
        node = offer.get("sfu_node_id", "")
        if node and self._node and node != self._node:
            log.debug("an offer of node %s is dropped: this is %s", node, self._node)
            return
        try:
            sdp = await connections.answer(offer["sdp"])
        except Ended:
            log.info("an offer for a connection that was closed is dropped")
            return
        answer: Params = {"desc": {"type": "answer", "sdp": sdp}, **self._node_id()}
        try:
            await self._signalling.notify("answer", answer)
        except SocketLost:
            log.info("the answer is lost with the socket: the server has to offer again")
        connections.ask()

    async def _move(self, node: str) -> None:
        """The server named its SFU node; if it is another than before, build everything anew (§5.9)."""
        known, self._node = self._node, node
        if known in ("", node):
            return
        async with self._changing:
            old, self.connections = self.connections, self._make_connections()
            self._retired.append(old)
            await asyncio.shield(old.close())
            self._retired.remove(old)
            await self.connections.publishing.negotiate()
            if self.keep_ids:
                self.connections.streams = old.streams
            for published in old.publishing.published.values():
                known = published.track.id
                make, muted = self._makers.pop(known), published.track.muted
                await self._publish(make, published.source, muted=muted, track_id=known if self.keep_ids else "")

    def _node_id(self) -> Params:
        return {"sfu_node_id": self._node} if self._node else {}
