"""Small HTTP requests with JSON, for the client side of the demo.

Owns: `request_json`. The work is done in a thread, so the event loop keeps running.

Always holds: every request has a deadline, and an answer is read up to a limit.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import ssl
from typing import Any
from urllib.parse import urlsplit

ANSWER_LIMIT = 8 * 1024 * 1024  # bytes


class HttpError(Exception):
    """The server answered with another status than expected. The body is the server's error body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"HTTP status {status}: {body}")
        self.status = status
        self.body = body


async def request_json(
    method: str,
    url: str,
    *,
    token: str = "",
    body: object = None,
    deadline: float = 10.0,
) -> Any:
    """The JSON answer of a 2xx (None when empty). `deadline` is in seconds.

    Raises `HttpError` for any other status, `OSError` when the server cannot be reached in time, and
    `ValueError` when the answer is not JSON or is larger than `ANSWER_LIMIT`.
    """
    return await asyncio.to_thread(_request, method, url, token, body, deadline)


def _request(method: str, url: str, token: str, body: object, deadline: float) -> Any:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.hostname is None:
        raise ValueError("the URL must start with http:// or https:// and a host")
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.hostname, parts.port, timeout=deadline, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=deadline)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    payload = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        payload = json.dumps(body).encode()
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, payload, headers)
        answer = connection.getresponse()
        text = answer.read(ANSWER_LIMIT + 1)
    finally:
        connection.close()
    if len(text) > ANSWER_LIMIT:
        raise ValueError(f"the answer is larger than {ANSWER_LIMIT} bytes")
    if not 200 <= answer.status < 300:
        raise HttpError(answer.status, text[:1000].decode(errors="replace"))
    return json.loads(text) if text else None
