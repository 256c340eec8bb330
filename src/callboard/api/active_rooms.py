"""Active rooms: who is in a room now, and what can be done to them (platform.md §3.4).

Owns: live sessions and peers as REST shows them, and their routes.

Always holds: an action has been committed when it is acknowledged, although the wording of the
acknowledgements, which clients know, promises less.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.live import PeerView, SessionView, TrackView
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps

MAX_MESSAGE_BYTES = 4096

# PostgreSQL's texts have no NUL (manual, "Character Types").
_NO_NUL = r"^[^\u0000]*$"
_Name = Annotated[str, Meta(max_length=256, pattern=_NO_NUL, extra={"allowed": "at most 256 characters, no NUL"})]
_Data = Annotated[str, Meta(max_length=8192, pattern=_NO_NUL, extra={"allowed": "at most 8192 characters, no NUL"})]
_Reason = Annotated[str, Meta(max_length=1024, pattern=_NO_NUL, extra={"allowed": "at most 1024 characters, no NUL"})]
_MessageType = Annotated[str, Meta(min_length=1, max_length=128)]


class TrackResponse(Struct, frozen=True, kw_only=True):
    """A track that a peer publishes. `type` is `audio` or `video`, `source` `regular` or `screen`."""

    id: str
    stream_id: str
    mute: bool
    type: str
    source: str
    started_at: str
    description: str = ""


class ListedPeer(Struct, frozen=True, kw_only=True):
    """A peer in a list."""

    id: str
    name: str
    user_id: str
    metadata: str
    role: str
    joined_at: str


class PeerResponse(ListedPeer, frozen=True, kw_only=True):
    """A peer with its tracks, by their ids."""

    tracks: dict[str, TrackResponse]


class PeersResponse(Struct, frozen=True, kw_only=True):
    """Peers by their ids."""

    peers: dict[str, ListedPeer]


class ActiveSession(Struct, frozen=True, kw_only=True):
    """The open session, with the ids of who is in it."""

    id: str
    created_at: str
    peers: list[str]


class ActiveRoomResponse(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    customer_id: str
    session: ActiveSession


class PeerUpdate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to change of a peer."""

    name: _Name | None = None
    role: str | None = None
    metadata: _Data | None = None


class MessageRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message to a peer, or else to all with a role, or else to everybody."""

    message: str
    type: _MessageType = "chat"
    peer_id: str | None = None
    role: str | None = None


class RemovalRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which peer, or else all with which role."""

    peer_id: str | None = None
    role: str | None = None
    reason: _Reason = ""


class EndRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, and whether the room is disabled with it."""

    reason: _Reason = ""
    lock: bool = False


class Acknowledgement(Struct, frozen=True, kw_only=True):
    message: str


END = EndRequest()


def shown_track(track: TrackView) -> TrackResponse:
    """The track as REST shows it."""
    return TrackResponse(
        id=track.id,
        stream_id=track.stream_id,
        mute=track.mute,
        type=track.kind,
        source=track.source,
        started_at=timestamps.precise(track.started_at),
    )


def listed_peer(peer: PeerView) -> ListedPeer:
    """The peer as lists show it."""
    return ListedPeer(
        id=peer.id,
        name=peer.name,
        user_id=peer.user_id,
        metadata=peer.data,
        role=peer.role,
        joined_at=timestamps.precise(peer.joined_at),
    )


def shown_peer(peer: PeerView) -> PeerResponse:
    """The peer as REST shows it."""
    return PeerResponse(
        id=peer.id,
        name=peer.name,
        user_id=peer.user_id,
        metadata=peer.data,
        role=peer.role,
        joined_at=timestamps.precise(peer.joined_at),
        tracks={track.id: shown_track(track) for track in peer.tracks.values()},
    )


async def session_in(deps: Deps, room_id: str) -> SessionView:
    """The open session. Raises `NotFound`."""
    await deps.store.room(room_id)
    session = deps.live.session_of(room_id)
    if session is None:
        raise NotFound("session not found", ("nobody is in the room",))
    return session


def seeing_routes(deps: Deps) -> Router:
    """Who is in a room."""

    @get("/{room_id:str}", operation_id="get_active_room", summary="Get an active room", responses=errors(404))
    async def get_active_room(room_id: FromPath[str]) -> ActiveRoomResponse:
        """The room with its open session; 404 while nobody is in it."""
        room, session = await deps.store.room(room_id), await session_in(deps, room_id)
        active = ActiveSession(
            id=session.id, created_at=timestamps.precise(session.started_at), peers=list(session.peers)
        )
        return ActiveRoomResponse(id=room.id, name=room.name, customer_id=deps.workspace.id, session=active)

    @get("/{room_id:str}/peers", operation_id="list_peers", summary="List peers", responses=errors(404))
    async def list_peers(
        room_id: FromPath[str],
        user_id: Annotated[str, QueryParameter(description="Only peers with this user id.")] = "",
        role: Annotated[str, QueryParameter(description="Only peers with this role.")] = "",
    ) -> PeersResponse:
        """The peers in the room, without their tracks."""
        peers = (await session_in(deps, room_id)).peers.values()
        chosen = [p for p in peers if user_id in ("", p.user_id) and role in ("", p.role)]
        return PeersResponse(peers={peer.id: listed_peer(peer) for peer in chosen})

    @get("/{room_id:str}/peers/{peer_id:str}", operation_id="get_peer", summary="Get a peer", responses=errors(404))
    async def get_peer(room_id: FromPath[str], peer_id: FromPath[str]) -> PeerResponse:
        """The peer with its tracks."""
        peer = (await session_in(deps, room_id)).peers.get(peer_id)
        if peer is None:
            raise NotFound("peer not found")
        return shown_peer(peer)

    return Router("/active-rooms", route_handlers=[get_active_room, list_peers, get_peer], tags=["Active rooms"])


def acting_routes(deps: Deps) -> Router:
    """What can be done to who is in a room."""

    @post(
        "/{room_id:str}/peers/{peer_id:str}",
        status_code=200,
        operation_id="update_peer",
        summary="Change a peer's name, metadata or role",
        responses=errors(404),
        dto=JsonBody[PeerUpdate],
        return_dto=None,
    )
    async def update_peer(room_id: FromPath[str], peer_id: FromPath[str], data: JSONBody[PeerUpdate]) -> PeerResponse:
        """Change what the body says, and show the peer as it then is. A role change is reported as an
        event.
        """
        await session_in(deps, room_id)
        peer = await deps.live.update_peer(room_id, peer_id, name=data.name, role=data.role, data=data.metadata)
        return shown_peer(peer)

    @post(
        "/{room_id:str}/send-message",
        status_code=200,
        operation_id="send_message",
        summary="Send a message",
        responses=errors(404),
        dto=JsonBody[MessageRequest],
        return_dto=None,
    )
    async def send_message(room_id: FromPath[str], data: JSONBody[MessageRequest]) -> Acknowledgement:
        """Send a message to one peer, to all with a role, or to everybody."""
        await session_in(deps, room_id)
        if len(data.message.encode()) > MAX_MESSAGE_BYTES:
            raise Invalid("Invalid body param", (f"message: must be at most {MAX_MESSAGE_BYTES} bytes of UTF-8",))
        target = {"peer_id": data.peer_id, "role": None if data.peer_id else data.role}
        await deps.live.send_message(room_id, data.message, type=data.type, **target)
        return Acknowledgement(message="message sent")

    @post(
        "/{room_id:str}/remove-peers",
        status_code=200,
        operation_id="remove_peers",
        summary="Remove peers",
        responses=errors(404),
        dto=JsonBody[RemovalRequest],
        return_dto=None,
    )
    async def remove_peers(room_id: FromPath[str], data: JSONBody[RemovalRequest]) -> Acknowledgement:
        """Remove one peer, or all with a role. They may come back; see end-room with `lock`."""
        await session_in(deps, room_id)
        if not data.peer_id and not data.role:
            raise Invalid("Invalid body param", ("peer_id: is required, or role",))
        target = {"peer_id": data.peer_id or None, "role": None if data.peer_id else data.role}
        await deps.live.remove_peers(room_id, reason=data.reason, **target)
        return Acknowledgement(message="peer remove request submitted")

    @post(
        "/{room_id:str}/end-room",
        status_code=200,
        operation_id="end_room",
        summary="End the session of a room",
        responses=errors(404),
        dto=JsonBody[EndRequest],
        return_dto=None,
    )
    async def end_room(room_id: FromPath[str], data: JSONBody[EndRequest] = END) -> Acknowledgement:
        """Remove everybody and close the session. With `lock` the room is disabled as well."""
        await deps.store.room(room_id)
        await deps.live.end_room(room_id, data.reason, lock=data.lock)
        return Acknowledgement(message="session is ending")

    handlers = [update_peer, send_message, remove_peers, end_room]
    return Router("/active-rooms", route_handlers=handlers, tags=["Active rooms"])
