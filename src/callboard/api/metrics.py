"""`/metrics` on the server's own port, for Prometheus.

Owns: the route, and who may ask: the bearer of a management token, or of the token that is set for this alone. It is
not part of the API's description.
"""

from __future__ import annotations

import hmac
from typing import Any

from litestar import Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from callboard.api.auth import management_only
from callboard.auth.tokens import Tokens
from callboard.metrics.exposition import CONTENT_TYPE
from callboard.metrics.listener import Source

_MEDIA_TYPE = CONTENT_TYPE.removesuffix("; charset=utf-8")  # Litestar adds it


def metrics_handler(tokens: Tokens, source: Source, token: str) -> HTTPRouteHandler:
    """The route. `token` is the one that may ask this and nothing else; "" is none."""
    by_management = management_only(tokens)
    expected = f"bearer {token}".encode()

    def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        scheme, _, given = connection.headers.get("authorization", "").partition(" ")
        said = f"{scheme.lower()} {given.strip()}".encode(errors="replace")
        if not token or not hmac.compare_digest(said, expected):
            by_management(connection, handler)

    @get("/metrics", guards=[guard], include_in_schema=False)
    async def metrics() -> Response[str]:
        """Everything, as Prometheus reads it."""
        return Response(
            await source.text(), media_type=CONTENT_TYPE.removesuffix("; charset=utf-8")
        )  # Litestar adds it

    return metrics
