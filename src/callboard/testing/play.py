"""The real thing for tests: a server process, a webhook receiver, real WebRTC peers; and what was told is checked.

Owns: `Play`. Always holds: at the end of a play everything received is compared with the ledger (`demo.check`), so
every test that uses it also proves order, completeness and that everything closed.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from callboard.clock import RandomIds, SystemClock
from callboard.demo.check import check
from callboard.demo.inbox import Inbox
from callboard.demo.peer import Peer
from callboard.demo.seen import Delivered
from callboard.demo.server import ServerProcess
from callboard.demo.stage import ROLES, RunningServer, Stage

EVENT_SECONDS = 60.0


class Play:
    """A running server, a room on it, and its backend's inbox."""

    def __init__(self, server: ServerProcess, inbox: Inbox, stage: Stage) -> None:
        self.server = server
        self.inbox = inbox
        self.stage = stage

    def peer(self, name: str, role: str = "guest") -> Peer:
        """Somebody with a token for the room, not in it yet."""
        return self.stage.peer(name, role)

    async def told(self, kind: str, within: float = EVENT_SECONDS, **attributes: str) -> Delivered:
        """The first delivery of such an event. Raises `TimeoutError`, with what did arrive."""

        def matching() -> list[Delivered]:
            return [
                one
                for one in self.inbox.delivered
                if one.event.type == kind and all(one.event.text(k) == v for k, v in attributes.items())
            ]

        try:
            await self.inbox.until(matching, within, f"{kind} {attributes}")
        except TimeoutError as late:
            heard = ", ".join(f"{one.event.type} {one.event.text('user_name')}" for one in self.inbox.delivered)
            raise TimeoutError(f"{kind} {attributes} did not arrive; what did: {heard}") from late
        return matching()[0]

    def never_told(self, kind: str, **attributes: str) -> bool:
        """Whether no such event has arrived."""
        return not self.inbox.has(kind, **attributes)

    async def settle(self, within: float = EVENT_SECONDS) -> None:
        """Wait until all that the ledger has was received, then check every promise. Raises `AssertionError`."""
        records, _ = await self.stage.rest.ledger(self.stage.room_id)
        wanted = {record.event.id for record in records}
        await self.inbox.until(
            lambda: wanted <= {one.event.id for one in self.inbox.delivered}, within, "everything received"
        )
        findings = check([one.event for one in self.inbox.delivered], [record.event for record in records])
        assert not findings, findings
        assert not self.inbox.refused, "a delivery without a valid signature came"
        assert records, "nothing happened"

    async def frames(self, watcher: Peer, watched: Peer, video: int = 15, audio: int = 15) -> None:
        """More pictures and sound of the one are decoded by the other than there were, be it of new tracks."""
        before = watcher.frames_by_track(watched.peer_id, "video") | watcher.frames_by_track(watched.peer_id, "audio")

        def more(kind: str) -> int:
            return sum(
                count - before.get(track, 0) for track, count in watcher.frames_by_track(watched.peer_id, kind).items()
            )

        await watcher.wait_for(
            lambda: more("video") >= video and more("audio") >= audio,
            EVENT_SECONDS,
            f"{watched.name} seen and heard by {watcher.name}",
        )


@asynccontextmanager
async def play(
    folder: Path,
    grace: float = 30.0,
    settings: Mapping[str, str] | None = None,
    roles: Mapping[str, Mapping[str, Any]] = ROLES,
) -> AsyncIterator[Play]:
    """A play on a server of its own, with its data in `folder`; lost peers are waited for `grace` seconds."""
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    server = ServerProcess(
        folder,
        {
            "CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS": str(grace),
            **(settings or {}),
        },
    )
    await server.start()
    try:
        running = RunningServer(server.base_url, server.access_key, server.secret)
        async with (
            Inbox(secret) as inbox,
            Stage(running, inbox, secret, clock=SystemClock(), ids=RandomIds(), roles=roles) as stage,
        ):
            yield Play(server, inbox, stage)
    finally:
        await server.stop()
