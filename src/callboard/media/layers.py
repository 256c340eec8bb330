"""Pausing, resuming and choosing layers at Janus, as the client prefers.

Owns: `LayerDesk`.

Always holds: what Janus is told is worked out from its sections under `lock`, which the negotiation holds
while the sections change: a preference never hits a section that already carries another track. Requests that
pile up become one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Final, Protocol

from callboard.media.apiprotocol import Preference
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.preferences import Applied, Key, Preferences, difference, settled, target
from callboard.media.room import Published
from callboard.media.videoroom import Change, SubscriberHandle

log = logging.getLogger("callboard.media")

RECHECK_DELAYS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


class Sections(Protocol):
    """The subscriber's feeds, as this desk sees them."""

    sections: dict[str, Published]
    handle: SubscriberHandle | None


class LayerDesk:
    """One task, woken by `prefer`, `wake`, and a few times by itself while simulcast layers are still to
    come.
    """

    def __init__(self, context: Context, feeds: Sections) -> None:
        self._context = context
        self._feeds = feeds
        self._preferences = Preferences()
        self._applied: dict[str, Applied] = {}
        self._rechecks = 0
        self._wake = asyncio.Event()
        self.lock = asyncio.Lock()
        self._task = asyncio.create_task(self._run(), name="layers")

    def prefer(self, key: Key, preference: Preference) -> None:
        self._preferences.say(key, preference)
        self.wake()

    def keep(self, keys: Collection[Key]) -> None:
        """Only these tracks are wanted."""
        self._preferences.keep(keys)

    def wake(self) -> None:
        """The preferences, or what the sections carry, have changed."""
        self._rechecks = 0
        self._wake.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

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
            preference = self._preferences.of(published.key)
            present = await self._present(published)
            targets[mid] = target(published, preference, present)
            complete = complete and settled(published, preference, present)
        changes = self._changes(targets)
        if changes:
            await handle.configure(changes)
        self._applied = targets
        return complete

    def _changes(self, targets: dict[str, Applied]) -> list[Change]:
        found = (difference(mid, self._applied.get(mid), after) for mid, after in targets.items())
        return [change for change in found if change is not None]

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
