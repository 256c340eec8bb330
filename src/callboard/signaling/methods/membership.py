"""Joining, leaving, removing, ending (signal.md §3.2, §3.3, §7.2, §7.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from callboard.events import JoinFailure
from callboard.media import MediaLost, MediaUnavailable, PeerMedia
from callboard.rooms import actions, transitions
from callboard.signaling import wire
from callboard.signaling.audience import audience
from callboard.signaling.client import uses_media
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call, Nothing
from callboard.signaling.socket import Answer

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL's text has no place for U+0000."""

Name = Annotated[str, msgspec.Meta(max_length=256, pattern=NO_NUL)]
Data = Annotated[str, msgspec.Meta(max_length=8192, pattern=NO_NUL)]
Reason = Annotated[str, msgspec.Meta(max_length=1024, pattern=NO_NUL)]
Sdp = Annotated[str, msgspec.Meta(max_length=200_000)]

REFUSED = {JoinFailure.ROLE_NOT_ALLOWED: 403, JoinFailure.DUPLICATE_PEER_ID: 409}


class OfferSdp(msgspec.Struct, frozen=True):
    sdp: Sdp
    type: Literal["offer"] = "offer"


class Join(msgspec.Struct, frozen=True, rename={"on_demand_tracks": "onDemandTracks"}):
    name: Name = ""
    data: Data = ""
    offer: OfferSdp | None = None
    on_demand_tracks: bool = False


class RemovePeer(msgspec.Struct, frozen=True):
    requested_for: str
    reason: Reason = ""


class EndRoom(msgspec.Struct, frozen=True):
    lock: bool = False
    reason: Reason = ""


async def join(call: Call, params: Join) -> Answer:
    """Come in. Answers the publish connection's SDP; the peer list follows at once.

    Refused (403 role not allowed, 409 duplicate peer id) or broken off (the transport dropped, the media server does
    not answer) is reported as `peer.join.failure` with the seed's `error_message`.
    """
    client, rooms = call.client, call.service.rooms
    if client.joined and client.socket is call.socket:
        return await _join_again(call, params)
    client.person = replace(client.person, name=params.name, data=params.data)
    client.on_demand = params.on_demand_tracks and call.service.features.on_demand_tracks
    await _refuse_if_not_allowed(call)
    media, answer_sdp = await _open_media(call, params)
    if not call.socket.open:
        call.service.mediation.close(client)
        await actions.fail_join(
            rooms, client.room_id, client.person, JoinFailure.NETWORK_DISCONNECTION, "socket closed"
        )
        raise SignalError(1003, "the socket is closed")
    client.joined = True  # before it is durable: whoever removes the peer right after finds it joined
    try:
        failure = await actions.join(rooms, client.room_id, client.person, with_media=media is not None)
    except BaseException:
        client.joined = False
        call.service.mediation.close(client)
        raise
    if failure is not None:
        client.joined = False
        call.service.mediation.close(client)
        raise SignalError(REFUSED.get(failure, 403), str(failure))
    return _joined(call, answer_sdp)


async def _join_again(call: Call, params: Join) -> Answer:
    """The SDK asks again when it did not hear the answer (signal.md §3.1): the peer is in, it gets new transports."""
    _, answer_sdp = await _open_media(call, params)
    await call.service.mediation.unpublish(call.client)
    return _joined(call, answer_sdp)


def _joined(call: Call, answer_sdp: str | None) -> Answer:
    result = {"sfu_node_id": call.client.node_id} if call.client.node_id else {}
    if answer_sdp is not None:
        result |= {"type": "answer", "sdp": answer_sdp}
    return Answer(result, lambda: welcome(call))


async def _refuse_if_not_allowed(call: Call) -> None:
    """What can be known before media is set up, is."""
    client, rooms = call.client, call.service.rooms
    live = await rooms.room(client.room_id)
    if client.socket is not call.socket or client.joined:
        failure: JoinFailure | None = JoinFailure.DUPLICATE_PEER_ID
    else:
        failure = transitions.refusal(live.room, live.template, live.session, client.person)
    if failure is not None:
        await actions.fail_join(rooms, client.room_id, client.person, failure, "websocket join")
        raise SignalError(REFUSED.get(failure, 403), str(failure))
    if not live.room.enabled:
        raise SignalError(410, "the room is disabled")


async def _open_media(call: Call, params: Join) -> tuple[PeerMedia | None, str | None]:
    """The client's transports and the answer to its offer; nothing for a role without media (signal.md §5.8)."""
    client, service = call.client, call.service
    live = await service.rooms.room(client.room_id)
    role = live.template.roles[client.person.role]
    if params.offer is None:
        if uses_media(role):
            raise SignalError(400, f"role {role.name!r} uses media: join needs an offer")
        return None, None
    try:
        media = await service.mediation.open(client)
        answer_sdp = await media.join(params.offer.sdp)
    except (MediaLost, MediaUnavailable):
        service.mediation.close(client)
        await actions.fail_join(
            service.rooms, client.room_id, client.person, JoinFailure.NETWORK_DISCONNECTION, "no media server"
        )
        raise
    except BaseException:
        service.mediation.close(client)
        raise
    client.media_started = True
    return media, answer_sdp


def welcome(call: Call) -> None:
    """Who and what is here: everything after this is told as a change (signal.md §2.6)."""
    client, service = call.client, call.service
    live = service.rooms.live(client.room_id)
    me = live.told.peers.get(client.id) if live is not None and live.told is not None else None
    if live is None or live.told is None or me is None:
        return
    client.audience = audience(live.room, live.template, live.told, me.role, service.features.full_list_peers)
    call.socket.notify("peer-list", wire.peer_list(live.room, live.told, client.id, client.audience))
    call.socket.notify("room-info", wire.room_info(live.room, large=not client.audience.everybody))
    call.socket.notify("session-info", wire.session_info(live.told))
    call.socket.ready = True
    service.mediation.subscribe(live, client)
    service.mediation.quality.greet(client)


async def leave(call: Call, _: Nothing) -> Answer:
    """Goodbye. From somebody who is not in the room that is `peer.leave.failure`, except from the one who just ended
    the room: the SDK says `leave` after its own `end-room` (signal.md §7.3), and that is no mistake."""
    client = call.client
    if client.ended_room:
        client.ended_room = False
        return Answer()
    await actions.leave(call.service.rooms, client.room_id, client.person)
    return Answer()


async def remove_peer(call: Call, params: RemovePeer) -> None:
    """Remove somebody else."""
    await actions.remove_peers(
        call.service.rooms,
        call.client.room_id,
        by=actions.person_of(call.peer()),
        reason=params.reason,
        peer_id=params.requested_for,
    )


async def end_room(call: Call, params: EndRoom) -> None:
    """End the room for everybody, the caller included."""
    client = call.client
    await actions.end_room(call.service.rooms, client.room_id, by=client.person, reason=params.reason, lock=params.lock)
    client.ended_room = True
