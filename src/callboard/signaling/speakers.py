"""Who is heard in a room, and telling it to whoever listens (signal.md §4.4, `active-speakers`).

Owns: `Board` (one room's speakers, pure) and `Speakers` (all boards, and when they are told).

Always holds: a list is whole, loudest first, and has at most `MAX_SPEAKERS`; nobody who is muted, or gone, or of a role
that the receiver does not listen to is on it. A room is told at most once in `PAUSE` seconds, however often somebody
begins and stops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.session import Session
from callboard.signaling import frames
from callboard.signaling.client import Client
from callboard.signaling.registry import Registry

MAX_SPEAKERS: Final = 16
PAUSE: Final = 0.5
HOLD: Final = 1.0
"""Who falls silent stays on the list for so many seconds: between two words nobody has stopped speaking."""


class Speaker(NamedTuple):
    """Somebody who is heard. `loudness` is 1 to 100."""

    peer_id: str
    track_id: str
    loudness: int
    role: str


class Board:
    """Who is heard. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], int] = {}
        self._silent_at: dict[tuple[str, str], float] = {}

    def note(self, peer_id: str, track_id: str, loudness: int, now: float) -> None:
        """The track is heard, or (0) is not any more."""
        key = peer_id, track_id
        if loudness > 0:
            self._heard[key] = loudness
            self._silent_at.pop(key, None)
        elif key in self._heard:
            self._silent_at.setdefault(key, now + HOLD)

    def speakers(self, session: Session, now: float) -> tuple[Speaker, ...]:
        """Who is heard now, the loudest first. Forgets who has been silent, or away, for long enough."""
        found = []
        for (peer_id, track_id), loudness in list(self._heard.items()):
            peer = session.peers.get(peer_id)
            track = peer.tracks.get(track_id) if peer is not None else None
            if peer is None or track is None or self._silent_at.get((peer_id, track_id), now + 1) <= now:
                del self._heard[peer_id, track_id]
                self._silent_at.pop((peer_id, track_id), None)
            elif not track.mute:
                found.append(Speaker(peer_id, track_id, loudness, peer.role))
        return tuple(sorted(found, key=lambda one: (-one.loudness, one.peer_id))[:MAX_SPEAKERS])

    def next_change(self) -> float | None:
        """When the next one who fell silent is to be taken off the list; None if nobody."""
        return min(self._silent_at.values(), default=None)


def shown(speakers: tuple[Speaker, ...]) -> dict[str, Any]:
    """The parameters of `active-speakers`."""
    entries = [{"peer_id": one.peer_id, "track_id": one.track_id, "level": one.loudness} for one in speakers]
    return {"speaker-list": entries}


class _Room:
    """A room's board, its timer, when it may be told again, and what each peer was told last."""

    def __init__(self) -> None:
        self.board = Board()
        self.timer: asyncio.TimerHandle | None = None
        self.due = 0.0
        self.not_before = 0.0
        self.told: dict[str, tuple[Speaker, ...]] = {}


class Speakers:
    """The boards of all rooms in which somebody was heard."""

    def __init__(self, rooms: LiveRooms, registry: Registry) -> None:
        self._live = rooms
        self._registry = registry
        self._rooms: dict[str, _Room] = {}

    def note(self, client: Client, track_id: str, loudness: int) -> None:
        """A track of this client's is heard, or (0) is not any more."""
        room = self._rooms.setdefault(client.room_id, _Room())
        room.board.note(client.id, track_id, loudness, _now())
        self._soon(client.room_id, room)

    def changed(self, live: LiveRoom) -> None:
        """Somebody came, left, muted or changed the role: the lists may be others."""
        room = self._rooms.get(live.room.id)
        if room is not None:
            self._soon(live.room.id, room)

    def _soon(self, room_id: str, room: _Room, at: float = 0.0) -> None:
        due = max(at, room.not_before, _now())
        if room.timer is not None:
            if room.due <= due:
                return
            room.timer.cancel()
        room.due = due
        room.timer = asyncio.get_running_loop().call_at(due, self._tell, room_id, room)

    def _tell(self, room_id: str, room: _Room) -> None:
        room.timer = None
        live, now = self._live.live(room_id), _now()
        if live is None or live.told is None:
            self._rooms.pop(room_id, None)
            return
        room.not_before = now + PAUSE
        speakers = room.board.speakers(live.told, now)
        clients = {client.id: client for client in self._registry.of_room(room_id) if client.ready}
        room.told = {peer_id: list_ for peer_id, list_ in room.told.items() if peer_id in clients}
        encode = _once()
        for client in clients.values():
            wanted = _for(live, client.id, speakers)
            if wanted != room.told.get(client.id, ()):
                room.told[client.id] = wanted
                _send(client, encode(wanted))
        silent_at = room.board.next_change()
        if silent_at is not None:
            self._soon(room_id, room, silent_at)


def _for(live: LiveRoom, receiver: str, speakers: tuple[Speaker, ...]) -> tuple[Speaker, ...]:
    """Those of the roles that the receiver's role listens to, and itself: its own tile shows it too."""
    peer = live.told.peers.get(receiver) if live.told is not None else None
    role = live.template.roles.get(peer.role) if peer is not None else None
    if role is None:
        return ()
    roles = role.subscribe_params.subscribe_to_roles
    return tuple(one for one in speakers if one.role in roles or one.peer_id == receiver)


def _once() -> Callable[[tuple[Speaker, ...]], bytes]:
    """Encodes each list once, however many get it."""
    known: dict[tuple[Speaker, ...], bytes] = {}

    def encode(speakers: tuple[Speaker, ...]) -> bytes:
        if speakers not in known:
            known[speakers] = frames.notification("active-speakers", shown(speakers))
        return known[speakers]

    return encode


def _send(client: Client, frame: bytes) -> None:
    """On the API channel, which is what it is for; on the socket while there is none (signal.md §4)."""
    if client.media is not None and client.media.tell(frame.decode()):
        return
    if client.socket is not None:
        client.socket.send(frame)


def _now() -> float:
    return asyncio.get_running_loop().time()
