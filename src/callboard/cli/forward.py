"""Forwarding events from a server to a URL, from a place that is kept in a file: the other half of `callboard listen`.

Owns: `Cursor`, `Forwarder`, how an event is posted.

Always holds: an event is behind the cursor only once the URL has answered it, or it was shown as refused. So who loses
the network, or is killed, loses nothing: at most the events that were under way are sent again. Events of a stream are
sent in order, streams beside each other. What is posted has the JSON and the id of the real delivery; the signature is
made here, with a secret of the developer's own, because the server never tells those of its endpoints.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from callboard.webhooks.signing import Signer

TIMEOUT: Final = 15.0
"""Seconds for one post."""
WAITS: Final = (0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds between attempts; the last one again and again."""
LANES: Final = 16
_READ: Final = 64 * 1024
_RETRIED: Final = frozenset([408, 425, 429])


class CursorError(Exception):
    """The cursor's file cannot be used. The message says why, and what to do."""


class Cursor:
    """How far has been forwarded: a file, written whole or not at all."""

    def __init__(self, path: Path, server: str) -> None:
        """Raises `CursorError` for a file that belongs to another server, or is none of ours."""
        self._path = path
        self._server = server
        self.after = -1
        if path.exists():
            self.after = self._read()

    def _read(self) -> int:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            server, after = str(kept["server"]), int(kept["after"])
        except (ValueError, KeyError, TypeError) as error:
            raise CursorError(f"{self._path} is no cursor of `callboard listen` ({error}): name another file") from None
        if server != self._server:
            raise CursorError(f"{self._path} is for {server}, not {self._server}: name another file with --cursor")
        return after

    def save(self, after: int) -> None:
        """Everything up to there is done with; durable on return. Raises `OSError`."""
        beside = self._path.with_name(f".{self._path.name}.new")
        with beside.open("w", encoding="utf-8") as file:
            json.dump({"server": self._server, "after": after}, file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        self.after = after


class Answered(NamedTuple):
    """What the URL said to an event: an HTTP status, or 0 and why there was none."""

    status: int
    error: str
    seconds: float

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether trying again is no use."""
        return 300 <= self.status < 500 and self.status not in _RETRIED


Post = Callable[[dict[str, str], bytes], Awaitable[Answered]]
Tell = Callable[[dict[str, Any], Answered, int, str], None]


class Forwarder:
    """Forwards pages of events. `tell` is called after each attempt: event, answer, its number, what comes next."""

    def __init__(self, post: Post, signer: Signer, cursor: Cursor, tell: Tell, attempts: int) -> None:
        self._post = post
        self._signer = signer
        self._cursor = cursor
        self._tell = tell
        self._attempts = attempts

    async def page(self, events: list[dict[str, Any]], after: int) -> None:
        """Forward these; then everything up to `after` is done with."""
        open_: list[int] = [event["position"] for event in events]
        places = asyncio.Semaphore(LANES)

        async def lane(own: list[dict[str, Any]]) -> None:
            async with places:
                for event in own:
                    await self._deliver(event)
                    open_.remove(event["position"])
                    if open_ and open_[0] - 1 > self._cursor.after:
                        self._cursor.save(open_[0] - 1)

        async with asyncio.TaskGroup() as group:
            for own in _lanes(events).values():
                group.create_task(lane(own))
        if after > self._cursor.after:
            self._cursor.save(after)

    async def _deliver(self, event: dict[str, Any]) -> None:
        for number in _counted():
            body = json_bytes(event["event"])
            answered = await self._post(self._headers(event, body), body)
            if answered.accepted or answered.refused:
                self._tell(event, answered, number, "" if answered.accepted else "refused: not sent again")
                return
            # Without an answer the URL is not there: that is waited for, however long.
            if answered.status and number >= self._attempts:
                self._tell(event, answered, number, "given up")
                return
            wait = WAITS[min(number, len(WAITS)) - 1]
            self._tell(event, answered, number, f"again in {wait:g} s")
            await asyncio.sleep(wait)

    def _headers(self, event: dict[str, Any], body: bytes) -> dict[str, str]:
        id_, now = event["event"]["id"], str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": now,
            "webhook-signature": self._signer.sign(id_.encode(), now.encode(), body).decode(),
            "callboard-stream": event["stream"],
            "callboard-seq": str(event["seq"]),
        }
        return headers | ({"callboard-test": "true"} if event["actor"] == "test" else {})


def json_bytes(event: Any) -> bytes:
    """The event's body as the server delivers it: compact, in its order of keys, UTF-8."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def posting(url: str, insecure: bool = False) -> Post:
    """What posts to `url`. Raises `ValueError` for a URL that cannot be posted to."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{url[:100]!r} must start with http:// or https:// and a host")
    host, port = parts.hostname, parts.port
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def once(headers: dict[str, str], body: bytes) -> Answered:
        started = time.monotonic()
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )
        with contextlib.closing(connection):
            try:
                connection.request("POST", target, body, headers)
                answer = connection.getresponse()
                answer.read(_READ)
            except (OSError, http.client.HTTPException) as error:
                return Answered(0, str(error) or type(error).__name__, time.monotonic() - started)
            return Answered(answer.status, "", time.monotonic() - started)

    async def post(headers: dict[str, str], body: bytes) -> Answered:
        return await asyncio.to_thread(once, headers, body)

    return post


def _lanes(events: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    lanes: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        lanes.setdefault(event["stream"], []).append(event)
    return lanes


def _counted() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number
