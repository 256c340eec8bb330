"""To whom a part of a replay goes: an endpoint, the webhook of one room, or those of all rooms.

Owns: `EndpointTarget`, `HookTarget`, and finding the one with an id.

Always holds: it is sent to where the endpoint, or the room's webhook, leads now. An event that went to its room's own
webhook is sent to that, and not to the endpoints whose place that took.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from callboard.jobs import JobError
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.room_hooks import ROOMS, RoomHooks

DELETED: Final = "the endpoint was deleted"


@dataclass(frozen=True, slots=True)
class EndpointTarget:
    """An endpoint."""

    id: str
    endpoints: Endpoints
    room_id: str = ""
    each_alone: bool = False

    @property
    def parked_for(self) -> str:
        """In the place of the endpoint, among what is parked."""
        return self.id

    def wants(self, event: Recorded) -> bool:
        """Whether it is sent the event, also if nobody named both. Raises `JobError` as `endpoint`."""
        return self._found().wants(event)

    async def logged_as(self) -> AsyncIterator[str]:
        """In the place of the endpoint, in the log of attempts."""
        yield self.id

    async def endpoint(self, _: Recorded) -> Endpoint | None:
        """What the event is to be sent to. Raises `JobError`: nothing can be, now or (final) ever."""
        endpoint = self._found()
        if not endpoint.enabled:
            raise JobError("endpoint_disabled", "the endpoint is not enabled")
        if endpoint.paused:
            raise JobError("endpoint_paused", "the endpoint is paused")
        return endpoint

    def _found(self) -> Endpoint:
        endpoint = self.endpoints.get(self.id)
        if endpoint is None:
            raise JobError("endpoint_deleted", DELETED, final=True)
        return endpoint


@dataclass(frozen=True, slots=True)
class HookTarget:
    """The webhook of the room `room_id`, or those of all rooms if that is ''."""

    room_id: str
    hooks: RoomHooks

    @property
    def id(self) -> str:
        return self.room_id or ROOMS

    @property
    def each_alone(self) -> bool:
        """Whether what happens to one event says nothing of the others: they go to several receivers."""
        return not self.room_id

    @property
    def parked_for(self) -> str:
        return ROOMS

    def wants(self, event: Recorded) -> bool:
        return event.hook == self.room_id if self.room_id else event.hook != ""

    async def logged_as(self) -> AsyncIterator[str]:
        if self.room_id:
            yield self.room_id
        else:
            async for room_id in self.hooks.room_ids():
                yield room_id

    async def endpoint(self, event: Recorded) -> Endpoint | None:
        """As `EndpointTarget.endpoint`; None if the room has no webhook any more. Raises as `Database.fetch`."""
        return await self.hooks.endpoint(event.hook)


Target = EndpointTarget | HookTarget


async def target_of(endpoints: Endpoints, target_id: str) -> Target | None:
    """The target with this id: that of an endpoint, of a room that has or had a webhook of its own, or `ROOMS`.

    None if there is none. Raises as `Database.fetch`.
    """
    hooks = endpoints.hooks
    if endpoints.get(target_id) is not None:
        return EndpointTarget(target_id, endpoints)
    if hooks is None:
        return None
    if target_id == ROOMS:
        return HookTarget("", hooks)
    return HookTarget(target_id, hooks) if await hooks.had(target_id) else None
