"""What did not go as it should: parked events of an endpoint, and operational events.

Owns: both as REST shows them, and their routes. Not part of the seed platform's API.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec
from litestar import Router, get
from litestar.params import FromPath, QueryParameter
from msgspec import Meta, Struct

from callboard.api import pages
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps
from callboard.webhooks.operational import operational_events
from callboard.webhooks.parking import Parked, parked_events

_PLACE: Final = re.compile(r"([0-9]{1,19})-([!-~]{1,100})")
_MOST: Final = 2**63 - 1
_ID: Final = re.compile(r"[0-9a-f-]{36}")

Next = Annotated[str, QueryParameter(description="`last` of the page before; none for the first page.")]


class ParkedResponse(Struct, frozen=True, kw_only=True):
    """An event that the endpoint refused while it accepted others. A replay that is accepted takes it off this list."""

    event_id: str
    type: str
    stream: str
    seq: int
    parked_at: str
    attempts: int
    status: Annotated[int, Meta(description="HTTP status of the last attempt; 0: there was no answer.")]
    error: str


class ParkedPage(Struct, frozen=True, kw_only=True):
    """In the order of parking. `last` is `start` of the page that follows, "" when nothing does."""

    limit: int
    data: list[ParkedResponse]
    last: str


class OperationalPage(Struct, frozen=True, kw_only=True):
    """In order. `last` is `start` of the page that follows; it is given also when nothing follows yet: ask again."""

    limit: int
    data: Annotated[list[msgspec.Raw], Meta(description="As they are sent: `id`, `type`, `timestamp`, `data`.")]
    last: str


def _shown(parked: Parked) -> ParkedResponse:
    return ParkedResponse(
        event_id=parked.event_id,
        type=parked.type,
        stream=parked.stream,
        seq=parked.seq,
        parked_at=timestamps.precise(parked.at),
        attempts=parked.attempts,
        status=parked.status,
        error=parked.error,
    )


def _after(start: str) -> tuple[int, str]:
    if not start:
        return 0, ""
    match = _PLACE.fullmatch(start)
    if match is None or int(match[1]) > _MOST:
        raise Invalid("Invalid query parameter", ("start: must be `last` of the page before",))
    return int(match[1]), match[2]


def parked_router(deps: Deps) -> Router:
    """The routes."""

    @get(
        "/webhook-endpoints/{endpoint_id:str}/parked-events",
        operation_id="list_parked_events",
        summary="List the events that were parked for a webhook endpoint",
        responses=errors(404),
    )
    async def parked(endpoint_id: FromPath[str], limit: pages.Limit = pages.MIN_LIMIT, start: Next = "") -> ParkedPage:
        """Events that were left out because the endpoint refused them, oldest first.

        `rooms`, in the place of an id, stands for the webhooks that rooms have of their own.
        """
        if deps.endpoints.sending(endpoint_id) is None:
            raise NotFound("endpoint not found")
        applied = pages.clamped(limit)
        found = await parked_events(deps.database, endpoint_id, _after(start), applied + 1)
        page, more = pages.cut(found, applied)
        last = f"{page[-1].at}-{page[-1].event_id}" if more else ""
        return ParkedPage(limit=applied, data=[_shown(one) for one in page], last=last)

    @get(
        "/operational-events",
        operation_id="list_operational_events",
        summary="List what happened to webhook endpoints",
        responses=errors(),
    )
    async def operational(limit: pages.Limit = pages.MIN_LIMIT, start: Next = "") -> OperationalPage:
        """Endpoints that fail, recover, are disabled; events that are parked. Oldest first."""
        if start and not _ID.fullmatch(start):
            raise Invalid("Invalid query parameter", ("start: must be `last` of the page before",))
        applied = pages.clamped(limit)
        found = await operational_events(deps.database, start, applied)
        bodies = [msgspec.Raw(event.body.encode()) for event in found]
        return OperationalPage(limit=applied, data=bodies, last=found[-1].id if found else start)

    return Router("/", route_handlers=[parked, operational], tags=["Webhook endpoints"])
