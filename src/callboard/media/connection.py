"""One WebSocket to Janus: requests and their replies, and whatever else arrives.

Owns: `Connection`, `JanusError`, `JanusTimeout`, `JanusGone`.

Always holds: every request ends, by its reply, its deadline or the end of the connection, whichever comes
first; when the connection ends, everything that waits on it fails with `JanusGone`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

log = logging.getLogger("callboard.media")

MAX_MESSAGE: Final = 4 * 1024 * 1024
MAX_PENDING: Final = 4096

Message = dict[str, Any]


class JanusError(Exception):
    """Janus refused a request. Codes: Janus's `apierror.h`, and `videoroom.py` for the plugin's."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code
        self.reason = reason


class JanusTimeout(Exception):  # noqa: N818 - named for what happened
    """Janus did not reply before the deadline. Whether it did what it was asked is unknown."""


class JanusGone(Exception):  # noqa: N818 - named for what happened
    """The connection to Janus ended. Whether it did what it was asked is unknown."""


@dataclass(slots=True)
class _Pending:
    reply: asyncio.Future[Message]
    ack_is_enough: bool


class Connection:
    """Make one with `open`. `secret` is the member every request must carry, and its value."""

    def __init__(
        self,
        socket: ClientConnection,
        secret: tuple[str, str],
        deadline: float,
        on_message: Callable[[Message], None],
    ) -> None:
        self._socket = socket
        self._secret = secret
        self._deadline = deadline
        self._on_message = on_message
        self._numbers = itertools.count(1)
        self._pending: dict[str, _Pending] = {}
        self._reader = asyncio.create_task(self._read(), name="janus connection")

    @classmethod
    async def open(
        cls,
        path: Path,
        subprotocol: str,
        secret: tuple[str, str],
        deadline: float,
        on_message: Callable[[Message], None] = lambda _: None,
    ) -> Connection:
        """Connect to the UNIX socket `path`. Raises `JanusGone` when nobody takes the connection in time."""
        try:
            socket = await unix_connect(
                str(path),
                "ws://localhost/",
                subprotocols=[Subprotocol(subprotocol)],
                compression=None,
                max_size=MAX_MESSAGE,
                open_timeout=deadline,
                close_timeout=1,
                ping_interval=None,
                proxy=None,
            )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise JanusGone(f"cannot connect to Janus: {error}") from error
        return cls(socket, secret, deadline, on_message)

    async def request(self, message: Message, *, ack_is_enough: bool = False) -> Message:
        """Send `message`, wait for its reply. Raises `JanusError`, `JanusTimeout`, `JanusGone`."""
        if self._reader.done() or len(self._pending) >= MAX_PENDING:
            raise JanusGone("there is no connection to Janus" if self._reader.done() else "Janus is overloaded")
        transaction = str(next(self._numbers))
        pending = _Pending(asyncio.get_running_loop().create_future(), ack_is_enough)
        self._pending[transaction] = pending
        text = msgspec.json.encode({**message, "transaction": transaction, self._secret[0]: self._secret[1]})
        try:
            async with asyncio.timeout(self._deadline):
                await self._socket.send(text.decode())
                reply = await pending.reply
        except TimeoutError:
            raise JanusTimeout(f"Janus did not reply within {self._deadline:g} s") from None
        except ConnectionClosed as closed:
            raise JanusGone("the connection to Janus ended") from closed
        finally:
            del self._pending[transaction]
        error = reply.get("error")
        if reply.get("janus") == "error" and isinstance(error, dict):
            raise JanusError(int(error.get("code", 0)), str(error.get("reason", "no reason given")))
        return reply

    async def wait_closed(self) -> None:
        """Wait until the connection has ended."""
        await asyncio.wait([self._reader])

    def abort(self) -> None:
        """End the connection without saying goodbye."""
        self._socket.transport.abort()

    async def close(self) -> None:
        """End the connection. Idempotent; at most a second."""
        await self._socket.close()
        await self.wait_closed()

    async def _read(self) -> None:
        try:
            async for text in self._socket:
                self._take(msgspec.json.decode(text, type=Message))
        except (ConnectionClosed, msgspec.MsgspecError) as error:
            log.info("the connection to janus ended: %s", error)
            self.abort()
        finally:
            for pending in self._pending.values():
                if not pending.reply.done():
                    pending.reply.set_exception(JanusGone("the connection to Janus ended"))

    def _take(self, message: Message) -> None:
        kind, pending = message.get("janus"), self._pending.get(str(message.get("transaction")))
        if kind == "ack":
            if pending is not None and pending.ack_is_enough and not pending.reply.done():
                pending.reply.set_result(message)
        elif pending is not None and not pending.reply.done():
            pending.reply.set_result(message)
        else:
            # In its own turn: an exception there must not end this connection.
            asyncio.get_running_loop().call_soon(self._on_message, message)
