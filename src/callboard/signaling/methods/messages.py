"""Messages to everybody, to some roles, to one peer (signal.md §7.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from callboard.clock import Clock, Ids
from callboard.errors import Invalid
from callboard.recording.chat import ChatKeeper
from callboard.rooms.session import Peer, Session
from callboard.signaling import frames, wire
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call
from callboard.signaling.registry import Registry

MAX_MESSAGE_BYTES = 4096
"""platform.md §4.6."""


class Info(msgspec.Struct, frozen=True):
    message: str
    type: Annotated[str, msgspec.Meta(max_length=128)] = "chat"


class Broadcast(msgspec.Struct, frozen=True):
    info: Info
    roles: list[str] | None = None
    peer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message and whom it is for: one peer, or the peers of some roles, or everybody. `sender` None: the backend."""

    info: Info
    sender: Peer | None = None
    peer_id: str | None = None
    roles: tuple[str, ...] = ()

    def reaches(self, peer: Peer) -> bool:
        """Whether `peer` gets it; its sender never does (signal.md §7.4)."""
        if self.sender is not None and peer.id == self.sender.id:
            return False
        if self.peer_id is not None:
            return peer.id == self.peer_id
        return not self.roles or peer.role in self.roles


async def broadcast(call: Call, params: Broadcast) -> object:
    """Pass the message on to whom it is for. It is kept only if the session's chat is recorded."""
    message = Message(params.info, call.peer(), params.peer_id, tuple(params.roles or ()))
    if params.peer_id is not None and params.peer_id not in call.session().peers:
        raise SignalError(404, "peer not found")
    service = call.service
    return await deliver(message, call.session(), service.registry, service.ids, service.clock, service.chat)


async def deliver(
    message: Message, session: Session, registry: Registry, ids: Ids, clock: Clock, chat: ChatKeeper | None
) -> dict[str, object]:
    """Send it; returns its id and time (milliseconds since the epoch). Of a recorded session it is durable before.

    Raises `Invalid` when it is too long, and as `Ledger.commit`.
    """
    if len(message.info.message.encode()) > MAX_MESSAGE_BYTES:
        raise Invalid("the message is too long", [f"at most {MAX_MESSAGE_BYTES} bytes are allowed"])
    now = clock.now()
    if chat is not None and message.peer_id is None:
        who = message.sender
        sender = (who.id, who.name, who.user_id) if who is not None else ("", "", "")
        await chat.keep(session.id, sender, message.roles, message.info.type, message.info.message, now)
    stamp: dict[str, object] = {"message_id": ids.uuid(), "timestamp": wire.milliseconds(now)}
    params = {
        **({"peer": wire.peer_info(message.sender)} if message.sender else {}),
        "roles": list(message.roles),
        "private": message.peer_id is not None,
        **stamp,
        "info": {"message": message.info.message, "type": message.info.type},
    }
    frame = frames.notification("on-broadcast", params)
    for client in registry.of_room(session.room_id):
        peer = session.peers.get(client.id)
        if peer is not None and client.socket is not None and message.reaches(peer):
            client.socket.send(frame)
    return stamp
