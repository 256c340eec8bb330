"""The demo as a whole, against a real server with real media."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from rich.console import Console

from callboard.demo.run import complaints, run_demo
from callboard.demo.seen import Event
from callboard.demo.server import ServerProcess
from callboard.demo.stage import RunningServer

GRACE_SECONDS = 6.0
"""Time for Ben to come back in, also where nobody gets a processor for a second or two."""


@pytest.mark.media
async def test_the_demo_plays_to_the_end_and_finds_nothing_wrong(tmp_path: Path) -> None:
    @asynccontextmanager
    async def server() -> AsyncIterator[RunningServer]:
        settings = {
            "CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS": str(GRACE_SECONDS),
        }
        process = ServerProcess(tmp_path, settings)
        await process.start()
        try:
            yield RunningServer(process.base_url, process.access_key, process.secret)
        finally:
            await process.stop()

    out = io.StringIO()
    good = await run_demo(server, grace=GRACE_SECONDS, console=Console(file=out, width=200))
    shown = out.getvalue()
    assert good, shown
    for line in (
        "session.open.success",
        "Dan      websocket closed",
        "Cleo     peer kicked: the show begins",
        "Eve      role not allowed",
        "Ben      guest → viewer",
        "session.close.success",
        "13 of 13 events",
    ):
        assert line in shown, shown


OPEN = Event("1", "s", 1, "session.open.success", {"session_id": "s"})
CLOSE = Event("2", "s", 2, "session.close.success", {"session_id": "s"})


def test_a_run_in_which_all_is_well_has_no_complaints() -> None:
    assert complaints([OPEN, CLOSE], [OPEN, CLOSE], [], 0) == []


def test_what_is_lost_unsigned_unreadable_or_not_reported_at_all_is_a_complaint() -> None:
    (lost,) = complaints([OPEN], [OPEN, CLOSE], [], 0)
    assert lost.startswith("received all: session.close.success")
    (unsigned,) = complaints([OPEN, CLOSE], [OPEN, CLOSE], [], 3)
    assert unsigned == "signed: 3 deliveries had no valid signature"
    (early,) = complaints([OPEN, CLOSE], [OPEN, CLOSE], [CLOSE], 0)
    assert early == "read back: session.close.success (seq 2) was delivered and not yet readable"
    (nothing,) = complaints([], [], [], 0)
    assert nothing.startswith("reported:")
