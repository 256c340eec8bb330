"""Pausing, resuming and choosing layers at Janus, as the client prefers.

Owns: `LayerDesk`, and what a bad link lets through of the client's wishes.

Always holds: what Janus is told is worked out from its sections under `lock`, which the negotiation holds
while the sections change: a preference never hits a section that already carries another track. Requests that
pile up become one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Protocol

from callboard.media.apiprotocol import Preference
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import LayerUpdate
from callboard.media.degradation import HIGH, Picture
from callboard.media.layerreport import NAMES, LayerReport, Shown
from callboard.media.preferences import Applied, Key, Preferences, difference, settled, target
from callboard.media.room import Published
from callboard.media.videoroom import Change, SubscriberHandle, ask_for_key_picture

log = logging.getLogger("callboard.media")

RECHECK_DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
SETTLING: Final = 4.0
"""Seconds after which a layer that Janus does not send is missing, and not on its way."""
KEY_REQUESTS: Final = 4
"""Janus changes to a layer with its next key picture, and drops its own request for one when another was made less than
a second before: so we ask, at most so often for one change."""


class Sections(Protocol):
    """The subscriber's feeds, as this desk sees them."""

    sections: dict[str, Published]
    handle: SubscriberHandle | None


class LayerDesk:
    """One task, woken by `prefer`, `wake`, and a few times by itself while simulcast layers are still to
    come. `tell` gets what the client is to be told; `on_demand`: videos that nobody asked for are not sent.
    """

    def __init__(
        self, context: Context, feeds: Sections, tell: Callable[[Sequence[LayerUpdate]], None], *, on_demand: bool
    ) -> None:
        self._context = context
        self._feeds = feeds
        self._tell = tell
        self._preferences = Preferences(on_demand=on_demand)
        self._applied: dict[str, Applied] = {}
        self._sent: dict[str, int] = {}
        self._caps: Mapping[Key, int] = {}
        self._report = LayerReport()
        self._unsettled_until = 0.0
        self._rechecks = 0
        self._wake = asyncio.Event()
        self.lock = asyncio.Lock()
        self._task = asyncio.create_task(self._run(), name="layers")

    def prefer(self, key: Key, preference: Preference) -> bool:
        """The client's wish; whether it changed if the track is wanted at all."""
        before = self._preferences.of(key, "video").send
        self._preferences.say(key, preference)
        self._report.asked(key)
        self._unsettle()
        self.wake()
        return before != preference.send

    def hold(self, caps: Mapping[Key, int]) -> None:
        """Send these videos at no higher level than this (`degradation.NONE` to `HIGH`), the others as wanted."""
        self._caps = dict(caps)
        self._unsettle()
        self.wake()

    def note_sent(self, mid: str, substream: int) -> None:
        """Janus has changed to this layer."""
        self._sent[mid] = substream
        self._unsettle()
        self._wake.set()

    def wants(self, published: Published) -> bool:
        """Whether the client wants to be sent this track at all."""
        return self._preferences.of(published.key, published.kind).send

    def keep(self, keys: Collection[Key]) -> None:
        """Only these tracks are wanted."""
        self._preferences.keep(keys)
        self._report.keep(keys)

    def pictures(self, priorities: Mapping[Key, int]) -> list[Picture]:
        """The videos that the client wants, as they are sent now."""
        found = []
        for published in self._feeds.sections.values():
            wanted = self._preferences.of(published.key, published.kind)
            if published.kind == "video" and wanted.send:
                level = min(NAMES.index(wanted.layer), self._caps.get(published.key, HIGH))
                found.append(Picture(published.key, level, published.layers, priorities.get(published.key, 1)))
        return found

    def wake(self) -> None:
        """The preferences, or what the sections carry, have changed."""
        self._rechecks = 0
        self._wake.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    def _unsettle(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() + SETTLING > self._unsettled_until + 0.1:
            self._unsettled_until = loop.time() + SETTLING
            loop.call_at(self._unsettled_until + 0.05, self._wake.set)

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with self.lock:
                    complete = await self._apply()
            except (JanusError, JanusTimeout, JanusGone) as error:
                log.info("a preference was not applied: %s", error)
                continue
            self._tell_updates()
            if not complete:
                delay = RECHECK_DELAYS[min(self._rechecks, len(RECHECK_DELAYS) - 1)]
                self._rechecks += 1
                asyncio.get_running_loop().call_later(delay, self._wake.set)

    async def _apply(self) -> bool:
        """Tell Janus what differs; `False` when a simulcast layer that is still to come may change that."""
        handle, sections = self._feeds.handle, dict(self._feeds.sections)
        self._applied = {mid: state for mid, state in self._applied.items() if mid in sections}
        if handle is None:
            return True
        targets, complete = {}, True
        for mid, published in sections.items():
            preference = self._held(published)
            present = await self._present(published)
            targets[mid] = target(published, preference, present)
            complete = complete and settled(published, preference, present)
        changes = self._changes(targets)
        if changes:
            await handle.configure(changes)
        elif self._rechecks <= KEY_REQUESTS:
            await self._ask_for_key_pictures(targets)
        complete = complete and not self._awaited(targets)
        self._sent = {mid: layer for mid, layer in self._sent.items() if self._same_source(mid, targets)}
        self._applied = targets
        return complete

    def _awaited(self, targets: Mapping[str, Applied]) -> list[str]:
        """The sections in which Janus does not send yet what it was asked for."""
        return [
            mid
            for mid, state in targets.items()
            if state.send and state.substream is not None and self._sent.get(mid) != state.substream
        ]

    async def _ask_for_key_pictures(self, targets: Mapping[str, Applied]) -> None:
        for mid in self._awaited(targets):
            published = self._feeds.sections.get(mid)
            if published is not None:
                await ask_for_key_picture(self._context.session, published.handle_id, published.source.mid)

    def _held(self, published: Published) -> Preference:
        """What the client wants, as far as its link lets it have it."""
        wanted = self._preferences.of(published.key, published.kind)
        level = min(NAMES.index(wanted.layer), self._caps.get(published.key, HIGH))
        return Preference(wanted.send and level > 0, NAMES[level]) if published.kind == "video" else wanted

    def _same_source(self, mid: str, targets: Mapping[str, Applied]) -> bool:
        before, after = self._applied.get(mid), targets.get(mid)
        return before is None or (after is not None and before.source == after.source)

    def _changes(self, targets: dict[str, Applied]) -> list[Change]:
        found = (difference(mid, self._applied.get(mid), after) for mid, after in targets.items())
        return [change for change in found if change is not None]

    def _tell_updates(self) -> None:
        shown = []
        for mid, published in self._feeds.sections.items():
            wanted = self._preferences.of(published.key, published.kind)
            if published.kind == "video" and wanted.send and mid in self._applied:
                applied = self._applied[mid]
                cap = self._caps.get(published.key)
                sent = self._sent.get(mid)
                shown.append(Shown(published.key, wanted.layer, cap, published.layers, applied.substream, sent))
        is_settled = asyncio.get_running_loop().time() >= self._unsettled_until
        updates = self._report.updates(shown, settled=is_settled)
        if updates:
            self._tell(updates)

    async def _present(self, published: Published) -> frozenset[int]:
        """The simulcast layers that Janus has seen of a track."""
        if published.layers < 2:
            return frozenset({0})
        try:
            return await self._context.admin.substreams(
                self._context.session.id, published.handle_id, published.source.mid
            )
        except JanusError as error:
            log.info("janus does not say which layers there are: %s", error)
            return frozenset()
