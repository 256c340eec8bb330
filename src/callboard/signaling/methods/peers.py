"""A peer's own name and data, looking up others, and what is taken note of without more ado."""

from __future__ import annotations

import msgspec

from callboard.rooms import actions
from callboard.signaling import wire
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call
from callboard.signaling.methods.membership import Data, Name


class PeerUpdate(msgspec.Struct, frozen=True):
    name: Name | None = None
    data: Data | None = None


class GetPeer(msgspec.Struct, frozen=True):
    peer_id: str


async def update(call: Call, params: PeerUpdate) -> object:
    """Change the caller's name or metadata."""
    peer = await actions.update_peer(
        call.service.rooms,
        call.client.room_id,
        call.peer().id,
        name=params.name,
        data=params.data,
    )
    return wire.peer_info(peer)


async def get(call: Call, params: GetPeer) -> object:
    """Somebody in the room; 404 when there is no such peer (signal.md §3.3)."""
    call.peer()
    peer = call.session().peers.get(params.peer_id)
    if peer is None:
        raise SignalError(404, "peer not found")
    return wire.peer_info(peer)
