"""Telling a listener something, and making sure before telling it that a connection is lost.

Owns: `call_soon`, `LossWatch`.

Always holds: a listener is called in a turn of the loop of its own, so its exceptions are its own. A loss is
told once, after a moment in which a client that simply leaves has left, and not when the engine as a whole is
gone: that is told elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import TransportState

log = logging.getLogger("callboard.media")


def call_soon(callback: Callable[..., None], *arguments: object) -> None:
    """Call a listener when whoever runs now is done."""
    asyncio.get_running_loop().call_soon(callback, *arguments)


class LossWatch:
    """`ask` asks Janus about the connection, `tell` is called at most once, with the reason."""

    def __init__(
        self,
        context: Context,
        ask: Callable[[], Awaitable[TransportState | None]],
        tell: Callable[[str], None],
    ) -> None:
        self._context = context
        self._ask = ask
        self._tell = tell
        self._pending: dict[bool, asyncio.Task[None]] = {}
        self.over: str | None = None
        """Why there is nothing to watch any more."""

    def hint(self, reason: str) -> None:
        """Janus hinted at a loss: ask it."""
        self._begin(self._confirm(reason), sure=False)

    def lost(self, reason: str) -> None:
        """It is lost for certain."""
        self._begin(self._report(reason), sure=True)

    def end(self, reason: str) -> list[asyncio.Task[None]]:
        """Tell nothing more. The tasks that this cancelled."""
        self.over = self.over or reason
        tasks = list(self._pending.values())
        for task in tasks:
            task.cancel()
        return tasks

    def busy(self) -> bool:
        """Whether a hint is being looked into."""
        return any(not task.done() for task in self._pending.values())

    def _begin(self, work: Coroutine[Any, Any, None], *, sure: bool) -> None:
        pending = self._pending.get(sure)
        if self.over is None and (pending is None or pending.done()):
            self._pending[sure] = asyncio.create_task(work, name="make sure of a loss")
        else:
            work.close()

    async def _confirm(self, reason: str) -> None:
        await asyncio.sleep(self._context.settings.confirm_delay)
        try:
            state = await self._ask()
        except (JanusError, JanusTimeout, JanusGone) as error:
            log.info("cannot confirm that a connection is gone (%s): %s", reason, error)
            return
        if state is not None and state.ended:
            self._say(reason)

    async def _report(self, reason: str) -> None:
        await asyncio.sleep(self._context.settings.confirm_delay)
        if await self._context.session.settled():
            self._say(reason)

    def _say(self, reason: str) -> None:
        if self.over is None:
            self.over = reason
            self._tell(reason)
