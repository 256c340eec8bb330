"""The history of webhook deliveries (platform.md §10.4): those that were accepted, those that were given up.

Owns: a delivery as REST shows it, and its route.

Always holds: a delivery that is still tried is in neither of the two. One that was given up and accepted later (a
replay) counts as accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Final, Literal

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter
from msgspec import UNSET, Struct, UnsetType

from callboard.api import analytics_windows as windows
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.rates import Rates
from callboard.database import Row, Value
from callboard.events import timestamps
from callboard.webhooks.attempts import GIVEN_UP
from callboard.webhooks.failures import Failure

MOST_PAGES: Final = 100_000
_SHOWN: Final = ("session_id", "peer_id", "user_id")

StatusName = Literal["all", "failed", "success"]


class DeliveryPayload(Struct, frozen=True, kw_only=True):
    """`error_reason` is only there if it failed: `timeout`, `http_503`, `connection_refused`, …"""

    event_data: dict[str, str]
    webhook_url: str
    original_event_name: str
    error_reason: str | UnsetType = UNSET


class DeliveryResponse(Struct, frozen=True, kw_only=True):
    """What became of an event at an endpoint. `event_id` is the event's, `event_timestamp` when it was decided."""

    event_id: str
    event_name: Literal["reporter.webhook.delivery.success", "reporter.webhook.delivery.failed"]
    room_id: str
    event_timestamp: str
    payload: DeliveryPayload


class Pagination(Struct, frozen=True, kw_only=True):
    current_page: int
    page_size: int
    total_pages: int
    total_items: int
    has_next: bool
    has_prev: bool


class DeliverySummary(Struct, frozen=True, kw_only=True):
    total_events: int


class DeliveryPage(Struct, frozen=True, kw_only=True):
    events: list[DeliveryResponse]
    pagination: Pagination
    summary: DeliverySummary


class _Body(Struct):
    data: dict[str, object]


def reason(error: str, status: int) -> str:
    """Why it failed, in the seed platform's words (platform.md §10.4) where it has them, else in ours."""
    failure = Failure(error.removeprefix(GIVEN_UP))
    if failure.startswith("timeout"):
        return "timeout"
    return f"http_{status}" if failure.startswith("http") else failure.value


def shown(row: Row, urls: Mapping[str, str]) -> DeliveryResponse:
    """The delivery in a row of the query `delivery_page`; `urls` are those of the endpoints that there still are."""
    event_id, kind, room_id, body, endpoint_id, at, status, error = row
    assert isinstance(body, bytes)
    data = msgspec.json.decode(body, type=_Body).data
    payload = DeliveryPayload(
        event_data={name: str(data[name]) for name in _SHOWN if data.get(name)},
        webhook_url=urls.get(str(endpoint_id), ""),
        original_event_name=str(kind),
        error_reason=reason(str(error), int(str(status))) if error else UNSET,
    )
    return DeliveryResponse(
        event_id=str(event_id),
        event_name="reporter.webhook.delivery.failed" if error else "reporter.webhook.delivery.success",
        room_id=str(room_id),
        event_timestamp=timestamps.seconds(int(str(at))),
        payload=payload,
    )


async def _urls(deps: Deps, ids: Iterable[str]) -> dict[str, str]:
    """Where each endpoint, or room's webhook, is now, of those that there still are."""
    hooks = deps.endpoints.hooks
    found = [deps.endpoints.get(id_) or (await hooks.endpoint(id_) if hooks else None) for id_ in ids]
    return {endpoint.id: endpoint.url for endpoint in found if endpoint is not None}


def pagination(page: int, size: int, total: int) -> Pagination:
    """Where a page stands among all."""
    last = -(-total // size)
    return Pagination(
        current_page=page,
        page_size=size,
        total_pages=last,
        total_items=total,
        has_next=page < last,
        has_prev=page > 1,
    )


def deliveries_router(deps: Deps) -> Router:
    """The route `/v2/analytics/webhooks`."""
    rates = Rates(2.0, 60)

    @get(
        "/",
        operation_id="list_webhook_deliveries",
        summary="List webhook deliveries",
        responses=errors(429),
    )
    async def list_deliveries(
        start_time: Annotated[str, QueryParameter(description="RFC 3339; by default 24 hours ago.")] = "",
        end_time: Annotated[str, QueryParameter(description="RFC 3339; by default now.")] = "",
        room_id: Annotated[str, QueryParameter(description="Only of this room.")] = "",
        status: Annotated[StatusName, QueryParameter(description="Only these.")] = "all",
        event_names: Annotated[
            list[str] | None, QueryParameter(description="Only of these events; `*` stands for anything.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many on a page.")] = 50,
        page: Annotated[int, QueryParameter(ge=1, le=MOST_PAGES, description="Which page.")] = 1,
    ) -> DeliveryPage:
        """What became of deliveries, the last first, within 14 days of the last 30."""
        now = deps.clock.now()
        windows.take(rates, now)
        since, until = windows.window(start_time, end_time, now)
        types = windows.names(event_names or ())
        where: dict[str, Value] = {
            "since": since,
            "until": until,
            "room_id": windows.object_id("room_id", room_id),
            "types": f",{','.join(types)}," if types else "",
        }
        kind = "failed_delivery" if status == "failed" else "delivery"
        if status != "failed":
            where["accepted"] = int(status == "success")
        ((total,),) = await deps.database.fetch(f"{kind}_count", **where)
        rows = await deps.database.fetch(f"{kind}_page", **where, limit=limit, offset=(page - 1) * limit)
        urls = await _urls(deps, {str(row[4]) for row in rows})
        count = int(str(total))
        return DeliveryPage(
            events=[shown(row, urls) for row in rows],
            pagination=pagination(page, limit, count),
            summary=DeliverySummary(total_events=count),
        )

    return Router("/analytics/webhooks", route_handlers=[list_deliveries], tags=["Webhook deliveries"])
