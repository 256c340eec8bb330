"""The API data channel `ion-sfu`: the client asks for layers and sound, the server answers (signal.md §5.5).

Owns: `ApiChannel` (requests and replies) and `wishes` (what a client asks for, given what it is sent).

Always holds: each request is answered with its own id in time, or an error says that it was not. What is
asked for is what the official client asks for: pictures that are on, and the sound of who is not muted.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from aiortc import RTCDataChannel

from callboard.clock import Ids
from callboard.demo.roster import Roster

LABEL = "ion-sfu"
log = logging.getLogger("callboard.demo.channel")


class ChannelError(Exception):
    """The server refused a request on the API channel, or did not answer it."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method} on the API channel: {code} {message}")
        self.code = code


class ApiChannel:
    """Requests on the channel that the server opened. `on_notification` gets what it says unasked."""

    def __init__(self, ids: Ids, on_notification: Callable[[str, dict[str, Any]], None]) -> None:
        self._ids = ids
        self._on_notification = on_notification
        self._channel: RTCDataChannel | None = None
        self._pending: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.answered = 0

    @property
    def is_open(self) -> bool:
        return self._channel is not None and self._channel.readyState == "open"

    def attach(self, channel: RTCDataChannel) -> None:
        """Use `channel`. Raises `ValueError` when the server gave it another label than clients look for."""
        if channel.label != LABEL:
            raise ValueError(f"the API channel must be called {LABEL!r}, not {channel.label!r}")
        self._channel = channel
        channel.on("message", self._take)

    async def request(self, method: str, params: Mapping[str, Any], deadline: float = 5.0) -> None:
        """Ask, and return when the server said yes. Raises `ChannelError`."""
        if self._channel is None or not self.is_open:
            raise ChannelError(method, 0, "the channel is not open")
        request_id = self._ids.uuid()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = answer
        try:
            message = {"id": request_id, "jsonrpc": "2.0", "method": method, "params": params}
            self._channel.send(json.dumps(message))
            async with asyncio.timeout(deadline):
                reply = await answer
        except TimeoutError:
            raise ChannelError(method, 0, f"no answer within {deadline:g} s") from None
        finally:
            del self._pending[request_id]
        if "error" in reply:
            raise ChannelError(method, int(reply["error"]["code"]), str(reply["error"]["message"]))
        self.answered += 1

    def _take(self, text: str) -> None:
        message = json.loads(text)
        answer = self._pending.get(message.get("id", ""))
        if answer is not None and not answer.done():
            answer.set_result(message)
        elif "method" in message:
            self._on_notification(message["method"], message.get("params") or {})
        else:
            log.warning("a reply on the API channel that nobody waits for: %s", text[:200])


Wish = tuple[str, dict[str, Any]]


def wishes(sent: Mapping[str, str], roster: Roster) -> dict[str, Wish]:
    """Track id → the request that says what this client wants of it.

    `sent` is track id → kind of what the server sends.
    """
    return {track_id: _wish(track_id, kind, roster.is_muted(track_id)) for track_id, kind in sent.items()}


def assumed(track_id: str, kind: str) -> Wish:
    """What the server does with a new track before it is asked: video is held back, audio flows."""
    return _wish(track_id, kind, kind == "video")


def _wish(track_id: str, kind: str, muted: bool) -> Wish:
    if kind == "video":
        layer = "none" if muted else "high"
        return "prefer-video-track-state", {"track_id": track_id, "max_spatial_layer": layer}
    return "prefer-audio-track-state", {"track_id": track_id, "subscribed": not muted}
