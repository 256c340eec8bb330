"""What happens to deliveries themselves, as events: a small catalogue beside the platform's 32, never mixed with them.

Owns: `EndpointFailing`, `EndpointRecovered`, `EndpointDisabled`, `EventParked`; `Operational`, and reading it back.

Always holds: an operational event is a row of its own, written in the transaction of what it reports; ids rise with
time. It is in no session's stream and in no ledger. It is sent to endpoints that ask for it (`delivery.operational`),
never to the one that it is about; what becomes of sending it makes no other operational event. So nothing goes round.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec
from msgspec import Struct

from callboard.clock import Ids
from callboard.database import Database, Delete, Put, Row, Unit
from callboard.database.tables import NOTICE, OPERATIONAL_EVENT
from callboard.events import timestamps
from callboard.webhooks.health import WARNINGS, Health, Signal
from callboard.webhooks.parking import Parked

STREAM = "operational"
"""What stands in `callboard-stream` where one is sent; `callboard-seq` is 0."""


class EndpointFailing(Struct, frozen=True, kw_only=True):
    """The endpoint accepts nothing and is paused; or has been for so long that it will be disabled if this goes on.

    `used` is the part of the time until then that is over: 0 when it is paused, then 0.5, 0.75 and 0.9.
    """

    TYPE: ClassVar = "endpoint.failing"

    endpoint_id: str
    failing_since: str
    next_attempt_at: str
    used: float


class EndpointRecovered(Struct, frozen=True, kw_only=True):
    """The endpoint accepts events again, and is sent what waits, in order."""

    TYPE: ClassVar = "endpoint.recovered"

    endpoint_id: str
    paused_at: str


class EndpointDisabled(Struct, frozen=True, kw_only=True):
    """Nothing more is sent to the endpoint until somebody enables it; its events wait."""

    TYPE: ClassVar = "endpoint.disabled"

    endpoint_id: str
    reason: str
    """`gone`: it answered 410. `failing`: it accepted nothing for too long."""


class EventParked(Struct, frozen=True, kw_only=True):
    """The endpoint refused one event and accepts others: the event was left out, and can be replayed."""

    TYPE: ClassVar = "event.parked"

    endpoint_id: str
    event_id: str
    event_type: str
    stream: str
    seq: int
    attempts: int
    status: int
    error: str


Happening = EndpointFailing | EndpointRecovered | EndpointDisabled | EventParked

TYPES: dict[str, type[Struct]] = {
    kind.TYPE: kind for kind in (EndpointFailing, EndpointRecovered, EndpointDisabled, EventParked)
}
"""By name: all there are."""


class Operational(Struct, frozen=True):
    """One of them, as it was recorded: `body` is the JSON that is sent."""

    id: str
    at: int
    type: str
    endpoint_id: str
    body: str


class _Body(Struct, frozen=True):
    id: str
    type: str
    timestamp: str
    data: Happening


def operational(happening: Happening, ids: Ids, now: int) -> Operational:
    """`happening`, as an event of the instant `now`."""
    id_ = ids.time_uuid(now)
    body = _Body(id_, happening.TYPE, timestamps.stored(now), happening)
    text = msgspec.json.encode(body).decode()
    return Operational(id_, now, happening.TYPE, happening.endpoint_id, text)


def happening_of(endpoint_id: str, what: Signal | Parked, health: Health) -> Happening:
    """What is told of an endpoint whose `health` gave a signal, or for which an event was parked."""
    if isinstance(what, Parked):
        fields = {name: getattr(what, name) for name in what.__struct_fields__ if name not in ("type", "at")}
        return EventParked(event_type=what.type, **fields)
    if what is Signal.RECOVERED:
        return EndpointRecovered(endpoint_id=endpoint_id, paused_at=timestamps.stored(health.opened_at))
    return EndpointFailing(
        endpoint_id=endpoint_id,
        failing_since=timestamps.stored(health.failing_since),
        next_attempt_at=timestamps.stored(health.due_at),
        used=WARNINGS[health.warned - 1] if health.warned else 0.0,
    )


def rows(event: Operational, to: Iterable[str]) -> tuple[Put, ...]:
    """What is written: the event, and that it is to be sent to these endpoints."""
    return (
        Put(OPERATIONAL_EVENT, msgspec.structs.astuple(event)),
        *(Put(NOTICE, (endpoint_id, event.id)) for endpoint_id in to if endpoint_id != event.endpoint_id),
    )


async def forget_notices(database: Database, endpoint_id: str) -> None:
    """Delete what is to be sent to an endpoint that is gone. Raises what `Database.fetch` and `.commit` raise."""
    while found := await database.fetch("notices", endpoint_id=endpoint_id, limit=500):
        await database.commit(Unit(tuple(Delete(NOTICE, (endpoint_id, row[0])) for row in found)))


def operational_of(row: Row) -> Operational:
    """The event that a row (columns as in `OPERATIONAL_EVENT`) describes."""
    return msgspec.convert(dict(zip(Operational.__struct_fields__, row, strict=True)), Operational)


async def operational_events(database: Database, after: str, limit: int) -> list[Operational]:
    """At most `limit` of them, in order, after the one with the id `after` ("": from the first).

    Raises what `Database.fetch` raises.
    """
    return [operational_of(row) for row in await database.fetch("operational_events", id=after, limit=limit)]
