"""What a backend sees of live rooms and does in them, over the REST API: `api.live.LiveRooms`.

Owns: `Backend`. Always holds: it shows durable state only, so a read made while handling a webhook is never stale
(DESIGN §1.1).
"""

from __future__ import annotations

from types import MappingProxyType

from callboard.api.live import PeerView, SessionView, TrackView
from callboard.errors import NotFound
from callboard.rooms import actions
from callboard.rooms.session import Peer, Session
from callboard.signaling.methods.call import Service
from callboard.signaling.methods.messages import Info, Message, deliver


def peer_view(peer: Peer) -> PeerView:
    tracks = {t.id: TrackView(t.id, t.stream_id, t.mute, t.kind, t.source, t.started_at) for t in peer.tracks.values()}
    return PeerView(peer.id, peer.user_id, peer.name, peer.data, peer.role, peer.joined_at, MappingProxyType(tracks))


class Backend:
    """All live rooms of this node, as the holder of a management token may see and change them."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def _session(self, room_id: str) -> Session | None:
        live = self._service.rooms.live(room_id)
        return live.told if live is not None else None

    def session_of(self, room_id: str) -> SessionView | None:
        session = self._session(room_id)
        if session is None:
            return None
        peers = {peer.id: peer_view(peer) for peer in session.peers.values()}
        return SessionView(session.id, room_id, session.started_at, MappingProxyType(peers))

    async def end_room(self, room_id: str, reason: str, *, lock: bool) -> None:
        await actions.end_room(self._service.rooms, room_id, by=None, reason=reason, lock=lock)

    async def remove_peers(self, room_id: str, *, peer_id: str | None, role: str | None, reason: str) -> None:
        await actions.remove_peers(self._service.rooms, room_id, by=None, reason=reason, peer_id=peer_id, role=role)

    async def update_peer(
        self, room_id: str, peer_id: str, *, name: str | None, role: str | None, data: str | None
    ) -> PeerView:
        rooms = self._service.rooms
        if role is not None:
            await actions.change_role(rooms, room_id, peer_id, role, by=None)
        return peer_view(await actions.update_peer(rooms, room_id, peer_id, name=name, data=data))

    async def send_message(
        self,
        room_id: str,
        message: str,
        *,
        type: str,  # noqa: A002 - the interface's name, and the body's
        peer_id: str | None,
        role: str | None,
    ) -> None:
        session = self._session(room_id)
        if session is None:
            raise NotFound("session not found")
        if peer_id is not None and peer_id not in session.peers:
            raise NotFound("peer not found")
        roles = (role,) if role is not None else ()
        service = self._service
        sent = Message(Info(message, type), None, peer_id, roles)
        await deliver(sent, session, service.registry, service.ids, service.clock, service.chat)
