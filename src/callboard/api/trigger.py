"""Test events: somebody tries whether what receives events works. Not part of the seed platform's API.

Owns: the route that makes one.

Always holds: a test event goes the way of every event: it is committed, read back, delivered, retried. It says what it
is (`is_test` in its body, `callboard-test` in its headers, `test` as its actor), and stands in a stream of its own,
belonging to no room and no session: so no attendance, no list of a session's events and no count has it.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Router, post
from litestar.params import JSONBody
from msgspec import Meta, Struct

from callboard.api.bodies import MESSAGE, JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.events import EventResponse, shown
from callboard.clock import RandomIds
from callboard.errors import Invalid
from callboard.events import UnknownEventType
from callboard.events.forging import InvalidField, forged
from callboard.ledger import Changes, Fact
from callboard.ledger.records import TEST


class TriggerRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event of this type, as the sample of it that the docs have, with these fields of `data` instead."""

    type: Annotated[str, Meta(max_length=100)]
    data: dict[str, Any] = {}


def trigger_router(deps: Deps) -> Router:
    """The route `/v2/events/trigger`."""
    ids = RandomIds()

    @post(
        "/events/trigger",
        status_code=200,
        operation_id="trigger_event",
        summary="Send a test event",
        responses=errors(),
        dto=JsonBody[TriggerRequest],
        return_dto=None,
    )
    async def trigger(data: JSONBody[TriggerRequest]) -> EventResponse:
        """Commit an event of something that did not happen. It is delivered as any other, to every endpoint that wants
        events of its type from all rooms, and marked as a test.
        """
        try:
            payload = forged(data.type, data.data)
        except UnknownEventType as error:
            raise Invalid(MESSAGE, (f"type: {error}",)) from None
        except InvalidField as error:
            raise Invalid(MESSAGE, (f"data: {error}",)) from None
        now = deps.clock.now()
        id_ = ids.time_uuid(now)
        template_id = msgspec.to_builtins(payload).get("template_id", "")
        fact = Fact(
            id=id_,
            payload=payload,
            stream=f"test-{id_}",
            at=now,
            template_id=template_id,
            actor=TEST,
            cause="triggered",
        )
        (recorded,) = await deps.ledger.commit(Changes(facts=(fact,)))
        return shown(recorded)

    return Router("/", route_handlers=[trigger], tags=["Events"])
