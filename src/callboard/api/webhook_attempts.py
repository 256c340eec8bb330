"""Attempts to deliver: the log of an endpoint's and of an event's, and the test of an endpoint.

Owns: an attempt as REST shows it, and the routes for it. Not part of the seed platform's API, whose log of deliveries
is `/v2/analytics/webhooks`.

Always holds: no secret is shown: the log has none. What an endpoint answered is shown as text, and nothing but text.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Meta, Struct

from callboard.api import pages
from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps
from callboard.webhooks.attempt_pages import Cursor, Outcome, Shown, Wanted, page_of_endpoint, page_of_event
from callboard.webhooks.attempts import Attempt
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.failures import Failure
from callboard.webhooks.failures_explained import EXPLAINED

_AFTER_OF_ENDPOINT: Final = re.compile(r"([0-9]{1,19})-([0-9]{1,18})-([!-~]{1,100})")
_AFTER_OF_EVENT: Final = re.compile(r"([0-9]{1,18})-([!-~]{1,100})")
_MOST: Final = 2**63 - 1


class TimingResponse(Struct, frozen=True, kw_only=True):
    """Where the time went, in seconds. `dns`, `connect` and `tls` are 0 on a connection that there was already."""

    dns: float
    connect: float
    tls: float
    first_byte: Annotated[float, Meta(description="From the request's being written to the answer's first byte.")]
    total: float


class RequestResponse(Struct, frozen=True, kw_only=True):
    """What was sent: the headers that all requests had in common, and how long the body was (it is the event's)."""

    headers: dict[str, str]
    body_bytes: int


class AnswerResponse(Struct, frozen=True, kw_only=True):
    """What came back: some of the headers, and the beginning of the body. Status 0: nothing did."""

    status: int
    headers: dict[str, str]
    body: str


class AttemptResponse(Struct, frozen=True, kw_only=True):
    """One try to deliver one event to one endpoint."""

    event_id: str
    type: Annotated[str, Meta(description='The event\'s type; "" once retention took the event away.')]
    endpoint_id: Annotated[
        str, Meta(description="The room's id, if it went to the webhook that the room has of its own.")
    ]
    number: Annotated[
        int,
        Meta(
            description="1, 2, 3, … of this event for this endpoint; a replay's from n000001, n being its own number."
        ),
    ]
    replay: Annotated[bool, Meta(description="Whether a replay made it.")]
    at: str
    outcome: Annotated[Outcome, Meta(description="`given_up`: it failed, and was the last.")]
    error: Annotated[str, Meta(description='Why it failed, "" if it did not: one of a closed list.')]
    explanation: str
    remedy: str
    remote: Annotated[str, Meta(description='The address that was connected to, "" if none was.')]
    request: RequestResponse
    response: AnswerResponse
    timing: TimingResponse
    next_at: Annotated[str, Meta(description='When the next attempt is due, "" if none is.')]


class AttemptPage(Struct, frozen=True, kw_only=True):
    """`last` is `start` of the page that follows, "" when nothing does."""

    limit: int
    data: list[AttemptResponse]
    last: str


class PingRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to send a sample of; "": the first type that the endpoint selects."""

    type: Annotated[str, Meta(max_length=100)] = ""


ANY_EVENT: Final = PingRequest()


def shown(attempt: Attempt, event_type: str) -> AttemptResponse:
    """The attempt as REST shows it."""
    explained = EXPLAINED.get(Failure(attempt.error)) if attempt.error else None
    timing = attempt.timing
    return AttemptResponse(
        event_id=attempt.event_id,
        type=event_type,
        endpoint_id=attempt.endpoint_id,
        number=attempt.number,
        replay=attempt.replay,
        at=timestamps.precise(attempt.at),
        outcome="given_up" if attempt.given_up else "failed" if attempt.error else "accepted",
        error=attempt.error,
        explanation=explained.meaning if explained else "",
        remedy=explained.remedy if explained else "",
        remote=attempt.remote,
        request=RequestResponse(headers=attempt.request_headers, body_bytes=attempt.request_bytes),
        response=AnswerResponse(status=attempt.status, headers=attempt.response_headers, body=attempt.response_body),
        timing=TimingResponse(
            dns=timing.dns,
            connect=timing.connect,
            tls=timing.tls,
            first_byte=timing.first_byte,
            total=attempt.seconds,
        ),
        next_at=timestamps.precise(attempt.next_at) if attempt.next_at else "",
    )


def _page(found: list[Shown], limit: int, last: str) -> AttemptPage:
    page, more = pages.cut(found, limit)
    return AttemptPage(limit=limit, data=[shown(*one) for one in page], last=last if more else "")


def _wrong_start() -> Invalid:
    return Invalid("Invalid query parameter", ("start: must be `last` of the page before",))


def _before(start: str) -> Cursor:
    if not start:
        return Cursor()
    match = _AFTER_OF_ENDPOINT.fullmatch(start)
    if match is None or int(match[1]) > _MOST:
        raise _wrong_start()
    return Cursor(int(match[1]), match[3], int(match[2]))


def _after(start: str) -> tuple[str, int]:
    if not start:
        return "", 0
    match = _AFTER_OF_EVENT.fullmatch(start)
    if match is None:
        raise _wrong_start()
    return match[2], int(match[1])


def _endpoint_of(deps: Deps, endpoint_id: str) -> Endpoint:
    endpoint = deps.endpoints.get(endpoint_id)
    if endpoint is None:
        raise NotFound("endpoint not found")
    return endpoint


def attempts_router(deps: Deps) -> Router:
    """The routes of the log of attempts, and the ping."""

    @get(
        "/webhook-endpoints/{endpoint_id:str}/attempts",
        operation_id="list_webhook_endpoint_attempts",
        summary="List the attempts to deliver to a webhook endpoint",
        responses=errors(404),
    )
    async def of_endpoint(
        endpoint_id: FromPath[str],
        limit: pages.Limit = pages.MIN_LIMIT,
        start: pages.Start = "",
        outcome: Annotated[
            Outcome | None, QueryParameter(description="Only these; `failed` has those that were `given_up` too.")
        ] = None,
        error: Annotated[Failure | None, QueryParameter(description="Only those that failed like this.")] = None,
        since: Annotated[str, QueryParameter(description="Not begun before this instant (RFC 3339, UTC).")] = "",
    ) -> AttemptPage:
        """Attempts, newest first. The log outlives its endpoint: ask with the id of one that was deleted."""
        applied = pages.clamped(limit)
        wanted = Wanted(since=max(0, pages.instant("since", since)) if since else 0, outcome=outcome, error=error)
        found = await page_of_endpoint(deps.database, endpoint_id, wanted, _before(start), applied + 1)
        if not found:
            await _known(endpoint_id)
        last = found[min(applied, len(found)) - 1].attempt if found else None
        return _page(found, applied, f"{last.at}-{last.number}-{last.event_id}" if last else "")

    async def _known(endpoint_id: str) -> None:
        if deps.endpoints.get(endpoint_id) is None and not await page_of_endpoint(
            deps.database, endpoint_id, Wanted(), Cursor(), 1
        ):
            raise NotFound("endpoint not found")

    @get(
        "/events/{event_id:str}/attempts",
        operation_id="list_event_attempts",
        summary="List the attempts to deliver an event",
        responses=errors(404),
    )
    async def of_event(
        event_id: FromPath[str], limit: pages.Limit = pages.MIN_LIMIT, start: pages.Start = ""
    ) -> AttemptPage:
        """Attempts, endpoint by endpoint, in the order in which they were made."""
        applied = pages.clamped(limit)
        found = await page_of_event(deps.database, event_id, _after(start), applied + 1)
        if not found and await deps.ledger.event(event_id) is None:
            raise NotFound("event not found")
        last = found[min(applied, len(found)) - 1].attempt if found else None
        return _page(found, applied, f"{last.number}-{last.endpoint_id}" if last else "")

    @post(
        "/webhook-endpoints/{endpoint_id:str}/ping",
        status_code=200,
        operation_id="ping_webhook_endpoint",
        summary="Send a test event to a webhook endpoint",
        responses=errors(404),
        dto=JsonBody[PingRequest],
        return_dto=None,
    )
    async def ping(endpoint_id: FromPath[str], data: JSONBody[PingRequest] = ANY_EVENT) -> AttemptResponse:
        """Send a sample, now and once, whether the endpoint is enabled or not, and answer what came of it.

        The sample's envelope says `is_test: true`. It is signed, sent and judged as every delivery is, and is recorded
        nowhere.
        """
        endpoint = _endpoint_of(deps, endpoint_id)
        return shown(*await deps.pinger.ping(endpoint, data.type))

    return Router("/", route_handlers=[of_endpoint, of_event, ping], tags=["Webhook endpoints"])
