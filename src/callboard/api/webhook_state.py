"""How a webhook endpoint is doing: what waits for it, since when, and why nothing is sent.

Owns: the route `…/state`. Not part of the seed platform's API.
"""

from __future__ import annotations

from typing import Annotated

from litestar import Router, get
from litestar.params import FromPath
from msgspec import Meta, Struct

from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.clock import NANOSECONDS
from callboard.errors import NotFound
from callboard.events import timestamps
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.gauges import Gauges, State, state_of


class EndpointState(Struct, frozen=True, kw_only=True):
    """An endpoint in numbers: of this node, where several share the deliveries; totals since it began to send."""

    id: str
    state: Annotated[
        State,
        Meta(
            description="`closed`: it is sent to. `open`: it fails; its events wait for the probe at `due_at`."
            " `probing`: that is under way. `paused`, `disabled`: somebody said so, or (disabled) it failed for days."
        ),
    ]
    pending: Annotated[int, Meta(description="Events that are not delivered yet.")] = 0
    streams: Annotated[int, Meta(description="Streams (sessions) that they belong to.")] = 0
    waiting: Annotated[int, Meta(description="Of these, how many wait for their next attempt.")] = 0
    under_way: Annotated[int, Meta(description="Attempts.")] = 0
    oldest_committed_at: Annotated[str, Meta(description='Of the event that has waited longest; "": none waits.')] = ""
    oldest_age_seconds: float = 0.0
    failing_since: Annotated[str, Meta(description='Nothing was accepted since; "": it does not fail.')] = ""
    due_at: Annotated[str, Meta(description='Nothing is sent before; "": nothing is waited for.')] = ""
    delivered: int = 0
    failed_attempts: int = 0
    failures: Annotated[dict[str, int], Meta(description="The failed attempts by error.")] = {}
    parked: Annotated[int, Meta(description="Events that it did not accept while it accepted others.")] = 0
    expired: Annotated[int, Meta(description="Events that retention took away before they were delivered.")] = 0


def state_router(deps: Deps) -> Router:
    """The route."""

    @get(
        "/webhook-endpoints/{endpoint_id:str}/state",
        operation_id="get_webhook_endpoint_state",
        summary="See how a webhook endpoint is doing",
        responses=errors(404),
    )
    async def state(endpoint_id: FromPath[str]) -> EndpointState:
        """Whether it is sent to, what waits for it and since when, and what came of the attempts."""
        endpoint = deps.endpoints.get(endpoint_id)
        if endpoint is None:
            raise NotFound("endpoint not found")
        oldest = await deps.deliveries.oldest(endpoint_id)
        return _shown(endpoint, deps.deliveries.gauges_of(endpoint_id), oldest, deps.clock.now())

    return Router("/", route_handlers=[state], tags=["Webhook endpoints"])


def _shown(endpoint: Endpoint, gauges: Gauges | None, oldest: int, now: int) -> EndpointState:
    state = state_of(endpoint, gauges)
    if gauges is None:
        return EndpointState(id=endpoint.id, state=state)
    return EndpointState(
        id=endpoint.id,
        state=state,
        pending=gauges.pending,
        streams=gauges.lanes,
        waiting=gauges.waiting,
        under_way=gauges.busy,
        oldest_committed_at=_instant(oldest),
        oldest_age_seconds=max(0, now - oldest) / NANOSECONDS if oldest else 0.0,
        failing_since=_instant(gauges.failing_since),
        due_at=_instant(gauges.due_at),
        delivered=gauges.delivered,
        failed_attempts=gauges.failed_attempts,
        failures={str(failure): count for failure, count in gauges.failures.items()},
        parked=gauges.parked,
        expired=gauges.expired,
    )


def _instant(at: int) -> str:
    return timestamps.precise(at) if at else ""
