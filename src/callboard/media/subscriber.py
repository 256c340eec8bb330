"""The subscribe connection of one peer: we offer, the client answers.

Owns: `Subscriber`.

Always holds: one task negotiates, one offer at a time: offer, answer, `start`, and the first time also ICE
and DTLS up, before the next (a second offer before ICE started kills the connection, janus.md §4.1). It works
until nothing is left to do. When it is unknown what Janus has, the connection is given up and
`subscriber_down` says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence

from callboard.media.apichannel import ApiChannel
from callboard.media.apidesk import ApiDesk
from callboard.media.apiprotocol import Preference
from callboard.media.candidates import parse_candidate
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import (
    TARGET_SUBSCRIBE,
    Candidate,
    LayerUpdate,
    PeerListener,
    Subscription,
    TransportState,
)
from callboard.media.degradation import DegradePolicy
from callboard.media.exchange import Exchange, NegotiationError
from callboard.media.feeds import Feeds
from callboard.media.janusevents import Event, Hangup, SlowLink, Substream, Trickle, WebRtcUp
from callboard.media.linkwatch import LinkWatch
from callboard.media.room import MediaRoom
from callboard.media.sdp import SdpError, Section, parse
from callboard.media.splice import API_MID, compose_offer, split_answer
from callboard.media.telling import LossWatch, call_soon

log = logging.getLogger("callboard.media")


class Subscriber:
    """Does nothing before `start`. `sdp_session` is the number in the `o=` line of its offers."""

    def __init__(
        self,
        context: Context,
        room: MediaRoom,
        peer_id: str,
        sdp_session: int,
        listener: PeerListener,
        *,
        on_demand: bool = False,
    ) -> None:
        self._context = context
        self._peer_id = peer_id
        self._listener = listener
        self._sdp_session = sdp_session
        self._sdp_version = 0
        self._feeds = Feeds(
            context, room, f"sub {peer_id[:60]}", self._on_event, self._tell_layers, on_demand=on_demand
        )
        self._link = LinkWatch(context, self._feeds, self._tell_link)
        self._exchange = Exchange(self._send_offer, context.settings.answer_deadline)
        self._watch = LossWatch(context, self.transport, self._tell_lost)
        self._channel: ApiChannel | None = None
        self._offer_due = True
        self._restart_due = False
        self._up = asyncio.Event()
        self._wake = asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    # What is asked of it. None of these wait.

    def start(self) -> None:
        """Begin: the first offer holds the API channel only."""
        if self._work is None and self._watch.over is None:
            self._work = asyncio.create_task(self._run(), name=f"subscriber {self._peer_id}")
            self._wake.set()

    def want(self, tracks: Collection[Subscription], policy: DegradePolicy) -> None:
        """The complete set of tracks, and what becomes of them on a bad link."""
        self._feeds.want(tracks)
        self._link.want([(track.peer_id, track.track_id) for track in tracks], policy)
        self._wake.set()

    def changed(self) -> None:
        """Somebody in the room publishes something else than before."""
        self._feeds.retry()
        self._wake.set()

    def answer(self, sdp: str) -> None:
        """Take the client's answer."""
        self._exchange.answer(sdp)

    def resend(self) -> None:
        """Send the offer that is out again, or try again with one that failed."""
        if not self._exchange.resend():
            self._wake.set()

    def restart(self) -> None:
        """Offer new ICE credentials as soon as nothing else is being negotiated."""
        self._restart_due = True
        self._wake.set()

    def trickle(self, candidate: Candidate) -> bool:
        """Take a candidate of the client; `False` when it is of no use."""
        parsed = parse_candidate(str(candidate.get("candidate", "")))
        if parsed is None:
            return False
        mid, index = candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
        if mid == API_MID or (mid is None and index == 0):
            if self._channel is not None:
                self._channel.add_candidate(parsed)
            return True
        # Our API section is the first in the client's eyes, and does not exist in Janus's.
        place = {"sdpMid": mid} if isinstance(mid, str) else {"sdpMLineIndex": 0 if index == 1 else 1}
        return self._feeds.pump.put({"candidate": parsed.render(), **place})

    # For the desk that answers the client on its API channel.

    @property
    def api_channel_open(self) -> bool:
        return self._channel is not None and self._channel.is_open

    def find(self, kind: str, track_id: str) -> tuple[str, str] | None:
        """The wanted track that a request of the client means: `(peer id, track id)`."""
        return self._feeds.find(kind, track_id)

    def prefer(self, key: tuple[str, str], preference: Preference) -> None:
        """How the client wants to receive a track."""
        if self._feeds.prefer(key, preference):
            self._wake.set()

    def say(self, text: str) -> bool:
        """Send the client a message on its API channel."""
        return self._channel is not None and self._channel.send(text)

    def channel_lost(self, reason: str) -> None:
        """Without the API channel a client cannot play what is unmuted: the connection is of no use."""
        self._watch.lost(f"the API channel was lost: {reason}")

    # The end.

    async def transport(self) -> TransportState | None:
        """Ask Janus; `None` while nothing was subscribed to. Raises `JanusTimeout`, `JanusGone`."""
        return await self._feeds.transport()

    async def resync(self) -> None:
        """Ask what may have been missed. Raises as `transport`."""
        state = await self.transport()
        if state is not None and state.up:
            self._up.set()
        elif state is not None and state.ended:
            self._watch.hint("the connection had ended when it was asked for")

    def abandon(self) -> list[asyncio.Task[None]]:
        """Negotiate nothing more, report nothing more, without a word to Janus. The tasks that this ends."""
        tasks = [*self._watch.end("closed"), *self._link.end()]
        if self._work is not None:
            self._work.cancel()
            tasks.append(self._work)
        return tasks

    async def close(self, *, detach: bool) -> None:
        """Close the API channel and give the handle back. Bounded time."""
        tasks = self.abandon()
        if tasks:
            await asyncio.wait(tasks)
        if self._channel is not None:
            await self._channel.close()
        await self._feeds.close(detach=detach)

    # The one task that negotiates.

    async def _run(self) -> None:
        settings = self._context.settings
        try:
            self._channel = await ApiChannel.create(
                ApiDesk(self._context.counters, self),
                self._context.addresses,
                settings.port_range,
                settings.public_address,
                self._context.certificate,
                settings.channel_deadline,
            )
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._settle(self._channel)
        except (JanusTimeout, JanusGone, OSError) as error:
            self._watch.lost(str(error))

    async def _settle(self, channel: ApiChannel) -> None:
        try:
            while await self._step(channel):
                pass
        except (NegotiationError, SdpError, JanusError) as error:
            log.info("negotiation with peer %s failed: %s", self._peer_id, error)
            self._context.counters.negotiation_failures += 1
            call_soon(self._listener.negotiation_failed, str(error))

    async def _step(self, channel: ApiChannel) -> bool:
        """Do the next thing; `False` when there is none."""
        if not self._feeds.unanswered:
            if self._restart_due:
                self._restart_due = False
                await channel.restart()
                self._offer_due = True
                await self._feeds.restart()
            elif await self._feeds.update():
                self._offer_due = True
        if not self._offer_due:
            return False
        await self._negotiate(channel)
        return True

    async def _negotiate(self, channel: ApiChannel) -> None:
        self._sdp_version += 1
        feeds = self._feeds
        offer = compose_offer(feeds.media, channel.section, feeds.names(), self._sdp_session, self._sdp_version)
        api, media = split_answer(parse(await self._exchange.offer(offer)), feeds.media)
        self._accept(channel, api)
        if media is not None and feeds.unanswered:
            await feeds.answer(media)
            await self._wait_until_up()
        self._context.counters.answers_applied += 1
        self._offer_due = False

    def _accept(self, channel: ApiChannel, section: Section) -> None:
        """Media does not depend on the API channel: what is wrong with it is said, and that is all."""
        try:
            channel.accept(section)
        except SdpError as error:
            self._context.counters.channel_alarms += 1
            log.warning("peer %s has no API channel: %s", self._peer_id, error)

    async def _wait_until_up(self) -> None:
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout(self._context.settings.transport_deadline):
                await self._up.wait()
        except TimeoutError:
            state = await self.transport()
            if state is None or not state.up:
                raise JanusTimeout("the subscribe connection did not come up") from None
            self._up.set()

    def _send_offer(self, sdp: str) -> None:
        self._context.counters.offers_sent += 1
        call_soon(self._listener.send_offer, sdp)

    def _tell_lost(self, reason: str) -> None:
        self._context.counters.subscriber_losses += 1
        if self._work is not None:
            self._work.cancel()
        call_soon(self._listener.subscriber_down, reason)

    def _tell_layers(self, updates: Sequence[LayerUpdate]) -> None:
        if self._watch.over is None:
            call_soon(self._listener.layers_changed, updates)

    def _tell_link(self, score: int) -> None:
        if self._watch.over is None:
            call_soon(self._listener.link_measured, score)

    def _on_event(self, event: Event) -> None:
        if self._watch.over is not None:
            return
        match event:
            case WebRtcUp():
                self._up.set()
            case Hangup(reason):
                self._watch.hint(reason)
            case Substream(mid, layer):
                self._feeds.layers.note_sent(mid, layer)
            case SlowLink():
                self._link.alarm()
            case Trickle(candidate):
                index = candidate.get("sdpMLineIndex")
                shifted = {**candidate, "sdpMLineIndex": index + 1 if isinstance(index, int) else 1}
                self._listener.send_trickle(TARGET_SUBSCRIBE, shifted)
            case _:
                pass
