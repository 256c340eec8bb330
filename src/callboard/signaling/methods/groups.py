"""Groups, of which `_handraise` is the raised hand (signal.md §3.3, §7.7)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from callboard.rooms import actions
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call

MAX_GROUPS = 32

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class OwnGroup(msgspec.Struct, frozen=True):
    name: Name


class PeerGroup(msgspec.Struct, frozen=True):
    name: Name
    peer_id: str


async def join(call: Call, params: OwnGroup) -> object:
    """Join a group; everybody is told, the caller too."""
    return await _set(call, call.client.id, [*call.peer().groups, params.name])


async def leave(call: Call, params: OwnGroup) -> object:
    """Leave a group."""
    return await _set(call, call.client.id, [g for g in call.peer().groups if g != params.name])


async def add(call: Call, params: PeerGroup) -> object:
    """Put somebody else into a group."""
    call.require("change_role", "change the groups of others")
    return await _set(call, params.peer_id, [*_groups(call, params.peer_id), params.name])


async def remove(call: Call, params: PeerGroup) -> object:
    """Take somebody else out of a group: lower a hand."""
    if params.peer_id != call.client.id:
        call.require("change_role", "change the groups of others")
    return await _set(call, params.peer_id, [g for g in _groups(call, params.peer_id) if g != params.name])


def _groups(call: Call, peer_id: str) -> tuple[str, ...]:
    peer = call.session().peers.get(peer_id)
    if peer is None:
        raise SignalError(404, "peer not found")
    return peer.groups


async def _set(call: Call, peer_id: str, groups: list[str]) -> object:
    if len(set(groups)) > MAX_GROUPS:
        raise SignalError(400, f"a peer may be in at most {MAX_GROUPS} groups")
    now = await actions.set_groups(call.service.rooms, call.client.room_id, peer_id, groups)
    return {"groups": list(now)}
