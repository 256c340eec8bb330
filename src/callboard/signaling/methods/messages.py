"""Messages to everybody, to some roles, to one peer (signal.md §7.4)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from callboard.signaling import frames, wire
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call

MAX_MESSAGE_BYTES = 4096
"""platform.md §4.6."""


class Info(msgspec.Struct, frozen=True):
    message: str
    type: Annotated[str, msgspec.Meta(max_length=128)] = "chat"


class Broadcast(msgspec.Struct, frozen=True):
    info: Info
    roles: list[str] | None = None
    peer_id: str | None = None


async def broadcast(call: Call, params: Broadcast) -> object:
    """Pass the message on to whom it is for, never back to its sender. Nothing is kept."""
    if len(params.info.message.encode()) > MAX_MESSAGE_BYTES:
        raise SignalError(400, f"the message is too long: at most {MAX_MESSAGE_BYTES} bytes are allowed")
    sender, session = call.peer(), call.session()
    if params.peer_id is not None and params.peer_id not in session.peers:
        raise SignalError(404, "peer not found")
    message_id, now = call.service.ids.uuid(), wire.milliseconds(call.service.clock.now())
    frame = frames.notification(
        "on-broadcast",
        {
            "peer": wire.peer_info(sender),
            "roles": params.roles or [],
            "private": params.peer_id is not None,
            "message_id": message_id,
            "timestamp": now,
            "info": {"message": params.info.message, "type": params.info.type},
        },
    )
    for client in call.service.registry.of_room(call.client.room_id):
        peer = session.peers.get(client.id)
        if peer is None or client.id == sender.id or client.socket is None:
            continue
        if params.peer_id is not None and client.id != params.peer_id:
            continue
        if params.peer_id is None and params.roles and peer.role not in params.roles:
            continue
        client.socket.send(frame)
    return {"message_id": message_id, "timestamp": now}
