"""What was submitted and is not durable yet, in order.

Owns: `Intake`, the loop's side of both back ends: it takes units in, hands them to the writer's queue and answers for
them.

Always holds: units are answered in the order they were submitted, each once: by the commit it was part of, by
`GuardFailed`, or by `DatabaseStopped`. After the first failure nothing is taken in any more. Used on the event loop's
thread only.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from callboard.database.check import check
from callboard.database.interface import (
    DatabaseBusy,
    DatabaseStopped,
    Done,
    GuardFailed,
    Outcome,
    Refused,
    Stopped,
)
from callboard.database.units import Appended, Unit


class _Entry(Struct):
    """Who waits for a unit: an awaiter's future, a callback, both or neither."""

    future: asyncio.Future[Sequence[Appended]] | None
    done: Done | None
    refused: Refused | None = None

    def refuse(self, loop: asyncio.AbstractEventLoop) -> None:
        """A guard did not hold."""
        if self.refused is not None:
            _call(loop, self.refused)
        if self.future is not None and not self.future.done():
            self.future.set_exception(GuardFailed("a guard of this unit does not hold: nothing of it was committed"))


class Intake:
    """The units between `submit` and durable. `put` hands one to the writer, in any thread-safe way it likes."""

    def __init__(self, put: Callable[[Unit], None], most: int) -> None:
        self._put = put
        self._most = most
        self._entries: deque[_Entry] = deque()
        self._on_stop: list[Stopped] = []
        self._stopped = "the database is not open"
        self._cause: BaseException | None = None

    @property
    def waiting(self) -> int:
        return len(self._entries)

    def open(self) -> None:
        """From here on units are taken in."""
        self._stopped = ""

    def close(self) -> None:
        """From here on nothing is taken in; what waits is still answered."""
        self._stopped = self._stopped or "the database was closed"

    def require_open(self) -> None:
        """Raises `DatabaseStopped` unless units are taken in."""
        if self._stopped:
            raise self._refusal()

    def commit(self, unit: Unit, done: Done | None) -> asyncio.Future[Sequence[Appended]]:
        """Take `unit` in; the future is done when it is durable. Raises as `Database.submit`."""
        future: asyncio.Future[Sequence[Appended]] = asyncio.get_running_loop().create_future()
        self._enter(unit, _Entry(future, done))
        return future

    def submit(self, unit: Unit, done: Done | None, refused: Refused | None) -> None:
        """Take `unit` in. Raises as `Database.submit`."""
        if unit.guards and refused is None:
            raise ValueError("a unit with guards needs somebody who hears that one failed: `refused`, or `commit` it")
        self._enter(unit, _Entry(None, done, refused))

    def settle(self, results: Sequence[Outcome]) -> None:
        """The next `len(results)` units are durable, and these are their events' places; or they were refused (None).

        All callbacks are called here and now, in the order of submission; awaiters go on in the loop's next turns.
        """
        loop = asyncio.get_running_loop()
        entries = self._entries
        for appended in results:
            entry = entries.popleft()
            if appended is None:
                entry.refuse(loop)
                continue
            if entry.done is not None:
                _call(loop, entry.done, appended)
            if entry.future is not None and not entry.future.done():
                entry.future.set_result(appended)

    def stop(self, cause: BaseException) -> None:
        """A commit failed: answer everyone who waits, and let nobody in any more."""
        if self._cause is not None:
            return
        self._cause = cause
        self._stopped = f"a commit failed, nothing more is written: {type(cause).__name__}"
        while self._entries:
            future = self._entries.popleft().future
            if future is not None and not future.done():
                future.set_exception(self._refusal())
        for stopped in self._on_stop:
            asyncio.get_running_loop().call_soon(stopped, cause)

    def on_stop(self, stopped: Stopped) -> None:
        """Call `stopped` once a commit has failed."""
        self._on_stop.append(stopped)
        if self._cause is not None:
            asyncio.get_running_loop().call_soon(stopped, self._cause)

    def _enter(self, unit: Unit, entry: _Entry) -> None:
        self.require_open()
        check(unit)
        if len(self._entries) >= self._most:
            raise DatabaseBusy(f"{self._most} units wait to be committed")
        self._entries.append(entry)
        self._put(unit)

    def _refusal(self) -> DatabaseStopped:
        error = DatabaseStopped(self._stopped)
        error.__cause__ = self._cause
        return error


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], *places: Sequence[Appended]) -> None:
    """One that raises is reported by the loop, without harm to the others."""
    try:
        callback(*places)
    except Exception as error:  # noqa: BLE001 - whatever it is: what is durable stays so
        loop.call_exception_handler({"message": "a callback of a commit failed", "exception": error})
