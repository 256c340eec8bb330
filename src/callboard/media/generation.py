"""One life of the engine: a Janus process, our session with it, and the proof that it is well.

Owns: `Generation`.

Always holds: it is made complete or not at all; `lost` returns, once, as soon as the process has ended, the
session cannot be restored, or the VideoRoom plugin stopped answering; after `stop` or `kill` nothing of it is
left.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiortc import RTCCertificate

from callboard.media.addresses import choose_addresses, host_addresses
from callboard.media.admin import Admin
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import EngineStartError, MediaCounters, MediaSettings
from callboard.media.janus import JanusSession
from callboard.media.process import JanusProcess
from callboard.media.videoroom import RoomControl

log = logging.getLogger("callboard.media")

MISSED_PROBES: Final = 2


class Generation:
    """Make one with `start`."""

    def __init__(self, process: JanusProcess, context: Context, node_id: str) -> None:
        self.process = process
        self.context = context
        self.node_id = node_id

    @classmethod
    async def start(
        cls,
        settings: MediaSettings,
        counters: MediaCounters,
        node_id: str,
        token: Callable[[], str],
        on_reclaim: Callable[[], None],
    ) -> Generation:
        """Start Janus and make it ready for peers. Raises `EngineStartError`."""
        process = await JanusProcess.start(settings, token)
        session: JanusSession | None = None
        try:
            session = await JanusSession.open(process.access, settings.request_deadline, on_reclaim)
            control = RoomControl(await session.attach(lambda _: None, "control"), process.access)
            await control.probe()
        except BaseException as error:
            await process.kill()
            if session is not None:
                await session.close()
            if isinstance(error, JanusError | JanusTimeout | JanusGone):
                tail = process.log.tail()
                raise EngineStartError(f"Janus started but is unusable: {error}; its last words:\n{tail}") from error
            raise
        context = Context(
            settings,
            counters,
            session,
            Admin(process.access, settings.request_deadline),
            control,
            choose_addresses(settings.ice_addresses, host_addresses()),
            RTCCertificate.generateCertificate(),
        )
        return cls(process, context, node_id)

    async def lost(self) -> str:
        """Wait until this engine is of no use any more; why."""
        watchers = [
            asyncio.create_task(watch) for watch in (self._process_ended(), self.context.session.lost(), self._unwell())
        ]
        try:
            done, _ = await asyncio.wait(watchers, return_when=asyncio.FIRST_COMPLETED)
            return "; ".join(task.result() for task in done)
        finally:
            for task in watchers:
                task.cancel()
            await asyncio.wait(watchers)

    async def stop(self) -> None:
        """End it in order: session, then process. All peers are closed before."""
        await self._disconnect()
        await self.process.stop()

    async def kill(self) -> None:
        """End what is left of it."""
        await self.process.kill()
        await self._disconnect()

    async def _disconnect(self) -> None:
        await self.context.session.close()
        await self.context.admin.close()

    async def _process_ended(self) -> str:
        how = await self.process.wait()
        tail = self.process.log.tail(5)
        return f"Janus {how}" + (f"; its last words:\n{tail}" if tail else "")

    async def _unwell(self) -> str:
        """The plugin has one thread for all requests: if that hangs, nothing else shows it."""
        missed = 0
        while missed < MISSED_PROBES:
            await asyncio.sleep(self.context.settings.health_interval)
            try:
                await self.context.control.probe()
            except JanusTimeout as error:
                missed += 1
                log.warning("janus's video rooms do not answer: %s", error)
            except (JanusError, JanusGone) as error:
                log.info("janus could not be asked how it is: %s", error)
            else:
                missed = 0
        return "Janus's video rooms stopped answering"
