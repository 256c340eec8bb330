"""One peer's media: its publish connection and its subscribe connection. Signatures; the work follows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from callboard.media.contract import Candidate, PublishedTrack, Subscription


class PeerMedia:
    """Opened by `MediaEngine.open_peer`. All methods raise `MediaLost` once it is over (closed, or its engine died)."""

    peer_id: str
    room_id: str
    node_id: str
    """`sfu_node_id` for this peer: differs for every `PeerMedia`, so a peer can be migrated by itself."""

    async def join(self, offer_sdp: str) -> str:
        """Take the client's first offer; the answer's SDP. Raises `OfferRefused`, `MediaUnavailable`."""
        raise NotImplementedError

    async def publish(self, offer_sdp: str, tracks: Sequence[PublishedTrack]) -> str:
        """Take a later offer with the complete set of tracks; the answer's SDP. Raises as `join`."""
        raise NotImplementedError

    def trickle(self, target: int, candidate: Candidate) -> None:
        """Take a candidate of the client. Unusable ones are dropped and counted."""
        raise NotImplementedError

    def answer(self, sdp: str) -> None:
        """Take the client's answer to the last offer sent. An answer nobody waits for is ignored."""
        raise NotImplementedError

    def want(self, tracks: Collection[Subscription]) -> None:
        """The complete set of tracks that this peer is to receive. Reconciled in the background."""
        raise NotImplementedError

    def resend_offer(self) -> None:
        """Send the offer that still waits for its answer again (after the client's socket was replaced)."""
        raise NotImplementedError

    def restart_subscriber(self) -> None:
        """Offer new ICE credentials for the subscribe connection (signal.md §2.5)."""
        raise NotImplementedError

    async def close(self) -> None:
        """End both connections. Idempotent; returns in bounded time."""
        raise NotImplementedError
