"""Telling the clients of a room what happened in it, once it is durable.

Owns: the notifications that follow from outcomes of `rooms/` (signal.md §4.2, §4.3, §7).

Always holds: a client is told only what came after its peer list; a role reaches its own peer as a policy change and
everybody else as a peer update (§4.2); tracks of somebody who left are removed by name before media is renegotiated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callboard.events import LeaveReason
from callboard.rooms.live import LiveRoom
from callboard.rooms.session import Peer, Track
from callboard.rooms.transitions import Closed, Joined, Left, Opened, Outcome, Updated
from callboard.signaling import frames, wire
from callboard.signaling.client import Client
from callboard.signaling.mediation import Mediation
from callboard.signaling.registry import Registry

GONE_CODE = 410
"""`on-error` code for a peer that the server gave up: terminal for the client, it has to join anew."""


class Announcements:
    """The observer of all live rooms."""

    def __init__(self, registry: Registry, mediation: Mediation) -> None:
        self._registry = registry
        self._mediation = mediation

    def __call__(self, live: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        """Tell everybody who has to know."""
        for outcome in outcomes:
            match outcome:
                case Opened() | Closed():
                    pass
                case Joined(peer):
                    self._broadcast(live, "on-peer-join", wire.peer(peer), but=peer.id)
                case Left():
                    self._left(live, outcome)
                case Updated(before, after):
                    self._updated(live, before, after)
        if live.told is not None:
            self._session_info(live)
            self._mediation.subscribe_all(live)
            self._mediation.speakers.changed(live)
        else:
            self._preview_state(live)

    def _broadcast(self, live: LiveRoom, method: str, params: object, but: str) -> None:
        frame = frames.notification(method, params)
        for client in self._registry.of_room(live.room.id):
            if client.ready and client.id != but and client.socket is not None:
                client.socket.send(frame)

    def _left(self, live: LiveRoom, left: Left) -> None:
        client = self._registry.find(live.room.id, left.peer.id)
        if client is not None:
            self._dismiss(client, left)
        self._broadcast(live, "on-peer-leave", wire.peer(left.peer), but=left.peer.id)
        if left.peer.tracks:
            removed = {"peer": wire.peer_info(left.peer), "tracks": wire.tracks(left.peer)}
            self._broadcast(live, "on-track-remove", removed, but=left.peer.id)

    def _dismiss(self, client: Client, left: Left) -> None:
        """Tell the one who left, unless it said so itself, and let go of its media."""
        client.joined = False
        client.listening = frozenset()
        client.pending_roles.clear()
        self._mediation.close(client)
        if left.by == client.id:
            pass  # who ends the room is answered, and goes by itself (signal.md §7.3)
        elif left.reason is LeaveReason.PEER_KICKED:
            by = {"requested_by": left.by} if left.by else {}
            client.notify("on-peer-leave-request", {**by, "reason": left.message, "room_end": left.room_end})
        elif left.reason is not LeaveReason.CLIENT_REQUEST:
            client.notify("on-error", {"code": GONE_CODE, "message": str(left.reason)})
        if client.socket is not None:
            client.socket.ready = False
        self._registry.forget(client)

    def _updated(self, live: LiveRoom, before: Peer, after: Peer) -> None:
        if before.role != after.role:
            client = self._registry.find(live.room.id, after.id)
            if client is not None:
                client.notify("on-policy-change", wire.policy(live.template, after.role))
        self._tracks(live, after, before.tracks, after.tracks)
        if (before.role, before.name, before.data) != (after.role, after.name, after.data):
            self._broadcast(live, "on-peer-update", wire.peer(after), but=after.id)
        elif before.groups != after.groups:
            self._broadcast(live, "on-peer-update", wire.peer(after), but="")

    def _tracks(self, live: LiveRoom, peer: Peer, before: Mapping[str, Track], after: Mapping[str, Track]) -> None:
        changes = {
            "on-track-remove": {i: wire.track(t) for i, t in before.items() if i not in after},
            "on-track-add": {i: wire.track(t) for i, t in after.items() if i not in before},
            "on-track-update": {i: wire.track(t) for i, t in after.items() if i in before and before[i] != t},
        }
        for method, tracks in changes.items():
            if tracks:
                self._broadcast(live, method, {"peer": wire.peer_info(peer), "tracks": tracks}, but=peer.id)

    def _session_info(self, live: LiveRoom) -> None:
        if live.told is not None:
            self._broadcast(live, "session-info", wire.session_info(live.told), but="")
        self._preview_state(live)

    def _preview_state(self, live: LiveRoom) -> None:
        """Whoever looks at the preview sees how many are in."""
        preview = wire.preview(live.room, live.told)
        for client in self._registry.of_room(live.room.id):
            if not client.joined and client.socket is not None:
                for method, params in preview.items():
                    client.notify(method, params)
