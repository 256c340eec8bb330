"""Delivering to the webhooks that rooms have of their own: one outlet for all of them.

Owns: `HookOutlet`.

Always holds: what an outlet promises, by stream; a stream belongs to one room. One room's webhook that is down or slow
delays no other's: there is no breaker for all of them, each event is tried on its own schedule and parked at its end.
An event whose room has no webhook any more when its turn comes is not sent, to anybody.
"""

from __future__ import annotations

from typing import Any, Final

from callboard.database import Value
from callboard.ledger import Recorded
from callboard.webhooks.connection import Connection
from callboard.webhooks.fan import Fan
from callboard.webhooks.health import Health
from callboard.webhooks.lane import Lane
from callboard.webhooks.outlet import Outlet
from callboard.webhooks.reach import Resolve
from callboard.webhooks.request import Renderer
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.sender import Sending

MOST: Final = 256
"""Attempts under way at the same time, for all rooms together."""


class _EachAlone(Health):
    """Says of every event that fails that it fails alone: what happens at one room's webhook says nothing of others."""

    __slots__ = ()

    def works_for_others(self, lane: str, seen: int, *, refused: bool) -> bool:  # noqa: ARG002 - whatever it is
        return True

    def throttled(self, now: int, asked: float) -> bool:  # noqa: ARG002 - the event alone waits
        return False


class HookOutlet(Outlet):
    """See the module."""

    _fan: Fan

    def __init__(self, hooks: RoomHooks, **others: Any) -> None:
        self._hooks = hooks
        super().__init__(hooks.standing, **others)

    def _aim(self) -> None:
        """Each room has its own."""

    def _retarget(self) -> None:
        """As `_aim`."""

    def _arrange(self) -> None:
        """What the settings say holds for every room."""

    def _new_health(self) -> Health:
        return _EachAlone(self._settings.health, MOST)

    def _new_pool(self, resolve_and_vet: Resolve) -> Sending:
        self._fan = Fan(self, self._hooks, self._settings.sender, self._tls, resolve_and_vet, self._journal.note)
        return self._fan

    def _logged_as(self, event: Recorded) -> str:
        return event.hook

    def _columns(self, event: Recorded, wire: Connection[Lane]) -> tuple[Value, ...]:
        return self._fan.columns(event.hook, wire)

    # What the fan asks for and tells (`fan.Owner`).

    def request(self, work: Lane, renderer: Renderer, version: int) -> bytes:
        work.version = version
        gaps = self._course.gaps
        more = gaps.header(work.stream) if gaps else b""
        return renderer.render(work.events[0], work.stream.encode(), work.started, more)

    def dropped(self, work: Lane) -> None:
        self._course.dropped(work)
        self.progress.passed(work)
        self._ask()

    def put_back(self, work: Lane) -> None:
        self._course.put_back(work)
        self._ask()
