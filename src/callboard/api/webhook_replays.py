"""Replays of webhook deliveries (platform.md §10.5).

Owns: a replay as REST shows it, and its routes. Beyond the seed platform's: `session_id`, `peer_id`, `endpoint_id`,
`event_ids`, the list, and cancelling.

Always holds: what is asked for again in the same words while it runs is the same replay.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, Meta, Struct, UnsetType

from callboard.api import analytics_windows as windows
from callboard.api.bodies import read_body
from callboard.api.deps import Deps
from callboard.api.errors import Unavailable, errors
from callboard.api.event_filters import MAX_ID
from callboard.api.rates import Rates
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.rooms.store import FOREVER
from callboard.webhooks.replays.desk import Desk, View
from callboard.webhooks.replays.filters import MOST_EVENTS, Status, Wanted, digest
from callboard.webhooks.room_hooks import ROOMS

MOST_NAMED: Final = 100

StatusWord = Literal["all", "failed", "parked", "success"]


class ReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to deliver again. With `event_ids`, those events, whenever they happened; else what happened, or failed,
    from `start_time` to `end_time`, and all else that is set.
    """

    start_time: Annotated[str, Meta(description="RFC 3339; by default 24 hours ago; in the last 30 days.")] = ""
    end_time: Annotated[str, Meta(description="RFC 3339; by default now; at most 14 days later.")] = ""
    room_id: str = ""
    session_id: str = ""
    peer_id: Annotated[str, Meta(max_length=MAX_ID)] = ""
    event_names: Annotated[tuple[str, ...], Meta(description="Types; `*` stands for anything.")] = ()
    status: Annotated[
        StatusWord,
        Meta(
            description="`failed`: given up, and not accepted since. `parked`: what is parked, since whenever. `all`:"
            " whatever the endpoint wants."
        ),
    ] = "failed"
    limit: Annotated[int, Meta(ge=1, le=MOST_EVENTS, description="How many events at most, for each endpoint.")] = (
        MOST_EVENTS
    )
    offset: Annotated[int, Meta(ge=0, le=FOREVER, description="How many to leave out, of those that match.")] = 0
    endpoint_id: Annotated[
        str,
        Meta(
            description="Only to this endpoint, or (a room's id) the webhook that the room has of its own, or (`rooms`)"
            " those of all rooms; else to each that is enabled."
        ),
    ] = ""
    event_ids: Annotated[tuple[str, ...], Meta(max_length=MOST_NAMED)] = ()


class StartedFilters(Struct, frozen=True, kw_only=True):
    start_time: str
    end_time: str
    room_id: str
    event_types: tuple[str, ...]


class ReplayFilters(StartedFilters, frozen=True, kw_only=True):
    limit: int
    offset: int
    status: str
    session_id: str
    peer_id: str
    endpoint_id: str
    event_ids: tuple[str, ...]


class ReplayStarted(Struct, frozen=True, kw_only=True):
    workflow_id: str
    status: Literal["started", "already_running"]
    message: str
    filters: StartedFilters


class Progress(Struct, frozen=True, kw_only=True):
    """Deliveries: an event that goes to two endpoints counts twice. `total` grows until it is settled which these are,
    at each endpoint.
    """

    total: int
    completed: int
    failed: int


class ReplayResult(Progress, frozen=True, kw_only=True):
    failed_events: list[str]


class ReplayEndpoint(Struct, frozen=True, kw_only=True):
    """How far it has come at one endpoint; `message` says what it waits for, why it was terminated, or whose webhooks
    were left out. `endpoint_id` is a room's id for the webhook that the room has of its own, `rooms` for those of all.
    """

    endpoint_id: str
    state: str
    total: int
    completed: int
    failed: int
    message: str


class ReplayResponse(Struct, frozen=True, kw_only=True):
    """A replay. `completed_at` and `result` are absent while it runs."""

    workflow_id: str
    status: Literal["Running", "completed", "completed_with_failures", "failed", "Canceled", "Terminated"]
    started_at: str
    completed_at: str | UnsetType = UNSET
    filters: ReplayFilters
    progress: Progress
    result: ReplayResult | UnsetType = UNSET
    endpoints: list[ReplayEndpoint]


class ReplayList(Struct, frozen=True, kw_only=True):
    """Newest first. `last` is `before` of the page that follows, "" when nothing does."""

    data: list[ReplayResponse]
    last: str


def started_filters(wanted: Wanted) -> StartedFilters:
    """The filters as the answer to the start repeats them."""
    return StartedFilters(
        start_time=timestamps.seconds(wanted.since) if wanted.since else "",
        end_time=timestamps.seconds(wanted.until - 1) if wanted.since else "",
        room_id=wanted.room_id,
        event_types=wanted.types,
    )


def shown(view: View) -> ReplayResponse:
    """The replay as REST shows it."""
    wanted, parts = view.replay.wanted, view.parts
    total = sum(max(part.total, 0) for part in parts)
    completed, failed = sum(part.completed for part in parts), sum(part.failed for part in parts)
    over = view.completed_at
    result = ReplayResult(
        total=total,
        completed=completed,
        failed=failed,
        failed_events=list(dict.fromkeys(name for part in parts for name in part.failed_ids)),
    )
    status: Any = view.status
    return ReplayResponse(
        workflow_id=view.replay.id,
        status=status,
        started_at=timestamps.seconds(view.replay.created_at),
        completed_at=timestamps.seconds(over) if over else UNSET,
        filters=ReplayFilters(
            **msgspec.structs.asdict(started_filters(wanted)),
            limit=wanted.limit,
            offset=wanted.offset,
            status=wanted.status.value,
            session_id=wanted.session_id,
            peer_id=wanted.peer_id,
            endpoint_id=wanted.endpoint_id,
            event_ids=wanted.event_ids,
        ),
        progress=Progress(total=total, completed=completed, failed=failed),
        result=result if over else UNSET,
        endpoints=[
            ReplayEndpoint(
                endpoint_id=part.endpoint_id,
                state=part.state.value,
                total=max(part.total, 0),
                completed=part.completed,
                failed=part.failed,
                message=part.message,
            )
            for part in parts
        ],
    )


def wanted_of(said: ReplayRequest, now: int) -> Wanted:
    """What is asked for. Raises `Invalid`."""
    if "\0" in said.peer_id or any(not name or "\0" in name or len(name) > MAX_ID for name in said.event_ids):
        raise Invalid(windows.MESSAGE, (f"peer_id, event_ids: must be 1 to {MAX_ID} characters of text",))
    whenever = bool(said.event_ids) or (said.status == "parked" and not said.start_time and not said.end_time)
    since, until = (0, now) if whenever else windows.window(said.start_time, said.end_time, now)
    return Wanted(
        since=since,
        until=until,
        status=Status(said.status),
        room_id=windows.object_id("room_id", said.room_id),
        session_id=windows.object_id("session_id", said.session_id),
        peer_id=said.peer_id,
        types=windows.names(said.event_names),
        limit=said.limit,
        offset=said.offset,
        endpoint_id=ROOMS if said.endpoint_id == ROOMS else windows.object_id("endpoint_id", said.endpoint_id),
        event_ids=said.event_ids,
    )


async def said_in(request: Request[Any, Any, Any]) -> ReplayRequest:
    """What a request says: in its body, or, where that says nothing, in its query (both are documented). Raises
    `Invalid`.
    """
    query: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        if name in ("event_names", "event_ids"):
            query.setdefault(name, []).append(value)
        else:
            query[name] = int(value) if name in ("limit", "offset") and value.isascii() and value.isdigit() else value
    body = await request.body()
    if not query:
        return read_body(body or b"{}", ReplayRequest)
    in_body = msgspec.structs.asdict(read_body(body, ReplayRequest)) if body.strip() else {}
    default = msgspec.structs.asdict(ReplayRequest())
    both = query | {name: value for name, value in in_body.items() if value != default[name]}
    return read_body(msgspec.json.encode(both), ReplayRequest)


def desk_of(deps: Deps) -> Desk:
    """Raises `Unavailable`."""
    if deps.replays is None:
        raise Unavailable("webhook replay service unavailable")
    return deps.replays


def replays_router(deps: Deps) -> Router:
    """The routes of replays. The one with `events` in it is in an example of the seed platform's documentation."""
    rates = Rates(0.5, 20)

    @post(
        "/analytics/webhooks/replay",
        status_code=200,
        operation_id="start_webhook_replay",
        summary="Deliver webhooks again",
        responses=errors(404, 429, 503),
    )
    async def start(request: Request[Any, Any, Any]) -> ReplayStarted:
        """Deliver events again, in order, at most 10 a second to each endpoint, each marked with `is_replay`. Fields
        are in the body (`ReplayRequest`) or in the query.
        """
        return await begin(request)

    async def begin(request: Request[Any, Any, Any]) -> ReplayStarted:
        desk, now = desk_of(deps), deps.clock.now()
        windows.take(rates, now)
        said = await said_in(request)
        view, new = await desk.start(wanted_of(said, now), digest(said))
        return ReplayStarted(
            workflow_id=view.replay.id,
            status="started" if new else "already_running",
            message="Webhook replay has been queued for processing"
            if new
            else "An identical webhook replay is already in progress",
            filters=started_filters(view.replay.wanted),
        )

    @post("/analytics/events/webhooks/replay", status_code=200, include_in_schema=False)
    async def start_by_other_name(request: Request[Any, Any, Any]) -> ReplayStarted:
        return await begin(request)

    @get(
        "/analytics/webhooks/replay",
        operation_id="list_webhook_replays",
        summary="List replays of webhooks",
        responses=errors(503),
    )
    async def list_replays(
        limit: Annotated[int, QueryParameter(ge=1, le=100, description="How many at most.")] = 20,
        before: Annotated[str, QueryParameter(description="`last` of the page before.")] = "",
    ) -> ReplayList:
        """Replays, newest first."""
        if before and not (before.isascii() and before.isdigit() and int(before) <= FOREVER):
            raise Invalid(windows.MESSAGE, ("before: must be `last` of the page before",))
        found = await desk_of(deps).newest(int(before or FOREVER), limit)
        last = str(found[-1].replay.created_at) if len(found) == limit else ""
        return ReplayList(data=[shown(view) for view in found], last=last)

    @get(
        "/analytics/webhooks/replay/{workflow_id:str}",
        operation_id="get_webhook_replay",
        summary="Get a replay of webhooks",
        responses=errors(404, 429, 503),
    )
    async def get_replay(workflow_id: FromPath[str]) -> ReplayResponse:
        """The replay: what was asked for, how far it has come, and what it came to."""
        return shown(await desk_of(deps).view(_id(workflow_id)))

    @post(
        "/analytics/webhooks/replay/{workflow_id:str}/cancel",
        status_code=200,
        operation_id="cancel_webhook_replay",
        summary="Cancel a replay of webhooks",
        responses=errors(404, 503),
    )
    async def cancel(workflow_id: FromPath[str]) -> ReplayResponse:
        """Deliver nothing more. What was delivered stays so; a replay that has ended stays as it is."""
        return shown(await desk_of(deps).cancel(_id(workflow_id)))

    return Router(
        "/", route_handlers=[start, start_by_other_name, list_replays, get_replay, cancel], tags=["Webhook deliveries"]
    )


def _id(workflow_id: str) -> str:
    return workflow_id if len(workflow_id) <= MAX_ID and "\0" not in workflow_id else ""
