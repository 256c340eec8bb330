"""Whole pictures for what is captured: who watches asks for one when they cannot go on, a file does not.

Owns: `KeyAsking`.

Always holds: a picture that begins to arrive, or comes back after it had stopped, is asked to begin anew, so that a
file has a picture from there on, and not from the next regular whole one (`videoroom.CAPTURE_KEY_SECONDS`). Nothing
is asked after `stop`; what Janus does not grant is logged.
"""

from __future__ import annotations

import asyncio
import logging

from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.videoroom import ask_for_key_picture

log = logging.getLogger("callboard.media")


class KeyAsking:
    """For one publisher."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, handle_id: int, mid: str) -> None:
        """Have the publisher with this handle begin its section `mid` anew."""
        task = asyncio.create_task(self._ask(handle_id, mid), name="ask for a key picture")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    def stop(self) -> None:
        """Ask nothing more."""
        for task in self._asking:
            task.cancel()

    async def _ask(self, handle_id: int, mid: str) -> None:
        try:
            await ask_for_key_picture(self._context.session, handle_id, mid)
        except (JanusError, JanusTimeout, JanusGone) as error:
            log.info("no key picture could be asked for: %s", error)
