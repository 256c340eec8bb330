"""The session store: set, get, listen (signal.md §7.5)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from callboard.signaling import wire
from callboard.signaling.methods.call import Call
from callboard.signaling.session_store import MAX_KEY_LENGTH, MAX_KEYS

Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY_LENGTH)]


class SetMetadata(msgspec.Struct, frozen=True):
    key: Key
    data: Any = None


class GetMetadata(msgspec.Struct, frozen=True):
    key: Key


class Listen(msgspec.Struct, frozen=True):
    keys: Annotated[list[Key], msgspec.Meta(max_length=MAX_KEYS)]


async def store(call: Call, params: SetMetadata) -> object:
    """Set a value and tell whoever listens to its key."""
    peer, service = call.peer(), call.service
    entry = service.stores.put(
        call.session().id, params.key, params.data, peer.id, wire.milliseconds(service.clock.now())
    )
    for client in service.registry.of_room(call.client.room_id):
        if params.key in client.listening:
            client.notify("on-metadata-change", {"values": [entry.shown()]})
    return entry.shown()


async def get(call: Call, params: GetMetadata) -> object:
    """The value, null when it was never set."""
    call.peer()
    entry = call.service.stores.get(call.session().id, params.key)
    return entry.shown() if entry else {"key": params.key, "data": None}


async def listen(call: Call, params: Listen) -> None:
    """From now on tell the caller of changes of these keys, and, at once, what they are now."""
    call.peer()
    call.client.listening = frozenset(params.keys)
    tell_all(call)


def tell_all(call: Call) -> None:
    """What the keys that the client listens to are now: after `listen`, and after a reconnect."""
    live = call.service.rooms.live(call.client.room_id)
    session_id = live.session.id if live is not None and live.session else ""
    entries = (call.service.stores.get(session_id, key) for key in sorted(call.client.listening))
    values = [entry.shown() for entry in entries if entry is not None]
    if values:
        call.socket.notify("on-metadata-change", {"values": values})
