"""What the measured programs share: how load is made, and how it is written down.

Owns: `paced`, `Lines`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

CONNECTIONS = 64
"""To the receiver, in every program."""
WARM_UP = 0.5
"""Seconds at full speed that are not counted."""


class Lines:
    """`stream seq nanoseconds`, kept in memory until all is over."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, stream: str, seq: int, at: int) -> None:
        self._lines.append(f"{stream} {seq} {at}\n")

    def write(self, path: Path) -> None:
        with path.open("w") as file:
            file.writelines(self._lines)


async def paced(rate: float, seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    """Call `act` `rate` times a second for `seconds`, at instants that don't depend on how long it takes.

    Sleeps, never spins: a loop that spins would be measured along with what it drives. Returns once all have ended.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    tasks: set[asyncio.Future[None]] = set()
    for number in range(int(rate * seconds)):
        delay = start + number / rate - loop.time()
        if delay > 0:
            await asyncio.sleep(delay)
        task = asyncio.ensure_future(act())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
