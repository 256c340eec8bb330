"""Measuring a subscriber's link, and sending less on a bad one.

Owns: `LinkWatch`.

Always holds: one task, one question at a time to Janus: every few seconds, every second while the link is bad or Janus
said that packets were lost, until it has been good for a while. After a change nothing is decided before enough was
measured of what is sent since.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final, Protocol

from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.degradation import Degradation, DegradePolicy, Picture
from callboard.media.linkstats import Flow, LossWindow, score

log = logging.getLogger("callboard.media")

Key = tuple[str, str]

ALARM_SECONDS: Final = 10.0
ALARMED_INTERVAL: Final = 1.0


class Layers(Protocol):
    """The desk that decides what of each video is sent."""

    def hold(self, caps: Mapping[Key, int]) -> None: ...

    def pictures(self, priorities: Mapping[Key, int]) -> list[Picture]: ...


class Measured(Protocol):
    """The subscriber's feeds, as this watch sees them."""

    @property
    def layers(self) -> Layers: ...

    def priorities(self) -> Mapping[Key, int]: ...

    def publishers(self) -> Mapping[str, str]: ...

    async def flows(self) -> dict[str, Flow] | None: ...


class LinkWatch:
    """Begins with the first `want`. `tell` gets the score of each measurement."""

    def __init__(self, context: Context, feeds: Measured, tell: Callable[[int], None]) -> None:
        self._context = context
        self._feeds = feeds
        self._tell = tell
        self._degradation = Degradation()
        self._window = LossWindow()
        self._alarmed_until = 0.0
        self._alarm = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def want(self, keys: Collection[Key], policy: DegradePolicy) -> None:
        """These tracks are to be received from now on, under this policy."""
        self._degradation.policy = policy
        before = self._degradation.caps
        self._degradation.keep(keys)
        if self._degradation.caps != before:
            self._feeds.layers.hold(self._degradation.caps)
        if self._task is None and keys:
            self._task = asyncio.create_task(self._run(), name="link")

    def alarm(self) -> None:
        """Janus said that packets were lost."""
        self._alarmed_until = asyncio.get_running_loop().time() + ALARM_SECONDS
        self._alarm.set()

    def end(self) -> list[asyncio.Task[None]]:
        """Measure nothing more. The tasks that this cancelled."""
        if self._task is None:
            return []
        self._task.cancel()
        return [self._task]

    async def _run(self) -> None:
        while True:
            await self._pause()
            try:
                flows = await self._feeds.flows()
            except (JanusError, JanusTimeout, JanusGone) as error:
                log.info("a link could not be measured: %s", error)
                continue
            if flows is not None:
                self._note(flows)

    async def _pause(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._alarmed_until or self._degradation.caps:
            await asyncio.sleep(ALARMED_INTERVAL)
            return
        self._alarm.clear()
        try:
            async with asyncio.timeout(self._context.settings.link_interval):
                await self._alarm.wait()
        except TimeoutError:
            return

    def _note(self, flows: dict[str, Flow]) -> None:
        feeds, counters = self._feeds, self._context.counters
        self._window.add(flows)
        if not self._window.telling:
            return
        loss = self._window.loss(feeds.publishers())
        if loss is not None:
            self._tell(score(loss, self._window.round_trip()))
        pictures = feeds.layers.pictures(feeds.priorities())
        if self._degradation.note(loss, pictures, asyncio.get_running_loop().time()):
            caps = self._degradation.caps
            if loss is not None and loss >= self._degradation.policy.loss:
                counters.links_degraded += 1
            elif not caps:
                counters.links_restored += 1
            log.info("a link loses %s %%: %d videos are held back", "?" if loss is None else round(loss), len(caps))
            self._window.clear()
            feeds.layers.hold(caps)
