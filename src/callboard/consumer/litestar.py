"""For Litestar.

Owns: `events`, and `batches` for endpoints that want several events in one request; each makes a dependency:

    @post("/hook", status_code=204, dependencies={"event": events("whsec_…")})
    async def hook(event: NamedDependency[Event]) -> None:
        print(event.type)

That of `batches` is a list of events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Request
from litestar.di import Provide
from litestar.exceptions import HTTPException

from callboard.consumer.adapting import Secrets, all_received, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.headers import Headers


def events(secrets: Secrets) -> Provide:
    """Provides the verified event of a request. A request that has none is answered with 400 and the reason."""
    return _provided(received, secrets)


def batches(secrets: Secrets) -> Provide:
    """Provides the verified events of a request, in order: those of a batch, or the only one. Else as `events`."""
    return _provided(all_received, secrets)


def _provided(read: Callable[[Headers, bytes, Secrets], Any], secrets: Secrets) -> Provide:
    async def what(request: Request[Any, Any, Any]) -> Any:
        try:
            return read(request.headers.items(), await request.body(), secrets)
        except ConsumerError as error:
            raise HTTPException(str(error), status_code=400) from error

    return Provide(what)
