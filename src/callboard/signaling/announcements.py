"""Telling the clients of a room what happened in it, once it is durable.

Owns: the notifications that follow from outcomes of `rooms/` (signal.md §4.2, §4.3, §7).

Always holds: a client is told only what came after its peer list; a role reaches its own peer as a policy change and
everybody else as a peer update (§4.2); tracks of somebody who left are removed by name before media is renegotiated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callboard.events import LeaveReason
from callboard.rooms.live import LiveRoom
from callboard.rooms.session import Peer
from callboard.rooms.transitions import Closed, Joined, Left, Opened, Outcome, Updated
from callboard.signaling import frames, wire
from callboard.signaling.audience import Audience, received_roles
from callboard.signaling.client import Client
from callboard.signaling.counts import Counts
from callboard.signaling.mediation import Mediation
from callboard.signaling.registry import Registry

GONE_CODE = 410
"""`on-error` code for a peer that the server gave up: terminal for the client, it has to join anew."""


class Announcements:
    """The observer of all live rooms."""

    def __init__(self, registry: Registry, mediation: Mediation, counts: Counts) -> None:
        self._registry = registry
        self._mediation = mediation
        self._counts = counts

    def __call__(self, live: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        """Tell everybody who has to know."""
        heard = False
        for outcome in outcomes:
            match outcome:
                case Opened() | Closed():
                    pass
                case Joined(peer):
                    self._tell(live, peer.id, _Change(None, peer))
                case Left(peer):
                    self._left(live, outcome)
                    heard = heard or bool(peer.tracks)
                case Updated(before, after):
                    self._updated(live, before, after)
                    heard = heard or before.role != after.role or before.tracks != after.tracks
        if live.told is not None and heard:
            self._mediation.subscribe_all(live)
            self._mediation.speakers.changed(live)
        self._mediation.quality.changed(live)
        self._counts.changed(live)

    def _tell(self, live: LiveRoom, about: str, change: _Change) -> None:
        """Tell all others of a change of `about`, each as much as it sees; each frame is encoded once."""
        for client in self._registry.of_room(live.room.id):
            if client.ready and client.id != about and client.socket is not None:
                for frame in change.frames(client.audience):
                    client.socket.send(frame)

    def _left(self, live: LiveRoom, left: Left) -> None:
        client = self._registry.find(live.room.id, left.peer.id)
        if client is not None:
            self._dismiss(client, left)
        self._tell(live, left.peer.id, _Change(left.peer, None))

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
        client = self._registry.find(live.room.id, after.id)
        if client is not None and before.role != after.role:
            client.notify("on-policy-change", wire.policy(live.template, after.role))
            self._resee(live, client, after)
        self._tell(live, after.id, _Change(before, after))
        if client is not None and client.ready and before.groups != after.groups and before.role == after.role:
            client.notify("on-peer-update", wire.peer(after))  # its own hand is only shown by this (signal.md §4.2)

    def _resee(self, live: LiveRoom, client: Client, after: Peer) -> None:
        """With another role a client of a large room sees others than before."""
        old = client.audience
        if old.everybody or live.told is None:
            return
        client.audience = Audience(everybody=False, roles=received_roles(live.template, after.role))
        for peer in live.told.peers.values():
            if peer.id != after.id and old.sees(peer) != client.audience.sees(peer):
                change = _Change(peer, None) if old.sees(peer) else _Change(None, peer)
                for frame in change.frames(Audience()):
                    client.notify_frame(frame)


class _Change:
    """What became of a peer, and how that is told: to who sees it before and after, only before, only after."""

    def __init__(self, before: Peer | None, after: Peer | None) -> None:
        self._before = before
        self._after = after
        self._known: dict[tuple[bool, bool], list[bytes]] = {}

    def frames(self, audience: Audience) -> list[bytes]:
        """The notifications for a client that sees so much."""
        seen = audience.sees(self._before), audience.sees(self._after)
        if seen not in self._known:
            self._known[seen] = [frames.notification(method, params) for method, params in self._told(*seen)]
        return self._known[seen]

    def _told(self, before: bool, after: bool) -> Iterator[tuple[str, object]]:
        if before and self._before is not None:
            yield from self._gone(self._before) if not after else self._different(self._before, self._after)
        elif after and self._after is not None:
            yield from self._came(self._after)

    def _came(self, peer: Peer) -> Iterator[tuple[str, object]]:
        yield ("on-peer-join" if self._before is None else "on-peer-update"), wire.peer(peer)
        if peer.tracks:
            yield "on-track-add", {"peer": wire.peer_info(peer), "tracks": wire.tracks(peer)}

    def _gone(self, peer: Peer) -> Iterator[tuple[str, object]]:
        if self._after is None:
            yield "on-peer-leave", wire.peer(peer)
        if peer.tracks:
            yield "on-track-remove", {"peer": wire.peer_info(peer), "tracks": wire.tracks(peer)}
        if self._after is not None:
            yield "on-peer-update", wire.peer(self._after, realtime=False)

    def _different(self, before: Peer, after: Peer | None) -> Iterator[tuple[str, object]]:
        if after is None:
            return
        old, new = before.tracks, after.tracks
        changes = {
            "on-track-remove": {i: wire.track(t) for i, t in old.items() if i not in new},
            "on-track-add": {i: wire.track(t) for i, t in new.items() if i not in old},
            "on-track-update": {i: wire.track(t) for i, t in new.items() if i in old and old[i] != t},
        }
        for method, tracks in changes.items():
            if tracks:
                yield method, {"peer": wire.peer_info(after), "tracks": tracks}
        if _person(before) != _person(after):
            yield "on-peer-update", wire.peer(after)


def _person(peer: Peer) -> tuple[object, ...]:
    return peer.role, peer.name, peer.data, peer.groups
