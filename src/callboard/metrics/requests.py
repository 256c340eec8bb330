"""Counting HTTP requests.

Owns: `Requests`, which wraps the application.

Always holds: a request is counted once, when its answer has ended; WebSockets are passed through.
"""

from __future__ import annotations

from time import perf_counter

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from callboard.measures import Histogram

METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
OTHER = "other"
STREAMS = "text/event-stream"


class Requests:
    """By method, route, and class of status (`2xx`)."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str, str], int] = {}
        self.seconds = Histogram()

    def around(self, app: ASGIApp) -> ASGIApp:
        """`app`, with its requests counted."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            status, streaming, started = 500, False, perf_counter()

            async def noted(message: Message) -> None:
                nonlocal status, streaming
                if message["type"] == "http.response.start":
                    status = message["status"]
                    streaming = any(
                        name == b"content-type" and value.startswith(STREAMS.encode())
                        for name, value in message["headers"]
                    )
                await send(message)

            try:
                await app(scope, receive, noted)
            finally:
                self._count(scope, status)
                if not streaming:
                    self.seconds.add(perf_counter() - started)

        return counted

    def _count(self, scope: Scope, status: int) -> None:
        method = str(scope.get("method"))
        route = str(scope.get("path_template") or OTHER)
        key = (method if method in METHODS else OTHER, route, f"{status // 100}xx")
        self.counts[key] = self.counts.get(key, 0) + 1
