"""Metrics of a whole server.

Owns: `start_metrics`.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from callboard.metrics.collector import Collector
from callboard.metrics.listener import serving

if TYPE_CHECKING:
    from callboard.app import Callboard


async def start_metrics(board: Callboard, parts: AsyncExitStack) -> Collector:
    """What reads the numbers of a server whose parts have started; and, if it is set, the port of their own.

    Raises `OSError` for an address that cannot be had.
    """
    collector = Collector(
        database=board.database,
        ledger=board.ledger,
        endpoints=board.endpoints,
        dispatcher=board.dispatcher,
        rooms=board.rooms,
        requests=board.requests,
        clock=board.clock,
        deleted=board.forgetting.deleted,
        capture=board.recordings.recorder,
        made=board.recordings.workshop.making.made,
    )
    setting = board.settings.metrics
    if setting.port:
        await parts.enter_async_context(serving(setting.host, setting.port, collector))
    return collector
