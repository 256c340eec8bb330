"""Committing changes with their events, and reading the events back.

Owns: `Ledger`.

Always holds: subscribers see every event of this node once, in the order of commit, after it is durable and before
whoever awaits the commit goes on. A follower sees every event of every node once, in the order of positions.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress

from msgspec.structs import astuple, replace

from callboard.database import Append, Appended, Database, Put, Table, Unit, Value
from callboard.database.tables import EVENT, EXPUNGED
from callboard.events import encode, marked_as_test
from callboard.events.expunging import expunged
from callboard.ledger.changes import Changes, Fact
from callboard.ledger.moments import place_of
from callboard.ledger.records import EVERYTHING, TEST, Filter, Recorded, recorded_of, recorded_row
from callboard.ledger.tail import Tail

Subscriber = Callable[[Sequence[Recorded]], None]
Watcher = Callable[[Put], None]

_PAGE = 500
_POLL_SECONDS = 1.0  # how late a follower learns of what another node committed, when it is not told

log = logging.getLogger("callboard.ledger")


class _Durable:
    """A commit on its way: what the database calls when it is durable."""

    __slots__ = ("_ledger", "done", "recorded", "unit")

    def __init__(self, ledger: Ledger, unit: Unit, done: Subscriber | None = None) -> None:
        self._ledger = ledger
        self.unit = unit
        self.done = done
        self.recorded: Sequence[Recorded] = ()

    def __call__(self, places: Sequence[Appended]) -> None:
        self._ledger.durable(self, places)


class Ledger:
    """The one way to change what is true, and to read what happened. Used on the event loop's thread only."""

    def __init__(self, database: Database, *, account_id: str, app_id: str) -> None:
        self._database = database
        self._account_id = account_id
        self._app_id = app_id
        self._subscribers: list[Subscriber] = []
        self._watchers: list[tuple[str, Watcher]] = []
        self._followers: set[asyncio.Event] = set()
        self._tail = Tail()
        self._fresh: list[_Durable] = []
        database.on_notice("event", self._heard)

    async def commit(self, changes: Changes) -> Sequence[Recorded]:
        """Commit rows and facts as one; return the recorded events, in the facts' order, once they are durable.

        An awaiter that is cancelled undoes nothing. Raises, with nothing committed: `ValueError` for a fact or a row
        that cannot be stored, `GuardFailed`, `DatabaseBusy`, `DatabaseStopped` (if it stopped meanwhile, only the
        database knows).
        """
        durable = _Durable(self, self._unit(changes))
        await self._database.commit(durable.unit, durable)
        return durable.recorded

    def submit(self, changes: Changes, done: Subscriber | None = None) -> None:
        """As `commit`, without waiting: earlier submissions are durable earlier.

        `done` is called with the recorded events after the subscribers, in its turn among those who wait for commits;
        if a commit fails, never: that stops the database. Raises as `commit`.
        """
        durable = _Durable(self, self._unit(changes), done)
        self._database.submit(durable.unit, durable)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call `callback` with the events of each commit of this node, in order. Returns what ends it."""
        self._subscribers.append(callback)
        return lambda: self._subscribers.remove(callback)

    def watch(self, table: Table, callback: Watcher) -> Callable[[], None]:
        """Call `callback` with each row that a commit of this node puts into `table`, once it is durable.

        In the order of commit, before whoever awaits the commit goes on. Returns what ends it.
        """
        entry = (table.name, callback)
        self._watchers.append(entry)
        return lambda: self._watchers.remove(entry)

    async def read(self, after: int, limit: int, wanted: Filter = EVERYTHING) -> list[Recorded]:
        """Up to `limit` events that `wanted` accepts, at positions greater than `after`, in order."""
        types = f",{','.join(sorted(wanted.types))}," if wanted.types else ""
        parameters: dict[str, Value] = {"position": after, "types": types, "limit": limit}
        query = "events_after"
        if wanted != Filter(types=wanted.types):
            first, upto = await place_of(self._database, wanted)
            query = "events_between"
            parameters |= {"position": max(after, first), "upto": upto, "peer_id": wanted.peer_id}
            parameters |= {"since": wanted.since, "until": wanted.until}
        if wanted.session_id:
            query = "events_of_session"
            parameters |= {"session_id": wanted.session_id, "room_id": wanted.room_id}
        elif wanted.room_id:
            query = "events_of_room"
            parameters |= {"room_id": wanted.room_id}
        return [recorded_row(row) for row in await self._database.fetch(query, **parameters)]

    async def read_stream(self, stream: str, after: int, limit: int, part: int = 0, width: int = 1) -> list[Recorded]:
        """Up to `limit` events of one stream with a `seq` greater than `after`, in order.

        With a `width`, of those whose seq, divided by it, leaves `part`.
        """
        rows = await self._database.fetch(
            "events_of_stream", stream=stream, seq=after, limit=limit, part=part, width=width
        )
        return [recorded_row(row) for row in rows]

    async def event(self, event_id: str) -> Recorded | None:
        """The event with this id, if it was recorded."""
        rows = await self._database.fetch("event_by_id", id=event_id)
        return recorded_row(rows[0]) if rows else None

    async def expunge(self, event: Recorded, now: int) -> Recorded:
        """Take the content out of the event, for good; return it as it is now, once that is durable.

        Whoever watches the table `event` is told, on other nodes too (`expunged_news`). Raises as `commit`.
        """
        bare = replace(event, body=expunged(event.body))
        if bare.body != event.body:
            await self.commit(Changes(rows=(Put(EVENT, astuple(bare)), Put(EXPUNGED, (event.id, now)))))
            self._tail.replace(bare)
        return bare

    def replaced(self, event: Recorded) -> None:
        """Another node put this in the place of what was recorded: as if it had been done here."""
        self._tail.replace(event)
        self._show(Unit((Put(EVENT, astuple(event)),)))

    async def newest(self) -> int:
        """The highest position there is, 0 if there is none: where to follow from to see only what is to come."""
        ((position,),) = await self._database.fetch("highest_position")
        assert isinstance(position, int)
        return position

    async def follow(self, after: int, wanted: Filter = EVERYTHING) -> AsyncGenerator[Recorded, None]:
        """Every accepted event at a position greater than `after`, in order: first the past, then as they come.

        Endless. A slow reader costs no memory: who has fallen behind the newest events reads the database again.
        Close it when done (`contextlib.aclosing`). Raises as `Database.fetch`.
        """
        news = asyncio.Event()
        self._followers.add(news)
        try:
            while True:
                news.clear()
                events: Sequence[Recorded] = self._tail.after(after)
                full = False
                if events:
                    after = events[-1].position
                    events = [event for event in events if wanted.accepts(event)]
                else:
                    events, after, full = await self._page(after, wanted)
                for event in events:
                    yield event
                if not full:
                    await _soon(news)
        finally:
            self._followers.discard(news)

    async def _page(self, after: int, wanted: Filter) -> tuple[list[Recorded], int, bool]:
        """The next events from the database, the position up to which that is all, and whether more may follow."""
        # Read before the page: what is at or below it was visible to the page, wanted or not.
        newest = await self.newest()
        events = await self.read(after, _PAGE, wanted)
        if len(events) == _PAGE:
            return events, events[-1].position, True
        return events, max(after, newest, *(event.position for event in events[-1:])), False

    def durable(self, commit: _Durable, places: Sequence[Appended]) -> None:
        """This commit is durable. Those that became so together are told of together: before anybody goes on who waits
        for one of them, for that is a later turn of the loop.
        """
        events = commit.unit.events
        commit.recorded = [recorded_of(append, place) for append, place in zip(events, places, strict=True)]
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self._publish)
        self._fresh.append(commit)
        if commit.done is not None:  # in its turn among those who wait
            asyncio.get_running_loop().call_soon(commit.done, commit.recorded)

    def _publish(self) -> None:
        fresh, self._fresh = self._fresh, []
        recorded = [event for commit in fresh for event in commit.recorded]
        if recorded:
            self._tail.extend(recorded)
            for subscriber in tuple(self._subscribers):
                try:
                    subscriber(recorded)
                except Exception:  # what is durable stays so, and the others hear of it, whatever one makes of it
                    log.exception("a subscriber failed at position %d", recorded[0].position)
            self._heard()
        for commit in fresh:
            if commit.unit.rows and self._watchers:
                self._show(commit.unit)

    def _heard(self) -> None:
        for news in self._followers:
            news.set()

    def _show(self, unit: Unit) -> None:
        for name, watcher in tuple(self._watchers):
            for change in unit.rows:
                if change.table.name == name and isinstance(change, Put):
                    try:
                        watcher(change)
                    except Exception:  # as for subscribers
                        log.exception("a watcher of %s failed", name)

    def _unit(self, changes: Changes) -> Unit:
        return Unit(changes.rows, tuple([self._append(fact) for fact in changes.facts]), changes.guards)

    def _append(self, fact: Fact) -> Append:
        if fact.session_id and fact.stream != fact.session_id:
            raise ValueError(f"event {fact.id} of session {fact.session_id} must be in the session's stream")
        body = encode(
            fact.payload,
            id=fact.id,
            account_id=self._account_id,
            app_id=self._app_id,
            template_id=fact.template_id,
            at=fact.at,
        )
        if fact.actor == TEST:
            body = marked_as_test(body)
        return Append(
            fact.id,
            fact.stream,
            fact.payload.EVENT,
            fact.room_id,
            fact.session_id,
            fact.peer_id,
            fact.at,
            fact.actor,
            fact.cause,
            body,
            fact.template_id,
            fact.hook,
        )


async def _soon(news: asyncio.Event) -> None:
    """Until there is news, or it is time to look whether another node has some."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_POLL_SECONDS):
            await news.wait()
