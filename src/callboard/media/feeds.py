"""What one subscriber has at Janus, and how that becomes what it wants.

Owns: `Feeds`.

Always holds: `sections` and `media` are what Janus last offered. While an offer of Janus's is unanswered
nothing is changed and no candidate passes. Feeds that Janus refuses are tried a few times and then left alone
until the room changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from callboard.media.apiprotocol import Preference
from callboard.media.connection import JanusError
from callboard.media.context import Context
from callboard.media.contract import LayerUpdate, Subscription, TransportState
from callboard.media.enginesdp import for_engine
from callboard.media.janusevents import Event
from callboard.media.layers import LayerDesk
from callboard.media.linkstats import Flow
from callboard.media.plan import Plan, plan
from callboard.media.room import MediaRoom, Published
from callboard.media.sdp import Sdp, parse
from callboard.media.trickle import TricklePump
from callboard.media.videoroom import NO_SUCH_FEED, Offered, Source, SubscriberHandle

DELAYS: Final = (0.1, 0.2, 0.4)
"""Seconds before a subscription that Janus refused as a whole is tried again; then the culprits are left out."""

Key = tuple[str, str]


class Feeds:
    """Its coroutines are for one task. All raise `JanusError`, `JanusTimeout`, `JanusGone`, `SdpError`."""

    def __init__(
        self,
        context: Context,
        room: MediaRoom,
        opaque_id: str,
        on_event: Callable[[Event], None],
        on_layers: Callable[[Sequence[LayerUpdate]], None],
        *,
        on_demand: bool,
    ) -> None:
        """`on_demand`: a video has a section only while the client asks for it (signal.md §5.7)."""
        self.sections: dict[str, Published] = {}
        self.media: Sdp | None = None
        self.unanswered = False
        self.handle: SubscriberHandle | None = None
        self.pump = TricklePump()
        self.layers = LayerDesk(context, self, on_layers, on_demand=on_demand)
        self._on_demand = on_demand
        self._context = context
        self._room = room
        self._opaque_id = opaque_id
        self._on_event = on_event
        self._wanted: dict[Key, Subscription] = {}
        self._refused: set[Source] = set()

    def want(self, tracks: Collection[Subscription]) -> None:
        """The complete set. Sound goes before pictures if there are more than a connection holds."""
        ordered = sorted(tracks, key=lambda track: track.kind)
        self._wanted = {(track.peer_id, track.track_id): track for track in ordered}
        self.layers.keep(self._wanted)
        self.retry()

    def retry(self) -> None:
        """What was refused before may be there now."""
        self._refused.clear()

    def find(self, kind: str, track_id: str) -> Key | None:
        """The wanted track that a request of the client means."""
        for key, track in self._wanted.items():
            if track.track_id == track_id and track.kind == kind:
                return key
        return None

    def names(self) -> dict[str, tuple[str, str]]:
        """Section → `(stream id, track id)`."""
        return {mid: (item.stream_id, item.track_id) for mid, item in self.sections.items()}

    def prefer(self, key: Key, preference: Preference) -> bool:
        """The client's wish; whether that calls for another `update`."""
        return self.layers.prefer(key, preference) and self._on_demand

    def priorities(self) -> Mapping[Key, int]:
        """How important each wanted track is; 1 is the most."""
        return {key: track.priority for key, track in self._wanted.items()}

    def publishers(self) -> Mapping[str, str]:
        """Section → whose feed it carries."""
        return {mid: published.source.feed for mid, published in self.sections.items()}

    async def flows(self) -> dict[str, Flow] | None:
        """What was sent and lost so far, by section; `None` while nothing was subscribed to."""
        if self.handle is None:
            return None
        return await self._context.admin.flows(self._context.session.id, self.handle.handle.id)

    async def update(self) -> bool:
        """Take a step towards what is wanted; whether that calls for an offer to the client."""
        todo = self._plan()
        if todo:
            await self._carry_out(todo)
        return self._rename() or self.unanswered

    async def restart(self) -> None:
        """Have Janus offer new ICE credentials."""
        if self.handle is not None:
            await self.pump.hold()
            self._take(await self.handle.restart())

    async def answer(self, answer: Sdp) -> None:
        """Give Janus the client's answer to what it offered."""
        if self.handle is not None:
            await self.handle.start(for_engine(answer, self._context.codecs))
            self.unanswered = False
            self.pump.release(self.handle.handle)

    async def transport(self) -> TransportState | None:
        """Ask Janus; `None` while nothing was subscribed to."""
        if self.handle is None:
            return None
        return await self._context.admin.transport(self._context.session.id, self.handle.handle.id)

    async def close(self, *, detach: bool) -> None:
        """Give the handle back."""
        await self.layers.close()
        await self.pump.close()
        if detach and self.handle is not None:
            await self.handle.handle.detach()

    def _find_wanted(self) -> dict[Source, Published]:
        found = (self._room.find(*key) for key in self._wanted)
        present = (published for published in found if published is not None)
        return {one.source: one for one in present if not self._on_demand or self.layers.wants(one)}

    def _plan(self) -> Plan:
        wanted = [source for source in self._find_wanted() if source not in self._refused]
        return plan(wanted, {mid: published.source for mid, published in self.sections.items()})

    def _rename(self) -> bool:
        """A section may keep its source while the publisher calls the track something else."""
        wanted, renamed = self._find_wanted(), False
        for mid, published in self.sections.items():
            now = wanted.get(published.source, published)
            if (now.stream_id, now.track_id) != (published.stream_id, published.track_id):
                self.sections[mid] = now
                renamed = True
        return renamed

    async def _carry_out(self, todo: Plan) -> None:
        attempt = 0
        await self.pump.hold()
        while todo:
            wanted = self._find_wanted()
            try:
                async with self.layers.lock:
                    offered = await self._ask(todo)
                    if offered is not None:
                        self._note(offered, wanted)
            except JanusError as error:
                if error.code != NO_SUCH_FEED:
                    raise
                self._context.counters.subscribe_retries += 1
                if attempt < len(DELAYS):
                    await asyncio.sleep(DELAYS[attempt])
                else:
                    self._refused.update(culprits(todo.add, error.reason))
                attempt += 1
                todo = self._plan()
            else:
                # Janus left out without a word what its publisher has disabled.
                carried = {published.source for published in self.sections.values()}
                self._refused.update(source for source in todo.add if source not in carried)
                break
        if self.handle is not None and not self.unanswered:
            self.pump.release(self.handle.handle)
        self.layers.wake()

    async def _ask(self, todo: Plan) -> Offered | None:
        if self.handle is not None:
            return await self.handle.update(todo.add, todo.remove)
        attached = await self._context.session.attach(self._on_event, self._opaque_id)
        handle = SubscriberHandle(attached)
        try:
            offered = await handle.join(self._room.name, todo.add)
        except BaseException:
            await asyncio.shield(attached.detach())
            raise
        self.handle = handle
        return offered

    def _note(self, offered: Offered, wanted: dict[Source, Published]) -> None:
        known = {published.source: published for published in self.sections.values()} | wanted
        self.sections = {mid: known[source] for mid, source in offered.sources.items() if source in known}
        self._take(offered.sdp)

    def _take(self, sdp: str) -> None:
        self.media = parse(sdp)
        self.unanswered = True


def culprits(sources: Collection[Source], reason: str) -> list[Source]:
    """Which of `sources` Janus means by `No such feed (3)`; all of them when it does not say."""
    named = [source for source in sources if f"({source.feed})" in reason]
    return named or list(sources)
