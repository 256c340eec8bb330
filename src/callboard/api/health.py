"""Health: whether this process runs, and whether it can do its work. The only routes without a token.

Owns: `/healthz` and `/readyz`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from msgspec import Struct


class Health(Struct, frozen=True, kw_only=True):
    """`checks`: by name, whether that part is ready."""

    status: str
    checks: dict[str, bool] = {}


def health_handlers(checks: Mapping[str, Callable[[], bool]]) -> list[HTTPRouteHandler]:
    """The two routes."""

    @get("/healthz", operation_id="health", summary="Is the process running", tags=["Health"])
    async def healthz() -> Health:
        """200 as long as the process answers at all."""
        return Health(status="ok")

    @get("/readyz", operation_id="readiness", summary="Is the node ready", tags=["Health"])
    async def readyz() -> Response[Health]:
        """200 when every part is ready, else 503, with which ones are not."""
        found = {name: check() for name, check in checks.items()}
        ready = all(found.values())
        health = Health(status="ok" if ready else "unavailable", checks=found)
        return Response(health, status_code=200 if ready else 503)

    return [healthz, readyz]
