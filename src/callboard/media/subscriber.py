"""The subscribe connection of one peer: we offer, the client answers.

Owns: `Subscriber`.

Always holds: one task negotiates, one offer at a time: offer, answer, `start`, and the first time also ICE
and DTLS up, before the next (a second offer before ICE started kills the connection, janus.md §4.1). What is
wanted is compared with what Janus has, again and again, until nothing is left to do. When it is unknown what
Janus has, the connection is given up and `subscriber_down` says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final

from callboard.media.apichannel import ApiChannel
from callboard.media.apidesk import ApiDesk
from callboard.media.apiprotocol import Preference
from callboard.media.candidates import parse_candidate
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import (
    TARGET_SUBSCRIBE,
    Candidate,
    PeerListener,
    Subscription,
    TransportState,
)
from callboard.media.enginesdp import for_engine
from callboard.media.exchange import Exchange, NegotiationError
from callboard.media.janusevents import Event, Hangup, Trickle, WebRtcUp
from callboard.media.layers import LayerDesk
from callboard.media.plan import Plan, plan
from callboard.media.publisher import call_soon
from callboard.media.room import MediaRoom, Published
from callboard.media.sdp import Sdp, SdpError, Section, parse
from callboard.media.splice import API_MID, compose_offer, split_answer
from callboard.media.trickle import TricklePump
from callboard.media.videoroom import NO_SUCH_FEED, Offered, Source, SubscriberHandle

log = logging.getLogger("callboard.media")

FEED_ATTEMPTS: Final = 6
FEED_DELAY: Final = 0.1


class Subscriber:
    """Does nothing before `start`. `sdp_session` is the number in the `o=` line of its offers."""

    def __init__(
        self, context: Context, room: MediaRoom, peer_id: str, sdp_session: int, listener: PeerListener
    ) -> None:
        self._context = context
        self._room = room
        self._peer_id = peer_id
        self._listener = listener
        self._sdp_session = sdp_session
        self._sdp_version = 0
        self._wanted: dict[tuple[str, str], Subscription] = {}
        self._refused: set[Source] = set()
        self._sections: dict[str, Published] = {}
        self._media: Sdp | None = None
        self._unanswered = False
        self._offer_due = True
        self._restart_due = False
        self._handle: SubscriberHandle | None = None
        self._channel: ApiChannel | None = None
        self._exchange = Exchange(self._send_offer, context.settings.answer_deadline)
        self._up = asyncio.Event()
        self._wake = asyncio.Event()
        self._pump = TricklePump()
        self._desk = ApiDesk(context.counters, self)
        self._layers = LayerDesk(context, self)
        self._work: asyncio.Task[None] | None = None
        self._reports: set[asyncio.Task[None]] = set()
        self._lost: str | None = None

    # What the peer asks for. None of these wait.

    def start(self) -> None:
        """Begin: the first offer holds the API channel only."""
        if self._work is None and self._lost is None:
            self._work = asyncio.create_task(self._run(), name=f"subscriber {self._peer_id}")
            self._wake.set()

    def want(self, tracks: Collection[Subscription]) -> None:
        """The complete set. Sound goes before pictures if there are more than a connection holds."""
        ordered = sorted(tracks, key=lambda track: track.kind)
        self._wanted = {(track.peer_id, track.track_id): track for track in ordered}
        self._layers.keep(self._wanted)
        self.changed()

    def changed(self) -> None:
        """Somebody in the room publishes something else than before."""
        self._refused.clear()
        self._wake.set()

    def answer(self, sdp: str) -> None:
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
        return self._pump.put({"candidate": parsed.render(), **place})

    # What others need to know.

    @property
    def api_channel_open(self) -> bool:
        return self._channel is not None and self._channel.is_open

    @property
    def sections(self) -> dict[str, Published]:
        """What each of Janus's sections carries (by mid)."""
        return self._sections

    @property
    def handle(self) -> SubscriberHandle | None:
        return self._handle

    def find(self, kind: str, track_id: str) -> tuple[str, str] | None:
        """The wanted track that a request of the client means: `(peer id, track id)`."""
        for key, track in self._wanted.items():
            if track.track_id == track_id and track.kind == kind:
                return key
        return None

    def say(self, text: str) -> bool:
        """Send the client a message on its API channel."""
        return self._channel is not None and self._channel.send(text)

    def prefer(self, key: tuple[str, str], preference: Preference) -> None:
        """How the client wants to receive a track."""
        self._layers.prefer(key, preference)

    async def transport(self) -> TransportState | None:
        """Ask Janus; `None` while nothing was subscribed to. Raises `JanusTimeout`, `JanusGone`."""
        if self._handle is None:
            return None
        return await self._context.admin.transport(self._context.session.id, self._handle.handle.id)

    # The end.

    def abandon(self) -> None:
        """Negotiate nothing more, report nothing more, without a word to Janus."""
        self._lost = self._lost or "closed"
        self._layers.stop()
        for task in (self._work, *self._reports):
            if task is not None:
                task.cancel()

    async def close(self, *, detach: bool) -> None:
        """Close the API channel and give the handle back. Bounded time."""
        self.abandon()
        tasks = [task for task in (self._work, *self._reports) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        await self._layers.close()
        await self._pump.close()
        if self._channel is not None:
            await self._channel.close()
        if detach and self._handle is not None:
            await self._handle.handle.detach()

    # The one task that negotiates.

    async def _run(self) -> None:
        settings = self._context.settings
        try:
            self._channel = await ApiChannel.create(
                self._desk,
                self._context.addresses,
                settings.port_range,
                settings.public_address,
                self._context.certificate,
                settings.channel_deadline,
            )
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._settle()
        except (JanusTimeout, JanusGone, OSError) as error:
            self.suspect(str(error), confirm=False)

    async def _settle(self) -> None:
        try:
            while await self._step():
                pass
        except (NegotiationError, SdpError, JanusError) as error:
            log.info("negotiation with peer %s failed: %s", self._peer_id, error)
            self._context.counters.negotiation_failures += 1
            call_soon(self._listener.negotiation_failed, str(error))

    async def _step(self) -> bool:
        """Do the next thing; `False` when there is none."""
        if not self._unanswered:
            if self._restart_due:
                await self._restart()
            elif todo := self._plan():
                await self._subscribe(todo)
            self._rename()
        if not self._offer_due:
            return False
        await self._negotiate()
        return True

    def _find_wanted(self) -> dict[Source, Published]:
        found = (self._room.find(*key) for key in self._wanted)
        return {published.source: published for published in found if published is not None}

    def _plan(self) -> Plan:
        wanted = [source for source in self._find_wanted() if source not in self._refused]
        return plan(wanted, {mid: published.source for mid, published in self._sections.items()})

    def _rename(self) -> None:
        """A section may keep its source while the publisher calls the track something else."""
        wanted = self._find_wanted()
        for mid, published in self._sections.items():
            now = wanted.get(published.source, published)
            if (now.stream_id, now.track_id) != (published.stream_id, published.track_id):
                self._sections[mid] = now
                self._offer_due = True

    async def _restart(self) -> None:
        self._restart_due = False
        assert self._channel is not None
        await self._channel.restart()
        if self._handle is not None:
            await self._pump.hold()
            self._take_offer(await self._handle.restart())
        self._offer_due = True

    async def _subscribe(self, todo: Plan) -> None:
        """Carry out a plan at Janus. Feeds that are not there (yet) are tried a few times, then left alone."""
        wanted = self._find_wanted()
        await self._pump.hold()
        for attempt in range(FEED_ATTEMPTS):
            try:
                async with self._layers.lock:
                    offered = await self._ask(todo)
                    if offered is not None:
                        self._note(offered, wanted)
            except JanusError as error:
                if error.code != NO_SUCH_FEED:
                    raise
                self._context.counters.subscribe_retries += 1
                if attempt == FEED_ATTEMPTS - 1:
                    self._refused.update(culprits(todo.add, error.reason))
                await asyncio.sleep(FEED_DELAY * 2**attempt)
                todo, wanted = self._plan(), self._find_wanted()
                if todo:
                    continue
            else:
                # Janus left out without a word what its publisher has disabled.
                carried = {published.source for published in self._sections.values()}
                self._refused.update(source for source in todo.add if source not in carried)
            break
        if self._handle is not None and not self._unanswered:
            self._pump.release(self._handle.handle)
        self._layers.wake()

    async def _ask(self, todo: Plan) -> Offered | None:
        if self._handle is not None:
            return await self._handle.update(todo.add, todo.remove)
        attached = await self._context.session.attach(self._on_event, f"sub {self._peer_id[:60]}")
        handle = SubscriberHandle(attached)
        try:
            offered = await handle.join(self._room.name, todo.add)
        except BaseException:
            await asyncio.shield(attached.detach())
            raise
        self._handle = handle
        return offered

    def _note(self, offered: Offered, wanted: dict[Source, Published]) -> None:
        known = {published.source: published for published in self._sections.values()} | wanted
        self._sections = {mid: known[source] for mid, source in offered.sources.items() if source in known}
        self._take_offer(offered.sdp)

    def _take_offer(self, sdp: str) -> None:
        self._media = parse(sdp)
        self._unanswered = True
        self._offer_due = True

    async def _negotiate(self) -> None:
        assert self._channel is not None
        self._sdp_version += 1
        names = {mid: (item.stream_id, item.track_id) for mid, item in self._sections.items()}
        offer = compose_offer(self._media, self._channel.section, names, self._sdp_session, self._sdp_version)
        api, media = split_answer(parse(await self._exchange.offer(offer)), self._media)
        self._accept_channel(api)
        if media is not None and self._unanswered and self._handle is not None:
            await self._handle.start(for_engine(media, self._context.codecs))
            self._unanswered = False
            self._pump.release(self._handle.handle)
            await self._wait_until_up()
        self._context.counters.answers_applied += 1
        self._offer_due = False

    def _accept_channel(self, section: Section) -> None:
        """Media does not depend on the API channel: what is wrong with it is said, and that is all."""
        assert self._channel is not None
        try:
            self._channel.accept(section)
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

    # Hints that something is wrong.

    def suspect(self, reason: str, *, confirm: bool) -> None:
        """After a moment report the connection as lost; with `confirm` only if Janus says so when asked."""
        task = asyncio.create_task(self._report(reason, confirm), name="confirm subscriber down")
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report(self, reason: str, confirm: bool) -> None:
        await asyncio.sleep(self._context.settings.confirm_delay)
        if confirm:
            try:
                state = await self.transport()
            except (JanusTimeout, JanusGone) as error:
                log.info("cannot confirm that a subscribe connection is gone (%s): %s", reason, error)
                return
            if state is None or not state.ended:
                return
        elif not await self._context.session.settled():
            return  # the engine as a whole is gone, and that is told elsewhere
        if self._lost is None:
            self._lost = reason
            self._context.counters.subscriber_losses += 1
            call_soon(self._listener.subscriber_down, reason)
            if self._work is not None:
                self._work.cancel()

    def _on_event(self, event: Event) -> None:
        if self._lost is not None:
            return
        match event:
            case WebRtcUp():
                self._up.set()
            case Hangup(reason):
                self.suspect(reason, confirm=True)
            case Trickle(candidate):
                index = candidate.get("sdpMLineIndex")
                shifted = {**candidate, "sdpMLineIndex": index + 1 if isinstance(index, int) else 1}
                self._listener.send_trickle(TARGET_SUBSCRIBE, shifted)
            case _:
                pass


def culprits(sources: Collection[Source], reason: str) -> list[Source]:
    """Which of `sources` Janus means by `No such feed (3)`; all of them when it does not say."""
    named = [source for source in sources if f"({source.feed})" in reason]
    return named or list(sources)
