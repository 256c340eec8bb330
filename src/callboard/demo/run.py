"""The demo from beginning to end: receiver, stage, scene, table, check.

Owns: `run_demo`.

Always holds: the answer is True only when the whole scene played, every event of the ledger was received, in
order, and everything that opened has closed.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import secrets
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

from rich.console import Console

from callboard.clock import NANOSECONDS, Clock, Ids, RandomIds, SystemClock
from callboard.demo.check import check
from callboard.demo.inbox import Inbox
from callboard.demo.pulse import Pulse
from callboard.demo.rest import Rest
from callboard.demo.scene import Scene, SceneFailed
from callboard.demo.seen import Committed, Event
from callboard.demo.stage import RunningServer, Stage
from callboard.demo.table import Board

DRAIN_DEADLINE = 30.0  # seconds for the last deliveries to arrive

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

    async def committed_at(self, event_id: str) -> int | None:
        """When an event that was delivered had been committed; None when the ledger does not have it."""
        if event_id not in self.records:
            await self.read()
        record = self.records.get(event_id)
        return None if record is None else record.at


@dataclass(slots=True)
class Run:
    """What the demo has seen so far. `unread`: delivered before the ledger could be read that far."""

    inbox: Inbox
    ledger: Ledger
    board: Board
    unread: list[Event] = field(default_factory=list)
    shown: Pulse = field(default_factory=Pulse)

    async def show(self) -> None:
        """Show every event as it arrives, with the instant of its commit read from the ledger, for ever."""
        async for delivered in self.inbox.arrivals():
            committed_at = await self.ledger.committed_at(delivered.event.id)
            if committed_at is None:
                self.unread.append(delivered.event)
            self.board.show(delivered, committed_at)
            self.shown.beat()

    async def drained(self) -> None:
        """Wait until all that the ledger has by now was received and shown; the rest the check will say."""
        await self.ledger.read()
        wanted = set(self.ledger.records)
        with contextlib.suppress(TimeoutError):
            await self.inbox.until(
                lambda: wanted <= {one.event.id for one in self.inbox.delivered}, DRAIN_DEADLINE, "all received"
            )
        arrived = {one.event.id for one in self.inbox.delivered}
        await self.shown.until(lambda: self.board.rows >= len(arrived), DRAIN_DEADLINE, "all shown")
        await self.ledger.read()

    def complaints(self) -> list[str]:
        return complaints(
            [delivered.event for delivered in self.inbox.delivered],
            [record.event for record in self.ledger.records.values()],
            self.unread,
            self.inbox.refused,
        )


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
    console = console or Console()
    clock, ids = clock or SystemClock(), ids or RandomIds()
    began = clock.now()
    secret = "whsec_" + binascii.b2a_base64(secrets.token_bytes(32), newline=False).decode()
    async with (
        Inbox(secret) as inbox,
        start_server() as server,
        Stage(server, inbox, secret, clock=clock, ids=ids) as stage,
    ):
        with Board(console) as board:
            run = Run(inbox, Ledger(stage.rest, stage.room_id), board)
            failure = await _play(run, Scene(stage, grace))
        broken = [failure] if failure else run.complaints()
        for line in broken:
            board.say(f"BROKEN {line}")
        seconds = (clock.now() - began) / NANOSECONDS
        verdict = "NOT as it should be" if broken else "all received, in order, and everything that opened has closed"
        board.say(f"{board.rows} of {len(run.ledger.records)} events in {seconds:.0f} s: {verdict}")
        return not broken


async def _play(run: Run, scene: Scene) -> str:
    """Play the scene and show the events; returns what failed, or ""."""
    showing = asyncio.create_task(run.show(), name="show")
    try:
        await scene.play(run.board.say)
        await run.drained()
    except (SceneFailed, TimeoutError) as failed:
        return str(failed)
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)
    return ""


def complaints(received: Sequence[Event], ledger: Sequence[Event], unread: Sequence[Event], refused: int) -> list[str]:
    """What is wrong with a finished run, a line each. Pure.

    `unread` were delivered before they could be read back; `refused` deliveries were not signed as agreed.
    """
    lines = [f"{finding.rule}: {finding.what}" for finding in check(received, ledger)]
    lines += [f"read back: {event.type} (seq {event.seq}) was delivered and not yet readable" for event in unread]
    if refused:
        lines.append(f"signed: {refused} deliveries had no valid signature")
    if not ledger:
        lines.append("reported: the ledger has no event of this room")
    return lines
