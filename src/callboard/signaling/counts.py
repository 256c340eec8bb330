"""How many are in, told to all clients of a room: `session-info`, and `room-state` to those who have not joined.

Owns: `Counts`.

Always holds: the first change is told at once, those after it together, after a pause that grows with the room: in a
room of a thousand a join does not cost a message to each of them. The last state is always told.
"""

from __future__ import annotations

import asyncio
from typing import Final

from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.signaling import frames, wire
from callboard.signaling.registry import Registry

PAUSE: Final = 0.1
PAUSE_PER_CLIENT: Final = 0.002


class _Room:
    """When a room may be told again, and the timer that will."""

    def __init__(self) -> None:
        self.not_before = 0.0
        self.timer: asyncio.TimerHandle | None = None


class Counts:
    """The pauses of all rooms."""

    def __init__(self, rooms: LiveRooms, registry: Registry) -> None:
        self._live = rooms
        self._registry = registry
        self._rooms: dict[str, _Room] = {}

    def changed(self, live: LiveRoom) -> None:
        """Somebody came or left, or publishes something else."""
        loop, room = asyncio.get_running_loop(), self._rooms.setdefault(live.room.id, _Room())
        if room.timer is not None:
            return
        if loop.time() >= room.not_before:
            self._tell(live, room)
        else:
            room.timer = loop.call_at(room.not_before, self._later, live, room)

    def _later(self, live: LiveRoom, room: _Room) -> None:
        room.timer = None
        self._tell(self._live.live(live.room.id) or live, room)

    def _tell(self, live: LiveRoom, room: _Room) -> None:
        clients = [client for client in self._registry.of_room(live.room.id) if client.socket is not None]
        if not clients:
            self._rooms.pop(live.room.id, None)
            return
        room.not_before = asyncio.get_running_loop().time() + PAUSE + PAUSE_PER_CLIENT * len(clients)
        preview = wire.preview(live.room, live.told, live.template.settings.room_state)
        told = {method: frames.notification(method, params) for method, params in preview.items()}
        for client in clients:
            if client.socket is None:
                continue
            if not client.joined:
                for frame in told.values():
                    client.socket.send(frame)
            elif client.ready and live.told is not None:
                client.socket.send(told["session-info"])
