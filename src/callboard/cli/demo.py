"""`callboard demo`: the scene, in front of your eyes."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import typer
from rich.console import Console

from callboard.demo.run import run_demo
from callboard.demo.server import ServerFailed, ServerProcess
from callboard.demo.stage import RunningServer

GRACE_SECONDS = 6.0
"""How long the demo's server waits for a lost peer: long enough to come back, short enough to be watched."""


@asynccontextmanager
async def _server() -> AsyncIterator[RunningServer]:
    """A server of its own, with its data in a folder that goes away with it."""
    with tempfile.TemporaryDirectory(prefix="callboard-demo-", ignore_cleanup_errors=True) as folder:
        settings = {
            "CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS": str(GRACE_SECONDS),
        }
        server = ServerProcess(Path(folder), settings)
        await server.start()
        try:
            yield RunningServer(server.base_url, server.access_key, server.secret)
        finally:
            await server.stop()


def demo() -> None:
    """Watch it work: a server, a webhook receiver, and real WebRTC peers who join, talk, drop out and are thrown out.

    Shows each event as the receiver got it, and at the end compares what was received with the ledger. Takes under a
    minute. Exit code 1 when anything was lost, out of order, or left open.
    """
    try:
        good = asyncio.run(run_demo(_server, grace=GRACE_SECONDS))
    except ServerFailed as error:
        Console(stderr=True).print(str(error), markup=False)
        raise typer.Exit(1) from None
    raise typer.Exit(0 if good else 1)
