"""For Litestar.

Owns: `events`, which makes a dependency:

    @post("/hook", status_code=204, dependencies={"event": events("whsec_…")})
    async def hook(event: NamedDependency[Event]) -> None:
        print(event.type)
"""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.di import Provide
from litestar.exceptions import HTTPException

from callboard.consumer.adapting import Secrets, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.event import Event
from callboard.events import Payload


def events(secrets: Secrets) -> Provide:
    """Provides the verified event of a request. A request that has none is answered with 400 and the reason."""

    async def event(request: Request[Any, Any, Any]) -> Event[Payload]:
        try:
            return received(request.headers.items(), await request.body(), secrets)
        except ConsumerError as error:
            raise HTTPException(str(error), status_code=400) from error

    return Provide(event)
