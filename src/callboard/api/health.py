"""Health: whether this process runs, and whether it can do its work. The only routes without a token.

Owns: `/healthz` and `/readyz`.
"""

from __future__ import annotations

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from callboard.readiness import ALIVE, Checks, Health, readiness


def health_handlers(checks: Checks) -> list[HTTPRouteHandler]:
    """The two routes."""

    @get("/healthz", operation_id="health", summary="Is the process running", tags=["Health"])
    async def healthz() -> Health:
        """200 as long as the process answers at all."""
        return ALIVE

    @get("/readyz", operation_id="readiness", summary="Is the node ready", tags=["Health"])
    async def readyz() -> Response[Health]:
        """200 when every part is ready, else 503, with which ones are not."""
        status, health = readiness(checks)
        return Response(health, status_code=status)

    return [healthz, readyz]
