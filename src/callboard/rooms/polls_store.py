"""Stored polls, their runs in sessions and the answers: what outlives a session (platform.md §3.11).

Owns: creating and changing polls, and reading what became of them. Running one is `polls_live.py`.

Always holds: what is returned is durable; two changes of one poll never undo each other. Changing a poll does not
touch runs that have begun. Raises `callboard.errors` refusals, which change nothing, and what `Database.commit` raises.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from callboard.clock import Clock, Ids
from callboard.database import Database, Unit
from callboard.errors import Invalid, NotFound
from callboard.rooms.polls import (
    Poll,
    PollBody,
    Response,
    Run,
    checked,
    in_order,
    poll_of,
    poll_row,
    response_of,
    run_of,
)
from callboard.rooms.whole import Whole

FIRST_PAGE: Final = "g"
"""A cursor beyond every id (ids are hexadecimal)."""

POLL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The server's ids are 24 hexadecimal digits; clients make their own, UUIDs."""


class PollStore:
    """All polls."""

    def __init__(self, database: Database, clock: Clock, ids: Ids) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._whole = Whole()
        self._changing = asyncio.Lock()

    def new(self, body: PollBody, poll_id: str = "") -> Poll:
        """A poll with this body, its questions numbered; not stored. Raises `Invalid`."""
        now = self._clock.now()
        fields = {name: getattr(body, name) for name in PollBody.__struct_fields__}
        fields["questions"] = in_order(body.questions)
        return checked(Poll(id=poll_id or self._ids.object_id(now), created_at=now, updated_at=now, **fields))

    async def create(self, body: PollBody) -> Poll:
        """A new poll. Raises `Invalid`."""
        poll = self.new(body)
        await self._database.commit(Unit((poll_row(poll),)))
        return poll

    async def get(self, poll_id: str) -> Poll:
        """The poll. Raises `NotFound`."""
        rows = await self._database.fetch("poll_by_id", id=poll_id) if POLL_ID.fullmatch(poll_id) else []
        if not rows:
            raise NotFound("poll not found")
        return poll_of(rows[0])

    async def require(self, poll_ids: Iterable[str]) -> None:
        """Raises `Invalid`, which names them, unless there are all of these polls."""
        wrong = []
        for index, poll_id in enumerate(poll_ids):
            try:
                await self.get(poll_id)
            except NotFound:
                wrong.append(f"polls[{index}]: there is no such poll")
        if wrong:
            raise Invalid("Invalid body param", wrong)

    async def change(self, poll_id: str, change: Callable[[Poll], PollBody]) -> Poll:
        """The poll with what `change` makes of it: numbered again, in the order in which it has its questions and
        options. Raises `NotFound`, `Invalid`, and what `change` raises."""

        async def changed() -> Poll:
            old = await self.get(poll_id)
            body = change(old)
            fields = {name: getattr(body, name) for name in PollBody.__struct_fields__}
            fields["questions"] = in_order(body.questions)
            poll = checked(msgspec.structs.replace(old, updated_at=self._clock.now(), **fields))
            await self._database.commit(Unit((poll_row(poll),)))
            return poll

        return await self._whole.run(changed(), self._changing)

    async def runs(self, poll_id: str, limit: int, start: str = FIRST_PAGE) -> list[Run]:
        """The poll's runs that were started, newest first: at most `limit`, with ids below `start`."""
        rows = await self._database.fetch("poll_session_page", poll_id=poll_id, start=start, limit=limit)
        return [run_of(row) for row in rows]

    async def runs_of_session(self, session_id: str) -> list[Run]:
        """All polls of a session, those too that were never started, in the order in which they came."""
        return [run_of(row) for row in await self._database.fetch("poll_sessions_of_session", session_id=session_id)]

    async def responses(
        self, poll_id: str, limit: int, start: str = FIRST_PAGE, *, question: int = 0, superseded: bool = False
    ) -> list[Response]:
        """Answers in all sessions, newest first: at most `limit`, with ids below `start`; of one question, or (0) all.

        `superseded`: those too that a later answer of the same participant replaced.
        """
        rows = await self._database.fetch(
            "poll_response_page",
            poll_id=poll_id,
            start=start,
            limit=limit,
            question=question,
            final=-1 if superseded else 1,
        )
        return [response_of(row) for row in rows]

    async def response(self, poll_id: str, response_id: str) -> Response:
        """One answer, with its score. Raises `NotFound`."""
        rows = await self._database.fetch("poll_response", id=response_id) if POLL_ID.fullmatch(response_id) else []
        found = response_of(rows[0]) if rows else None
        if found is None or found.poll_id != poll_id:
            raise NotFound("response not found")
        return found

    async def responses_of_run(self, run: Run) -> Sequence[Response]:
        """The final answers of a run, in the order in which they came."""
        rows = await self._database.fetch("poll_responses_of_session", session_id=run.session_id, poll_id=run.poll.id)
        return [response_of(row) for row in rows]
