"""Who is in the room, as this client was told (signal.md §4.2, §4.3). Pure bookkeeping.

Owns: `Roster` and its entries.

Always holds: the roster is what the notifications say and nothing else; it never holds the client itself.
A notification that breaks a rule on which the official client depends raises `ProtocolViolation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class ProtocolViolation(Exception):  # noqa: N818 - a fact about the server, said as such
    """The server sent what would break the official client; the message cites the rule."""


@dataclass(slots=True)
class RemotePeer:
    """Another peer. `tracks` is track id → the track as signalled (signal.md §3.2 `Track`)."""

    peer_id: str
    name: str = ""
    user_id: str = ""
    role: str = ""
    groups: tuple[str, ...] = ()
    tracks: dict[str, dict[str, Any]] = field(default_factory=dict)


class Roster:
    """The other peers of the room. Reads like a mapping of peer id → `RemotePeer`."""

    def __init__(self) -> None:
        self.peers: dict[str, RemotePeer] = {}

    def __contains__(self, peer_id: object) -> bool:
        return peer_id in self.peers

    def __getitem__(self, peer_id: str) -> RemotePeer:
        return self.peers[peer_id]

    def __len__(self) -> int:
        return len(self.peers)

    def track(self, track_id: str) -> dict[str, Any] | None:
        """The track as signalled, or None."""
        return next((p.tracks[track_id] for p in self.peers.values() if track_id in p.tracks), None)

    def is_muted(self, track_id: str) -> bool:
        """Whether the track is signalled as muted; one that is not known yet is not."""
        track = self.track(track_id)
        return bool(track and track.get("mute"))

    def apply(self, method: str, params: Mapping[str, Any]) -> bool:
        """Take a notification; return whether it was about the roster. Raises `ProtocolViolation`."""
        match method:
            case "peer-list":
                _need(params, "room", method)
                self.peers = {peer_id: _peer(peer) for peer_id, peer in params["peers"].items()}
            case "on-peer-join":
                self.peers[params["peer_id"]] = _peer(params)
            case "on-peer-leave":
                self.peers.pop(params["peer_id"], None)
            case "on-peer-update":
                self._update(params)
            case "on-track-add" | "on-track-update":
                self._peer_of_tracks(params, method).tracks.update(params["tracks"])
            case "on-track-remove":
                tracks = self._peer_of_tracks(params, method).tracks
                for track_id in params["tracks"]:
                    tracks.pop(track_id, None)
            case _:
                return False
        return True

    def _update(self, params: Mapping[str, Any]) -> None:
        """A peer that is no longer `realtime` disappears; empty names do not clear the stored one."""
        peer_id = params["peer_id"]
        if not params.get("realtime"):
            self.peers.pop(peer_id, None)
            return
        new = _peer(params)
        old = self.peers.get(peer_id, new)
        old.role, old.groups = new.role or old.role, new.groups
        old.name, old.user_id = new.name or old.name, new.user_id or old.user_id
        self.peers[peer_id] = old

    def _peer_of_tracks(self, params: Mapping[str, Any], method: str) -> RemotePeer:
        """The official client ignores a removal without the peer, and creates a peer that it doesn't know."""
        _need(params, "peer", method)
        peer = params["peer"]
        if method == "on-track-remove":
            return self.peers.get(peer["peer_id"], RemotePeer(peer["peer_id"]))
        known: RemotePeer = self.peers.setdefault(peer["peer_id"], _peer({**peer, "realtime": True}))
        return known


def _peer(peer: Mapping[str, Any]) -> RemotePeer:
    for name in ("peer_id", "role", "info"):
        _need(peer, name, "a peer")
    if not peer.get("realtime"):
        raise ProtocolViolation("a peer in a list or a join must say realtime:true (signal.md §4.2)")
    if not isinstance(peer.get("groups"), list):
        raise ProtocolViolation("a peer's groups must be a list (signal.md §4.2)")
    info = peer["info"]
    return RemotePeer(
        peer["peer_id"],
        info.get("name", ""),
        info.get("user_id", ""),
        peer["role"],
        tuple(peer["groups"]),
        dict(peer.get("tracks") or {}),
    )


def _need(params: Mapping[str, Any], name: str, where: str) -> None:
    if name not in params:
        raise ProtocolViolation(f"{where} must have {name!r} (signal.md §4)")
