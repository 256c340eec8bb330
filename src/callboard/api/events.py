"""Events: the ledger, read by cursor, live, and as a file. Not part of the seed platform's API: its webhooks are all it
has.

Owns: the event as REST shows it, and its routes.

Always holds: an event is shown after it was committed, and in the order of `position`. Reading on from `next` (or from
the id of the last server-sent event) gives every event once. However much is read, it is in memory a page at a time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated, Final

import msgspec
from litestar import Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, HeaderParameter, QueryParameter
from litestar.response import Stream
from msgspec import Struct

from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.event_filters import wanted_events
from callboard.errors import Invalid, NotFound
from callboard.events import timestamps
from callboard.ledger import Changes, Filter, Ledger, Recorded
from callboard.rooms.store import FOREVER
from callboard.webhooks.attempts import without_answers

MAX_LIMIT: Final = 1000
_EXPORT_PAGE: Final = 500

After = Annotated[int, QueryParameter(ge=-1, le=FOREVER, description="`next` of the page before; -1: the end.")]


class EventResponse(Struct, frozen=True, kw_only=True):
    """An event and how it came to stand in the ledger; `event` is the body that webhooks deliver.

    `seq` counts the events of `stream` (a session, or a room while it has none) without a gap.
    """

    position: int
    stream: str
    seq: int
    actor: str
    cause: str
    committed_at: str
    event: msgspec.Raw


class EventPage(Struct, frozen=True, kw_only=True):
    """`next` is `after` of the page that follows, now or when there is more."""

    events: list[EventResponse]
    next: int


def shown(recorded: Recorded) -> EventResponse:
    """The event as REST shows it."""
    return EventResponse(
        position=recorded.position,
        stream=recorded.stream,
        seq=recorded.seq,
        actor=recorded.actor,
        cause=recorded.cause,
        committed_at=timestamps.precise(recorded.committed_at),
        event=msgspec.Raw(recorded.body),
    )


def sent(recorded: Recorded) -> bytes:
    """The event as a server-sent one: its id is its position, its name its type."""
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (
        recorded.position,
        recorded.type.encode(),
        msgspec.json.encode(shown(recorded)),
    )


def cursor_problem(after: int, newest: int) -> str:
    """What is wrong with reading on after that position. While nothing was ever recorded, anything goes."""
    if newest and after > newest:
        return (
            f"is beyond the end of the ledger, which is {newest}: was this position given by another server, or has"
            " the database been set back?"
        )
    return ""


async def checked(deps: Deps, name: str, after: int) -> int:
    """The position to read on from; the end for one below 0. Raises `Invalid`."""
    newest = await deps.ledger.newest()
    if after < 0:
        return newest
    if problem := cursor_problem(after, newest):
        raise Invalid("Invalid cursor", (f"{name}: {problem}",))
    return after


def _resumed(after: int, last: str) -> int:
    """The position to stream from: what a reader that comes back says in its header, before what its URL says."""
    if not last:
        return after
    if not last.isascii() or not last.isdigit() or int(last) > FOREVER:
        raise Invalid("Invalid cursor", ("Last-Event-ID: must be the id of the last event, a whole number",))
    return int(last)


async def exported(ledger: Ledger, after: int, upto: int, wanted: Filter) -> AsyncGenerator[bytes, None]:
    """The events from one position to another as NDJSON, a page at a time."""
    while found := await ledger.read(after, _EXPORT_PAGE, wanted):
        page = [one for one in found if one.position <= upto]
        yield b"".join(msgspec.json.encode(shown(one)) + b"\n" for one in page)
        after = found[-1].position
        if after >= upto:
            return


def events_router(deps: Deps) -> Router:
    """The routes below `/v2/events`."""

    @get("/", operation_id="list_events", summary="Read events", responses=errors())
    async def list_events(
        wanted: NamedDependency[Filter],
        after: After = 0,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many at most.")] = 100,
    ) -> EventPage:
        """Events in the order in which they were committed, oldest first."""
        start = await checked(deps, "after", after)
        if after < 0:
            return EventPage(events=[], next=start)
        found = await deps.ledger.read(after, limit, wanted)
        return EventPage(events=[shown(one) for one in found], next=found[-1].position if found else after)

    @get(
        "/stream",
        operation_id="stream_events",
        summary="Follow events live",
        responses=errors(429),
        media_type="text/event-stream",
    )
    async def stream_events(
        wanted: NamedDependency[Filter],
        after: After = -1,
        last_event_id: Annotated[
            str, HeaderParameter(name="Last-Event-ID", description="Where a reader that comes back goes on.")
        ] = "",
    ) -> Stream:
        """Server-sent events: first what is after `after`, then each event as it is committed. The id of each is its
        position; a browser's `EventSource` sends it when it comes back. A comment every 15 seconds says that the
        connection lives.
        """
        name = "Last-Event-ID" if last_event_id else "after"
        start = await checked(deps, name, _resumed(after, last_event_id))
        pieces = deps.streams.live(deps.ledger.follow(start, wanted), sent, b": still here\n\n")
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return Stream(deps.streams.counted(pieces), media_type="text/event-stream", headers=headers)

    @get(
        "/export",
        operation_id="export_events",
        summary="Export events as a file",
        responses=errors(429),
        media_type="application/x-ndjson",
    )
    async def export_events(wanted: NamedDependency[Filter], after: After = 0) -> Stream:
        """All events that there are now, one JSON object a line, of any number. A file that does not end with a whole
        line was cut off: the `position` of its last whole line is `after` of the rest.
        """
        start = await checked(deps, "after", after)
        pieces = exported(deps.ledger, start, await deps.ledger.newest(), wanted)
        headers = {"content-disposition": 'attachment; filename="events.ndjson"', "cache-control": "no-store"}
        return Stream(deps.streams.counted(pieces), media_type="application/x-ndjson", headers=headers)

    @get("/{event_id:str}", operation_id="get_event", summary="Get an event", responses=errors(404))
    async def get_event(event_id: FromPath[str]) -> EventResponse:
        """The event with this id."""
        return shown(await event_of(deps, event_id))

    @post(
        "/{event_id:str}/expunge",
        status_code=200,
        operation_id="expunge_event",
        summary="Take the content out of an event",
        responses=errors(404),
    )
    async def expunge_event(event_id: FromPath[str]) -> EventResponse:
        """Take out, for good, what the event says of persons and contents, and what endpoints answered to it. Its
        place, type, times, room and session stay; later deliveries and replays of it carry `is_expunged`. Again, it
        changes nothing.
        """
        bare = await deps.ledger.expunge(await event_of(deps, event_id), deps.clock.now())
        await deps.ledger.commit(Changes(rows=await without_answers(deps.database, event_id)))
        return shown(bare)

    return Router(
        "/events",
        route_handlers=[list_events, stream_events, export_events, get_event, expunge_event],
        dependencies={"wanted": Provide(wanted_events, sync_to_thread=False)},
        tags=["Events"],
    )


async def event_of(deps: Deps, event_id: str) -> Recorded:
    """The event. Raises `NotFound`."""
    found = await deps.ledger.event(event_id) if len(event_id) <= 200 and "\0" not in event_id else None
    if found is None:
        raise NotFound("event not found")
    return found
