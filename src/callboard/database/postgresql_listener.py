"""Hearing from other nodes: `LISTEN` on a connection of its own.

Owns: `Listener`.

Always holds: after the connection was lost and is there again, everybody is woken, as something may have been missed.
Never needed: whoever hears of something here also looks by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

import asyncpg

from callboard.database.notices import Notices

CHANNEL = "callboard"

_CONNECT_SECONDS = 10.0
_AGAIN_SECONDS = 1.0

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

log = logging.getLogger("callboard.database")


class Listener:
    """See the module. `writer_pid` is the server's process of this node's writer, whose notices are not for us."""

    def __init__(self, url: str, notices: Notices, writer_pid: int) -> None:
        self._url = url
        self._notices = notices
        self._writer_pid = writer_pid
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when everything that is committed from now on will be heard. Raises asyncpg's errors, `OSError`."""
        connection, lost = await self._connect()
        self._task = asyncio.get_running_loop().create_task(self._run(connection, lost), name="callboard-listener")

    async def stop(self) -> None:
        """Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self, connection: Connection, lost: asyncio.Event) -> None:
        """Listen, and connect again whenever the connection is lost."""
        while True:
            try:
                await lost.wait()
            finally:
                connection.terminate()
            log.warning("notices from other nodes are not heard: the connection was lost")
            connection, lost = await self._connect_again()
            self._notices.tell()

    async def _connect_again(self) -> tuple[Connection, asyncio.Event]:
        while True:
            try:
                return await self._connect()
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _connect(self) -> tuple[Connection, asyncio.Event]:
        """A connection that listens, and what is set when it is lost."""
        lost = asyncio.Event()
        connection = await asyncpg.connect(
            self._url,
            timeout=_CONNECT_SECONDS,
            server_settings={"application_name": "callboard listener", "tcp_keepalives_idle": "10"},
        )
        try:
            connection.add_termination_listener(_setting(lost))
            await connection.add_listener(CHANNEL, self._heard)
        except BaseException:
            connection.terminate()
            raise
        return connection, lost

    def _heard(self, _connection: object, pid: int, _channel: str, payload: object) -> None:
        if pid != self._writer_pid:
            self._notices.tell(str(payload).split(","))


def _setting(event: asyncio.Event) -> Callable[[object], None]:
    return lambda _: event.set()
