"""Offer and answer with one client.

Owns: `Exchange`, `NegotiationError`.

Always holds: one offer is out at a time; its wait ends with the answer, the deadline or the task's
cancellation. An answer that nobody waits for is ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class NegotiationError(Exception):
    """The client did not answer in time."""


class Exchange:
    """`send` passes an offer to the client. `deadline` in seconds."""

    def __init__(self, send: Callable[[str], None], deadline: float) -> None:
        self._send = send
        self._deadline = deadline
        self._answer: asyncio.Future[str] | None = None
        self._offer: str | None = None

    async def offer(self, sdp: str) -> str:
        """Send an offer, wait for the answer. Raises `NegotiationError`."""
        self._offer = sdp
        self._answer = asyncio.get_running_loop().create_future()
        self._send(sdp)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._answer
        except TimeoutError:
            raise NegotiationError(f"the client did not answer an offer within {self._deadline:g} s") from None
        finally:
            self._answer = self._offer = None

    def answer(self, sdp: str) -> None:
        """Take the client's answer."""
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(sdp)

    def resend(self) -> bool:
        """Send the offer that is out again; `False` when none is."""
        if self._offer is None:
            return False
        self._send(self._offer)
        return True
