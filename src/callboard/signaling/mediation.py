"""Between the clients and the media engine: opening and closing transports, who receives whom, migrations.

Owns: `Mediation`. What the engine reports becomes a loss or a recovery in `rooms/`; what `rooms/` changes becomes
subscriptions.

Always holds: a peer receives exactly the tracks of the roles that its own role subscribes to, as last told; a client
whose transports died while its socket lives is told to build new ones (`node-info`, signal.md §5.9).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from msgspec import UNSET

from callboard.background import Background
from callboard.media import (
    Candidate,
    DegradePolicy,
    LayerUpdate,
    MediaEngine,
    MediaLost,
    MediaUnavailable,
    PeerMedia,
    Subscription,
    layers_by_name,
)
from callboard.rooms import actions
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.models import Role, Template
from callboard.rooms.session import Loss, Session
from callboard.signaling import wire
from callboard.signaling.client import Client
from callboard.signaling.quality import Quality
from callboard.signaling.registry import Registry
from callboard.signaling.speakers import Speakers

log = logging.getLogger("callboard.signaling")


def subscriptions(session: Session, template: Template, receiver: str) -> tuple[Subscription, ...]:
    """What `receiver` is to receive: the tracks of everybody else whose role its own role subscribes to."""
    me = session.peers.get(receiver)
    role = template.roles.get(me.role) if me else None
    if role is None:
        return ()
    priorities = {name: template.roles[name].priority for name in wanted_roles(role) if name in template.roles}
    return tuple(
        Subscription(peer.id, track.id, track.stream_id, track.kind, priorities[peer.role])
        for peer in session.peers.values()
        if peer.id != receiver and peer.role in priorities
        for track in peer.tracks.values()
    )


def wanted_roles(role: Role) -> tuple[str, ...]:
    return role.subscribe_params.subscribe_to_roles


def degrade_policy(role: Role | None) -> DegradePolicy:
    """When a peer of this role is sent less because its link is bad (platform.md §2.2)."""
    settings = role.subscribe_params.subscribe_degradation if role is not None else UNSET
    if settings is UNSET:
        return DegradePolicy()
    return DegradePolicy(
        settings.packet_loss_threshold,
        settings.degrade_grace_period_seconds,
        settings.recover_grace_period_seconds,
    )


class Listener:
    """What the engine calls for one client (`media.PeerListener`); of replaced transports nothing is heard."""

    def __init__(self, mediation: Mediation, client: Client) -> None:
        self._mediation = mediation
        self._client = client
        self.media: PeerMedia | None = None

    @property
    def _current(self) -> bool:
        return self._client.media is self.media

    def send_offer(self, sdp: str) -> None:
        if self._current:
            self._client.notify("offer", {"type": "offer", "sdp": sdp, "sfu_node_id": self._client.node_id})

    def send_trickle(self, target: int, candidate: Candidate) -> None:
        if self._current:
            self._client.notify("trickle", {"target": target, "candidate": candidate})

    def media_up(self) -> None:
        if self._current:
            self._mediation.media_up(self._client)

    def media_down(self, reason: str) -> None:
        if self._current:
            self._mediation.media_down(self._client, reason)

    def subscriber_down(self, reason: str) -> None:
        if self._current:
            self._mediation.migrate(self._client, reason)

    def speaking(self, track_id: str, loudness: int) -> None:
        if self._current:
            self._mediation.speakers.note(self._client, track_id, loudness)

    def layers_changed(self, updates: Sequence[LayerUpdate]) -> None:
        if self._current:
            self._client.tell("on-track-layer-update", {"tracks": layers_by_name(updates)})

    def link_measured(self, score: int) -> None:
        if self._current:
            self._mediation.quality.note(self._client, score)

    def negotiation_failed(self, reason: str) -> None:
        """A client without a socket cannot answer: it gets the offer again when it is back."""
        if self._current and self._client.socket is not None:
            self._mediation.migrate(self._client, reason)


class Captures(Protocol):
    """Whether, and where, what a client publishes is captured (`recording.capture.recorder`)."""

    async def base(self, room_id: str) -> str | None:
        """With which path the files of a new connection begin; None: it is not captured."""
        ...


class Mediation:
    """The media side of all clients of this node."""

    def __init__(
        self,
        engine: MediaEngine,
        rooms: LiveRooms,
        registry: Registry,
        background: Background,
        captures: Captures | None = None,
    ) -> None:
        self._captures = captures
        self._engine = engine
        self._rooms = rooms
        self._registry = registry
        self._background = background
        self.speakers = Speakers(rooms, registry)
        self.quality = Quality(rooms, registry)

    async def open(self, client: Client) -> PeerMedia:
        """New transports for this client, in place of those that it had. Raises `MediaError`."""
        old, client.media, client.media_started = client.media, None, False
        if old is not None:
            await old.close()
        listener = Listener(self, client)
        capture = await self._captures.base(client.room_id) if self._captures is not None else None
        media = await self._engine.open_peer(client.room_id, client.id, listener, capture, on_demand=client.on_demand)
        listener.media = client.media = media
        client.node_id = media.node_id
        return media

    def close(self, client: Client) -> None:
        """Let go of the client's transports, in the background."""
        media, client.media, client.media_started = client.media, None, False
        if media is not None:
            self._background.start(media.close())

    def subscribe_all(self, live: LiveRoom) -> None:
        """Bring what everybody in the room receives in line with what the session says."""
        for client in self._registry.of_room(live.room.id):
            self.subscribe(live, client)

    def subscribe(self, live: LiveRoom, client: Client) -> None:
        """Bring what this client receives in line, once it knows who the others are."""
        if client.media is not None and client.media_started and client.ready and live.told is not None:
            with suppress(MediaLost):  # what is lost is reported, and built anew from there
                peer = live.told.peers.get(client.id)
                role = live.template.roles.get(peer.role) if peer is not None else None
                client.media.want(subscriptions(live.told, live.template, client.id), degrade_policy(role))

    def back(self, client: Client) -> None:
        """The client has a socket again: an offer that it may have missed is sent anew."""
        if client.media is not None:
            with suppress(MediaLost):
                client.media.resend_offer()

    def media_up(self, client: Client) -> None:
        """The client's publish transport is up: whatever its media was lost for is over."""
        actions.regain(self._rooms, client.room_id, client.id, Loss.MEDIA, Loss.SERVER)

    def media_down(self, client: Client, reason: str) -> None:
        """The client's publish transport is dead: it has one grace time, and is asked to build a new one."""
        log.info("media of peer %s in room %s is down: %s", client.id, client.room_id, reason)
        actions.lose(self._rooms, client.room_id, client.id, Loss.MEDIA)
        self.migrate(client, reason)

    def migrate(self, client: Client, reason: str) -> None:
        """The client's transports are of no use any more: without a socket they are let go, else it builds new ones."""
        log.info("peer %s in room %s has to build new transports: %s", client.id, client.room_id, reason)
        self.close(client)
        self._background.start(self.unpublish(client))
        self.redirect(client)

    def redirect(self, client: Client) -> None:
        """Ask the client to build new transports: the SDK does so when the node id changes (signal.md §5.9)."""
        under_way = client.redirect is not None and not client.redirect.done()
        if client.joined and client.socket is not None and client.media is None and not under_way:
            client.redirect = self._background.start(self._redirect(client))

    async def _redirect(self, client: Client) -> None:
        """The others' tracks go away first and come back with the new transports, or the application on the client's
        side would go on showing the dead ones (janus.md §2f)."""
        try:
            media = await self.open(client)
        except MediaUnavailable as error:  # the engine is not back yet: `engine_restored` comes here again
            log.warning("no new transports for peer %s in room %s: %s", client.id, client.room_id, error)
            return
        for params in self._others(client):
            client.notify("on-track-remove", params)
        client.notify("node-info", {"sfu_node_id": media.node_id})

    def rebuilt(self, client: Client) -> None:
        """The client has new transports: the others' tracks are named again, and sent."""
        for params in self._others(client):
            client.notify("on-track-add", params)
        live = self._rooms.live(client.room_id)
        if live is not None:
            self.subscribe(live, client)

    def _others(self, client: Client) -> Sequence[dict[str, Any]]:
        live = self._rooms.live(client.room_id)
        if live is None or live.told is None:
            return ()
        return [
            {"peer": wire.peer_info(peer), "tracks": wire.tracks(peer)}
            for peer in live.told.peers.values()
            if peer.id != client.id and peer.tracks and client.audience.sees(peer)
        ]

    async def unpublish(self, client: Client) -> None:
        """Whatever the client published is gone with its transports."""
        live = self._rooms.live(client.room_id)
        if live is not None and live.session is not None and client.id in live.session.peers:
            await actions.set_tracks(self._rooms, client.room_id, client.id, {})

    def engine_lost(self, reason: str) -> None:
        """The media engine died: everybody who has media lost the server, until their media is back."""
        log.warning("the media engine is gone: %s", reason)
        for client in self._registry.all():
            if client.media is not None and client.joined:
                self.close(client)
                actions.lose(self._rooms, client.room_id, client.id, Loss.SERVER)
                self._background.start(self.unpublish(client))

    def engine_restored(self, node_id: str) -> None:
        """A new media engine is there: everybody who was on the old one builds new transports on it."""
        log.info("the media engine is back as %s", node_id)
        for client in self._registry.all():
            if client.node_id:
                self.redirect(client)
