"""The client's end of the signalling: `/init`, then a WebSocket that speaks JSON-RPC 2.0 (signal.md §1, §2).

Owns: `SignalClient`, one connection of one peer. A reconnect is a new `SignalClient`.

Always holds: every call is answered, refused or fails by its deadline. Notifications are handed on in
the order in which they came. When the socket is gone, all pending calls fail with `SocketLost` and
`on_lost` is called once, unless this side closed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from callboard.clock import Clock, Ids
from callboard.demo.init import USER_AGENT, Init, ask_init

PROTOCOL_VERSION = "2.5"
PROTOCOL_SPEC = "20250115"
PING_INTERVAL = 3.0  # seconds after a pong (signal.md §2.3)
PONG_TIMEOUT = 12.0
FRAME_LIMIT = 4 * 1024 * 1024  # bytes

Params = dict[str, Any]
log = logging.getLogger("callboard.demo.signal")


class SocketLost(Exception):  # noqa: N818 - a state, said as the sentence it is
    """The WebSocket closed before the answer came."""


class Refused(Exception):  # noqa: N818
    """The server answered with a JSON-RPC error."""

    def __init__(self, method: str, code: int, message: str) -> None:
        super().__init__(f"{method} was refused: {code} {message}")
        self.code = code
        self.message = message


class SignalClient:
    """One WebSocket of one peer. `connect` first; then `call` and `notify` until it is lost or closed."""

    def __init__(
        self,
        base_url: str,
        token: str,
        peer_id: str,
        *,
        clock: Clock,
        ids: Ids,
        on_notification: Callable[[str, Params], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._base_url = base_url
        self._token = token
        self._peer_id = peer_id
        self._clock = clock
        self._ids = ids
        self._on_notification = on_notification
        self._on_lost = on_lost
        self._socket: ClientConnection | None = None
        self._pending: dict[str, asyncio.Future[Params]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def connect(self, deadline: float = 10.0) -> Init:
        """Ask `/init` where to go and open the socket there.

        Raises `HttpError` when `/init` refuses, `OSError` or `TimeoutError` when it cannot be reached, and
        `websockets.exceptions.InvalidHandshake` when the WebSocket is refused.
        """
        async with asyncio.timeout(deadline):
            init = await ask_init(self._base_url, self._token, self._peer_id, deadline)
            self._socket = await connect(
                self._socket_url(init.endpoint),
                max_size=FRAME_LIMIT,
                ping_interval=None,  # browsers send none; liveness is the `ping` method's business
                proxy=None,
                close_timeout=2.0,
                user_agent_header=None,
            )
        self._tasks = [
            asyncio.create_task(self._read(self._socket), name=f"signal-read-{self._peer_id}"),
            asyncio.create_task(self._ping(), name=f"signal-ping-{self._peer_id}"),
        ]
        return init

    async def call(self, method: str, params: Params, deadline: float = 10.0) -> Params:
        """The `result` of a JSON-RPC call. Raises `Refused`, `SocketLost`, `TimeoutError`."""
        request_id = self._ids.uuid()
        answer: asyncio.Future[Params] = asyncio.get_running_loop().create_future()
        self._pending[request_id] = answer
        try:
            await self._send({"method": method, "params": params, "id": request_id, "jsonrpc": "2.0"})
            async with asyncio.timeout(deadline):
                reply = await answer
        except TimeoutError:
            raise TimeoutError(f"{method} was not answered within {deadline:g} s") from None
        finally:
            del self._pending[request_id]
        if "error" in reply:
            error = reply["error"]
            raise Refused(method, int(error["code"]), str(error["message"]))
        result = reply.get("result")
        if not isinstance(result, dict):
            raise Refused(method, 0, "the result is no object, which the official client cannot take")
        return result

    async def notify(self, method: str, params: Params) -> None:
        """Send a notification. Raises `SocketLost`."""
        await self._send({"method": method, "params": params})

    async def close(self) -> None:
        """Close with code 1000, as the official client does after `leave`. Idempotent."""
        self._closing = True
        if self._socket is not None:
            await self._socket.close(1000, "Normal Close")
        await self._stop()

    async def abort(self) -> None:
        """Drop the TCP connection without a closing handshake. Idempotent."""
        self._closing = True
        if self._socket is not None:
            self._socket.transport.abort()
        await self._stop()

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        self._fail_pending()

    def _socket_url(self, endpoint: str) -> str:
        parts = urlsplit(endpoint)
        ours = {
            "peer": self._peer_id,
            "token": self._token,
            "user_agent_v2": USER_AGENT,
            "protocol_version": PROTOCOL_VERSION,
            "protocol_spec": PROTOCOL_SPEC,
        }
        query = urlencode({**dict(parse_qsl(parts.query)), **ours})
        return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))

    async def _send(self, message: Params) -> None:
        if self._socket is None:
            raise SocketLost("not connected")
        try:
            await self._socket.send(json.dumps(message, separators=(",", ":")))
        except ConnectionClosed as closed:
            raise SocketLost("the WebSocket is closed") from closed

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for frame in socket:
                self._take(json.loads(frame))
        except ConnectionClosed as closed:
            log.debug("the WebSocket of %s closed: %s", self._peer_id, closed)
        except (ValueError, KeyError, TypeError) as broken:
            log.error("the server sent a frame that is no JSON-RPC message: %r", broken)  # noqa: TRY400
            socket.transport.abort()
        self._fail_pending()
        if not self._closing:
            self._on_lost()

    def _take(self, message: Params) -> None:
        if message.get("id"):
            answer = self._pending.get(message["id"])
            if answer is not None and not answer.done():
                answer.set_result(message)
        else:
            self._on_notification(message["method"], message.get("params") or {})

    async def _ping(self) -> None:
        """Ping as the official client does; a socket that does not answer is as good as closed."""
        with contextlib.suppress(SocketLost, Refused):
            while True:
                try:
                    now = self._clock.now() // 1_000_000
                    await self.call("ping", {"timestamp": now}, deadline=PONG_TIMEOUT)
                except TimeoutError:
                    log.warning("no answer to ping in %g s: dropping the WebSocket", PONG_TIMEOUT)
                    if self._socket is not None:
                        self._socket.transport.abort()
                    return
                await asyncio.sleep(PING_INTERVAL)

    def _fail_pending(self) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(SocketLost("the WebSocket closed before the answer came"))
