"""Role changes: forced, asked for, in bulk (signal.md §7.1, platform.md §4.5)."""

from __future__ import annotations

import msgspec

from callboard.rooms import actions
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call

MAX_PENDING = 16


class RoleChangeRequest(msgspec.Struct, frozen=True):
    role: str
    requested_for: str | None = None
    roles: list[str] | None = None
    force: bool = False


class RoleChange(msgspec.Struct, frozen=True):
    role: str
    token: str
    requested_by: str | None = None


async def request(call: Call, params: RoleChangeRequest) -> None:
    """Change a peer's role, or ask it to agree, or change all peers of some roles (always forced)."""
    call.require("change_role", "change roles")
    if params.role not in call.live().template.roles:
        raise SignalError(404, f"role {params.role!r} not found")
    if params.roles is not None:
        await _change_many(call, params.roles, params.role)
    elif params.requested_for is None:
        raise SignalError(400, "requested_for (a peer id) or roles is missing")
    elif params.force or params.requested_for == call.client.id:
        await _change(call, params.requested_for, params.role)
    else:
        _ask(call, params.requested_for, params.role)


async def accept(call: Call, params: RoleChange) -> None:
    """The peer agrees to what it was asked."""
    role, requested_by = call.client.pending_roles.pop(params.token, (None, None))
    if role is None or role != params.role:
        raise SignalError(404, "no such role change request")
    by = call.session().peers.get(requested_by or "")
    person = actions.person_of(by) if by else None
    await actions.change_role(call.service.rooms, call.client.room_id, call.client.id, role, by=person, asked=True)


async def _change(call: Call, peer_id: str, role: str) -> None:
    by = actions.person_of(call.peer())
    await actions.change_role(call.service.rooms, call.client.room_id, peer_id, role, by=by)


async def _change_many(call: Call, roles: list[str], role: str) -> None:
    if role in roles:
        raise SignalError(400, "target role clash with requested roles")
    for peer in list(call.session().peers.values()):
        if peer.role in roles:
            await _change(call, peer.id, role)


def _ask(call: Call, peer_id: str, role: str) -> None:
    target = call.service.registry.find(call.client.room_id, peer_id)
    if target is None or not target.joined:
        raise SignalError(404, "peer not found")
    while len(target.pending_roles) >= MAX_PENDING:
        target.pending_roles.pop(next(iter(target.pending_roles)))
    token = call.service.ids.uuid()
    target.pending_roles[token] = (role, call.client.id)
    target.notify("on-role-change-request", {"requested_by": call.client.id, "role": role, "token": token})
