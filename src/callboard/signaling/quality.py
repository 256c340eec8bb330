"""How good everybody's connection is, and telling it to the room (signal.md §4.4, `on-connection-quality-update`).

Owns: `Quality`.

Always holds: a score is told when it changed, to whoever may see that peer; who comes in is told all that are known.
A room is told at most once in `PAUSE` seconds. A peer that lost its socket scores 0 until it is back.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.signaling.client import Client
from callboard.signaling.registry import Registry

PAUSE: Final = 1.0
OUT_OF_REACH: Final = 0


class _Room:
    """The scores of a room's peers, those that are to be told, and the timer."""

    def __init__(self) -> None:
        self.scores: dict[str, int] = {}
        self.news: set[str] = set()
        self.timer: asyncio.TimerHandle | None = None


class Quality:
    """The scores of all rooms in which something was measured."""

    def __init__(self, rooms: LiveRooms, registry: Registry) -> None:
        self._live = rooms
        self._registry = registry
        self._rooms: dict[str, _Room] = {}

    def note(self, client: Client, score: int) -> None:
        """This client's link was measured, or it was lost (`OUT_OF_REACH`)."""
        room = self._rooms.setdefault(client.room_id, _Room())
        if room.scores.get(client.id) != score:
            room.scores[client.id] = score
            room.news.add(client.id)
            self._soon(client.room_id, room)

    def lost(self, client: Client) -> None:
        """The client's socket is gone."""
        room = self._rooms.get(client.room_id)
        if room is not None and client.id in room.scores:
            self.note(client, OUT_OF_REACH)

    def greet(self, client: Client) -> None:
        """Tell a client that has just come in what is known."""
        room = self._rooms.get(client.room_id)
        if room is not None:
            self._tell(client, room.scores)

    def changed(self, live: LiveRoom) -> None:
        """Somebody left, or everybody did."""
        room = self._rooms.get(live.room.id)
        if room is None:
            return
        peers = live.told.peers if live.told is not None else {}
        room.scores = {peer_id: score for peer_id, score in room.scores.items() if peer_id in peers}
        if not room.scores:
            self._forget(live.room.id, room)

    def _forget(self, room_id: str, room: _Room) -> None:
        if room.timer is not None:
            room.timer.cancel()
        del self._rooms[room_id]

    def _soon(self, room_id: str, room: _Room) -> None:
        if room.timer is None:
            room.timer = asyncio.get_running_loop().call_later(PAUSE, self._tell_all, room_id, room)

    def _tell_all(self, room_id: str, room: _Room) -> None:
        room.timer = None
        news = {i: room.scores[i] for i in sorted(room.news) if i in room.scores}
        room.news.clear()
        for client in self._registry.of_room(room_id):
            if client.ready:
                self._tell(client, news)

    def _tell(self, client: Client, scores: dict[str, int]) -> None:
        """Tell it what it may see of these, and its own."""
        live = self._live.live(client.room_id)
        peers = live.told.peers if live is not None and live.told is not None else {}
        seen = {i: score for i, score in scores.items() if i == client.id or client.audience.sees(peers.get(i))}
        if seen:
            client.tell("on-connection-quality-update", shown(seen))


def shown(scores: dict[str, int]) -> dict[str, Any]:
    """The parameters of the notification."""
    return {"peers": [{"peer_id": peer_id, "downlink_score": score} for peer_id, score in scores.items()]}
