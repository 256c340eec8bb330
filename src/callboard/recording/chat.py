"""The chat of a recorded session: kept while it is said, written as CSV beside the recording, then forgotten.

Owns: the table `chat_message`, the file (platform.md §5.4), the job `recording.forget_chat`.

Always holds: a message that anybody but its sender got of a session that is composed is durable before it was sent to
them: it is one row in the ledger's group commit, a few milliseconds, and a SIGKILL loses none. Messages to one peer are
not kept. The file has its header also when nothing was said.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TextIO

import msgspec

from callboard.clock import Clock, Ids
from callboard.database import Database, Delete, Put, Row
from callboard.database.tables import CHAT_MESSAGE
from callboard.events import timestamps
from callboard.jobs import Failure, Handlers, Job, Kind, Result, Run, job_row
from callboard.jobs.attempt import commit
from callboard.ledger import Changes, Ledger
from callboard.recording.capture.folder import new_part

HEADER = ("SenderPeerID", "SenderName", "SenderUserID", "Roles", "SentAt", "Type", "Message")
TYPE = "chat"
"""Of the messages that are kept; others are an application's signals."""
_PAGE = 500

log = logging.getLogger("callboard.recording")


class Forget(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: of which session."""

    session_id: str


FORGET = Kind("recording.forget_chat", Forget, weight=0.0, give_up_after=30 * 86_400.0, upkeep=True)


class ChatKeeper:
    """Keeps what is said; `wanted` says whether the chat of this session is to be kept."""

    def __init__(self, ledger: Ledger, ids: Ids, wanted: Callable[[str], bool]) -> None:
        self._ledger = ledger
        self._ids = ids
        self._wanted = wanted

    async def keep(
        self, session_id: str, sender: tuple[str, str, str], roles: Sequence[str], kind: str, message: str, now: int
    ) -> None:
        """Durable once it returns. `sender`: peer id, name and user id, each "" for the backend. Raises as `commit`."""
        if kind != TYPE or not self._wanted(session_id):
            return
        said = msgspec.json.encode(list(roles)).decode()
        row = (session_id, now, self._ids.time_uuid(now), *sender, said, message)
        await self._ledger.commit(Changes(rows=(Put(CHAT_MESSAGE, row),)))


class Chats:
    """Writes and forgets it."""

    def __init__(self, database: Database, ledger: Ledger, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._ids = ids

    def register(self, handlers: Handlers) -> None:
        handlers.add(FORGET, self._forget, self._left)

    async def write(self, session_id: str, file: str) -> str:
        """A job's step: write the session's chat to `file`, whole or not at all; returns `file`.

        Raises as `Database.fetch`, `OSError`.
        """
        await asyncio.to_thread(Path(file).parent.mkdir, parents=True, exist_ok=True)
        part = await asyncio.to_thread(new_part, Path(file))
        with await asyncio.to_thread(part.open, "w", encoding="utf-8", newline="") as out:
            await asyncio.to_thread(_write, out, [HEADER])
            async for rows in self._pages(session_id):
                await asyncio.to_thread(_write, out, [_line(row) for row in rows])
            await asyncio.to_thread(_sync, out)
        await asyncio.to_thread(part.replace, file)
        return file

    def forgotten(self, session_id: str, delay: float = 0.0) -> Changes:
        """What is committed for the messages to be deleted in `delay` seconds."""
        payload = Forget(session_id=session_id)
        now = self._clock.now()
        return Changes(
            rows=(job_row(FORGET, payload, now=now, ids=self._ids, subject=f"chat {session_id}", delay=delay),)
        )

    async def forget(self, session_id: str) -> None:
        """Delete the session's messages. Raises as `Database.fetch` and `Ledger.commit`."""
        async for rows in self._pages(session_id):
            gone = tuple(Delete(CHAT_MESSAGE, (str(row[0]), int(row[1] or 0), str(row[2]))) for row in rows)
            await commit(self._ledger, Changes(rows=gone))

    async def _forget(self, _: Run, order: Forget) -> Result:
        await self.forget(order.session_id)
        return Result()

    async def _left(self, job: Job, failure: Failure) -> Changes:
        log.error("messages of %s stay in the database: %s", job.subject, failure.message)
        return Changes()

    async def _pages(self, session_id: str) -> AsyncIterator[list[Row]]:
        sent_at, last = 0, ""
        while rows := await self._database.fetch(
            "chat_page", session_id=session_id, after=sent_at, id=last, limit=_PAGE
        ):
            yield list(rows)
            sent_at, last = int(rows[-1][1] or 0), str(rows[-1][2])


def _line(row: Row) -> tuple[str, ...]:
    _, sent_at, _, peer_id, name, user_id, roles, message = row
    instant = timestamps.stored(int(sent_at or 0))
    return str(peer_id), str(name), str(user_id), str(roles), instant, TYPE, str(message)


def _write(out: TextIO, lines: Sequence[Sequence[str]]) -> None:
    csv.writer(out, lineterminator="\n").writerows(lines)


def _sync(out: TextIO) -> None:
    out.flush()
    os.fsync(out.fileno())
