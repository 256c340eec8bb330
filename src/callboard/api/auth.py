"""Who may use the REST API: the bearer of a management token (platform.md §1.3).

Owns: the guard that checks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from callboard.auth.tokens import Tokens
from callboard.errors import Unauthorized

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]


def management_only(tokens: Tokens) -> Guard:
    """A guard that lets nobody by without a valid management token; it raises `Unauthorized`."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        scheme, token = [*connection.headers.get("authorization", "").split(maxsplit=1), "", ""][:2]
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized(
                "Authentication error", ("a header is needed: Authorization: Bearer <management token>",)
            )
        tokens.verify_management_token(token.strip())

    return guard
