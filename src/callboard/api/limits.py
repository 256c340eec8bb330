"""How often an address may ask what can be asked without a management token.

Owns: `per_address`, the guard that counts. It is before anything is read of the request but its head.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from callboard.api.errors import TooMany
from callboard.api.rates import Rates, counted_as

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]


def per_address(rates: Rates) -> Guard:
    """A guard that lets each address by as often as `rates` says; it raises `TooMany` (platform.md §1.5)."""

    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        address = connection.client.host if connection.client else ""
        if wait := rates.take(counted_as(address), time.monotonic()):
            seconds = max(1, math.ceil(wait))
            raise TooMany(f"rate limit exceeded, retry after {seconds} seconds", seconds)

    return guard
