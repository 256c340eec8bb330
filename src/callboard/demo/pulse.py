"""Waiting until something is so.

Owns: `Pulse`, how observers of a peer or a receiver wait for a state without polling.

Always holds: a predicate is looked at again after every beat, and every wait has a deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Pulse:
    """Beats when the state that predicates look at may have changed. Used on one event loop."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self._failure: BaseException | None = None

    def beat(self) -> None:
        """Let everybody who waits look again."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)

    def fail(self, failure: BaseException) -> None:
        """From now on every wait raises `failure` instead of waiting on; the first failure stays."""
        self._failure = self._failure or failure
        self.beat()

    async def until(self, predicate: Callable[[], object], deadline: float, what: str) -> None:
        """Return once `predicate()` is true. `deadline` is in seconds.

        Raises `TimeoutError` saying `what` did not happen, or the failure given to `fail`.
        """
        try:
            async with asyncio.timeout(deadline):
                while not predicate():
                    if self._failure is not None:
                        raise self._failure
                    await self.beaten()
        except TimeoutError:
            raise TimeoutError(f"not within {deadline:g} s: {what}") from None

    async def beaten(self) -> None:
        """Return at the next beat."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            self._waiting.discard(waiter)
