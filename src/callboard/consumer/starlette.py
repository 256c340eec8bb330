"""For Starlette and FastAPI.

Owns: `events`. With FastAPI it is a dependency:

    @app.post("/hook")
    async def hook(event: Annotated[Event, Depends(events("whsec_…"))]) -> None:
        print(event.type)

With Starlette: `event = await received(request)`, where `received = events("whsec_…")`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.requests import Request

from callboard.consumer.adapting import Secrets, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.event import Event
from callboard.events import Payload


def events(secrets: Secrets) -> Callable[[Request], Awaitable[Event[Payload]]]:
    """What makes the verified event of a request. A request that has none is answered with 400 and the reason."""

    async def event(request: Request) -> Event[Payload]:
        try:
            return received(request.headers.items(), await request.body(), secrets)
        except ConsumerError as error:
            raise HTTPException(400, str(error)) from error

    return event
