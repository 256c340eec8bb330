"""For Starlette and FastAPI.

Owns: `events`, and `batches` for endpoints that want several events in one request. With FastAPI it is a dependency:

    @app.post("/hook")
    async def hook(event: Annotated[Event, Depends(events("whsec_…"))]) -> None:
        print(event.type)

With Starlette: `event = await received(request)`, where `received = events("whsec_…")`. `batches` is used alike, and
makes a list of events.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from callboard.consumer.adapting import Secrets, all_received, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.event import Event
from callboard.consumer.headers import Headers
from callboard.events import Payload

T = TypeVar("T")


def events(secrets: Secrets) -> Callable[[Request], Awaitable[Event[Payload]]]:
    """What makes the verified event of a request. A request that has none is answered with 400 and the reason."""
    return _of_request(received, secrets)


def batches(secrets: Secrets) -> Callable[[Request], Awaitable[list[Event[Payload]]]]:
    """What makes the verified events of a request, in order: those of a batch, or the only one. Else as `events`."""
    return _of_request(all_received, secrets)


def _of_request(read: Callable[[Headers, bytes, Secrets], T], secrets: Secrets) -> Callable[[Request], Awaitable[T]]:
    async def what(request: Request) -> T:
        try:
            return read(request.headers.items(), await request.body(), secrets)
        except ConsumerError as error:
            raise HTTPException(400, str(error)) from error

    return what
