"""One peer's media: its publish connection and its subscribe connection.

Owns: `PeerMedia`.

Always holds: once it is over (closed, or its engine died) every method raises `MediaLost` and nothing is
reported any more. Whatever happened before, `close` leaves no handle, socket or task behind.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from typing import Final

from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import (
    TARGET_PUBLISH,
    TARGET_SUBSCRIBE,
    Candidate,
    MediaLost,
    MediaUnavailable,
    PeerListener,
    PeerTransports,
    PublishedTrack,
    Subscription,
)
from callboard.media.degradation import DegradePolicy
from callboard.media.publisher import Publisher
from callboard.media.room import MediaRoom, Published
from callboard.media.subscriber import Subscriber

log = logging.getLogger("callboard.media")

CLOSE_DEADLINE: Final = 25.0
DEFAULT_POLICY: Final = DegradePolicy()


class PeerMedia:
    """Opened by `MediaEngine.open_peer`. `node_id` is the `sfu_node_id` to tell this client.

    It differs for every `PeerMedia`, so that a peer can be made to migrate by itself (signal.md §5.9).
    """

    def __init__(
        self,
        context: Context,
        room: MediaRoom,
        peer_id: str,
        serial: int,
        node_id: str,
        listener: PeerListener,
        on_close: Callable[[PeerMedia], None],
        capture: str | None = None,
        *,
        on_demand: bool = False,
    ) -> None:
        self.peer_id = peer_id
        self.room_id = room.room_id
        self.node_id = node_id
        self._context = context
        self._room = room
        self._on_close = on_close
        self._publisher = Publisher(context, room, peer_id, str(serial), listener, capture)
        self._subscriber = Subscriber(context, room, peer_id, serial, listener, on_demand=on_demand)
        self._over: str | None = None
        self._closing: asyncio.Task[None] | None = None
        room.enter(peer_id, self)

    async def join(self, offer_sdp: str) -> str:
        """Take the client's first offer; the answer's SDP. The subscribe connection is offered right after.

        Raises `OfferRefused`, `MediaUnavailable`, `MediaLost`.
        """
        return await self.publish(offer_sdp, ())

    async def publish(self, offer_sdp: str, tracks: Sequence[PublishedTrack]) -> str:
        """Take an offer with the complete set of tracks; the answer's SDP.

        Also joins, if `join` was not called: after a migration, and when a role begins to use WebRTC, the
        client sends nothing else. Raises `OfferRefused`, `MediaUnavailable`, `MediaLost`.
        """
        self._check()
        answer = await self._publisher.publish(offer_sdp, tracks)
        self._check()
        self._subscriber.start()
        return answer

    def trickle(self, target: int, candidate: Candidate) -> None:
        """Take a candidate of the client. Those of no use are dropped and counted."""
        self._check()
        taken = False
        if target == TARGET_PUBLISH:
            taken = self._publisher.trickle(candidate)
        elif target == TARGET_SUBSCRIBE:
            taken = self._subscriber.trickle(candidate)
        if not taken:
            self._context.counters.candidates_dropped += 1

    def answer(self, sdp: str) -> None:
        """Take the client's answer to the last offer sent. An answer nobody waits for is ignored."""
        self._check()
        self._subscriber.answer(sdp)

    def want(self, tracks: Collection[Subscription], policy: DegradePolicy = DEFAULT_POLICY) -> None:
        """The complete set of tracks that this peer is to receive. Reconciled in the background.

        Tracks that nobody publishes (yet) are waited for. `policy`: when less of them is sent, because the link is bad.
        """
        self._check()
        self._subscriber.want(tracks, policy)

    def resend_offer(self) -> None:
        """Send the offer that still waits for its answer again (after the client's socket was replaced)."""
        self._check()
        self._subscriber.resend()

    def restart_subscriber(self) -> None:
        """Offer new ICE credentials for the subscribe connection (signal.md §2.5)."""
        self._check()
        self._subscriber.restart()

    def tell(self, text: str) -> bool:
        """Send the client a message on its API channel; `False` when that is not open or not read."""
        return self._over is None and self._subscriber.say(text)

    def captured(self, track_id: str) -> str | None:
        """The file that this track of the peer is written to, if it is."""
        return self._publisher.captured(track_id)

    async def stop_capture(self) -> None:
        """Write no more of what it publishes to files. Raises `MediaUnavailable`."""
        try:
            await self._publisher.stop_capture()
        except (JanusError, JanusTimeout, JanusGone) as error:
            raise MediaUnavailable(str(error)) from error

    async def close(self) -> None:
        """End both connections. Idempotent; returns in bounded time."""
        await asyncio.shield(self._close(detach=True))

    # For the engine and the room.

    def abandon(self, reason: str) -> asyncio.Task[None]:
        """The engine is gone: be over at once, clean up in the background."""
        self._over = self._over or reason
        return self._close(detach=False)

    async def transports(self) -> PeerTransports:
        """Ask Janus. Raises `MediaLost`, `MediaUnavailable`."""
        self._check()
        try:
            return PeerTransports(
                await self._publisher.transport(),
                await self._subscriber.transport(),
                self._subscriber.api_channel_open,
            )
        except (JanusError, JanusTimeout, JanusGone) as error:
            raise MediaUnavailable(str(error)) from error

    async def resync(self) -> None:
        """The control connection dropped and was restored: find out what was missed."""
        try:
            await self._publisher.resync()
            await self._subscriber.resync()
        except (JanusError, JanusTimeout, JanusGone) as error:
            log.info("cannot ask about peer %s: %s", self.peer_id, error)

    def published(self, track_id: str) -> Published | None:
        """A track of this peer that others can subscribe to."""
        return self._publisher.published(track_id)

    def room_changed(self) -> None:
        """Somebody publishes something else than before."""
        self._subscriber.changed()

    def _check(self) -> None:
        if self._over is not None:
            raise MediaLost(self._over)

    def _close(self, *, detach: bool) -> asyncio.Task[None]:
        if self._closing is None:
            self._over = self._over or "it was closed"
            self._publisher.abandon()
            self._subscriber.abandon()
            self._room.leave(self.peer_id, self)
            self._closing = asyncio.create_task(self._finish(detach), name=f"close {self.peer_id}")
        return self._closing

    async def _finish(self, detach: bool) -> None:
        try:
            async with asyncio.timeout(CLOSE_DEADLINE):
                await asyncio.gather(self._publisher.close(detach=detach), self._subscriber.close(detach=detach))
        except TimeoutError:
            log.warning("peer %s did not close within %g s", self.peer_id, CLOSE_DEADLINE)
        finally:
            self._on_close(self)
