"""The demo from beginning to end: receiver, stage, scene, table, check.

Owns: `run_demo`.

Always holds: the answer is True only when the whole scene played, every event of the ledger was received, in
order, and everything that opened has closed.
"""

from __future__ import annotations

import asyncio
import binascii
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from rich.console import Console

from callboard.clock import NANOSECONDS, Clock, Ids, RandomIds, SystemClock
from callboard.demo.check import check
from callboard.demo.inbox import Inbox
from callboard.demo.rest import Rest
from callboard.demo.scene import Scene, SceneFailed
from callboard.demo.seen import Committed, Event
from callboard.demo.stage import RunningServer, Stage
from callboard.demo.table import Board

DRAIN_DEADLINE = 15.0  # seconds for the last deliveries to arrive

StartServer = Callable[[], AbstractAsyncContextManager[RunningServer]]


class Ledger:
    """The room's records as `GET /v2/events` gives them, read as far as needed."""

    def __init__(self, rest: Rest, room_id: str) -> None:
        self._rest = rest
        self._room_id = room_id
        self._after = 0
        self.records: dict[str, Committed] = {}

    async def read(self) -> None:
        """Read what was committed since the last time."""
        records, self._after = await self._rest.ledger(self._room_id, self._after)
        self.records.update((record.event.id, record) for record in records)

    async def committed_at(self, event_id: str) -> int:
        """When an event that was delivered had been committed. Raises `KeyError` if the ledger has it not."""
        if event_id not in self.records:
            await self.read()
        return self.records[event_id].at


async def run_demo(
    start_server: StartServer,
    *,
    grace: float,
    console: Console | None = None,
    clock: Clock | None = None,
    ids: Ids | None = None,
) -> bool:
    """Play the scene against the server that `start_server` runs; return whether all went as it should.

    `grace` is the server's `rooms.reconnect_grace_seconds`, short enough to be waited for. The server must
    allow webhooks to 127.0.0.1.
    """
    clock, ids = clock or SystemClock(), ids or RandomIds()
    secret = "whsec_" + binascii.b2a_base64(secrets.token_bytes(32), newline=False).decode()
    began = clock.now()
    with Board(console or Console()) as board:
        async with (
            Inbox(secret) as inbox,
            start_server() as server,
            Stage(server, inbox, secret, clock=clock, ids=ids) as stage,
        ):
            ledger = Ledger(stage.rest, stage.room_id)
            shown = asyncio.create_task(_show(inbox, ledger, board), name="show")
            try:
                await Scene(stage, grace).play(board.say)
                await _drained(inbox, ledger)
            except SceneFailed as failed:
                board.say(f"FAILED: {failed}")
                return False
            finally:
                shown.cancel()
                await asyncio.gather(shown, return_exceptions=True)
            await ledger.read()
            return _verdict(inbox, ledger, board, (clock.now() - began) / NANOSECONDS)


async def _show(inbox: Inbox, ledger: Ledger, board: Board) -> None:
    async for delivered in inbox.arrivals():
        board.show(delivered, await ledger.committed_at(delivered.event.id))


async def _drained(inbox: Inbox, ledger: Ledger) -> None:
    """Wait until all that the ledger has by now was received; what is missing then, the check says."""
    await ledger.read()
    wanted = set(ledger.records)
    try:
        await inbox.until(lambda: wanted <= {one.event.id for one in inbox.delivered}, DRAIN_DEADLINE, "all received")
    except TimeoutError:
        return


def complaints(received: Sequence[Event], ledger: Sequence[Event], refused: int) -> list[str]:
    """What is wrong with a finished run, a line each; `refused` deliveries were not signed as agreed. Pure."""
    lines = [f"{finding.rule}: {finding.what}" for finding in check(received, ledger)]
    if refused:
        lines.append(f"signed: {refused} deliveries had no valid signature")
    if not ledger:
        lines.append("reported: the ledger has no event of this room")
    return lines


def _verdict(inbox: Inbox, ledger: Ledger, board: Board, seconds: float) -> bool:
    received = [delivered.event for delivered in inbox.delivered]
    committed = [record.event for record in ledger.records.values()]
    broken = complaints(received, committed, inbox.refused)
    for line in broken:
        board.say(f"BROKEN {line}")
    count = len({event.id for event in received})
    verdict = "NOT as it should be" if broken else "all received, in order, and everything that opened has closed"
    board.say(f"{count} of {len(committed)} events in {seconds:.0f} s: {verdict}")
    return not broken
