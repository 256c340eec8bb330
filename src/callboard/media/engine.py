"""The media engine of this node. Signatures; the work follows."""

from __future__ import annotations

from callboard.clock import Ids
from callboard.media.contract import (
    EngineObserver,
    MediaCounters,
    MediaSettings,
    PeerListener,
    PeerTransports,
)
from callboard.media.peer import PeerMedia


class MediaEngine:
    """Janus, supervised, and the peers in its rooms."""

    def __init__(self, settings: MediaSettings, ids: Ids) -> None:
        self.counters = MediaCounters()

    def observe(self, observer: EngineObserver) -> None:
        """Tell `observer` of every loss and restart from now on."""
        raise NotImplementedError

    @property
    def node_id(self) -> str:
        """The `sfu_node_id` of the running engine; a new one after every restart."""
        raise NotImplementedError

    async def start(self) -> None:
        """Start Janus and wait until it answers. Raises `EngineStartError`."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Close every peer and stop Janus. Idempotent; bounded time."""
        raise NotImplementedError

    async def open_peer(self, room_id: str, peer_id: str, listener: PeerListener) -> PeerMedia:
        """Media for a peer, in a Janus room made on demand.

        Waits a few seconds for an engine that restarts. Raises `MediaUnavailable`, and `MediaError` if this peer is
        open in this room already.
        """
        raise NotImplementedError

    async def transport_state(self, peer: PeerMedia) -> PeerTransports:
        """Ask Janus whether the connections of `peer` are really up. Raises `MediaLost`, `MediaUnavailable`."""
        raise NotImplementedError
