"""Calls that a client makes again because it lost its socket before it heard the answer (signal.md §2.4, trap 22).

Owns: `Repeats`, `ONCE`.

Always holds: such a call is carried out once, and answered both times alike. Only the same words on *another* socket,
within `WINDOW` seconds, are a repeat: who says the same thing twice on one socket means it twice. What failed is not
remembered: trying again is right then.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from callboard.signaling.frames import Frame, SignalError
from callboard.signaling.socket import Answer, Socket

WINDOW: Final = 15.0
"""Seconds. The client tries again 2 to 4 s after the loss, at most three times."""
MOST: Final = 16
"""Calls that are remembered of a client."""
MAX_PARAMS: Final = 16_384
"""Bytes; what is longer is not remembered."""

ONCE: Final = frozenset(
    {
        "broadcast",
        "change-track-mute-state-request",
        "end-room",
        "group-add",
        "group-join",
        "group-leave",
        "group-remove",
        "peer-leave-request",
        "poll-info-set",
        "poll-questions-set",
        "poll-response",
        "poll-start",
        "poll-stop",
        "role-change",
        "role-change-request",
        "set-metadata",
        "track-update-request",
    }
)
"""Calls that do something each time they are made."""


class _Call(NamedTuple):
    socket: Socket
    at: float
    answer: asyncio.Future[object]


class Repeats:
    """One client's calls of late."""

    def __init__(self) -> None:
        self._calls: OrderedDict[tuple[str, bytes], _Call] = OrderedDict()

    async def once(self, socket: Socket, frame: Frame, carry_out: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer to `frame`: the one that was given, or is being worked out, on an earlier socket, or a new one.

        Raises what `carry_out` raises.
        """
        if frame.id is None or frame.method not in ONCE or len(bytes(frame.params)) > MAX_PARAMS:
            return await carry_out()
        loop = asyncio.get_running_loop()
        key = frame.method, bytes(frame.params)
        known = self._calls.get(key)
        if known is not None and known.socket is not socket and loop.time() - known.at < WINDOW:
            return Answer(await asyncio.shield(known.answer))
        call = _Call(socket, loop.time(), loop.create_future())
        self._calls[key] = call
        self._calls.move_to_end(key)
        while len(self._calls) > MOST:
            self._calls.popitem(last=False)
        try:
            answer = await carry_out()
        except BaseException:
            if self._calls.get(key) is call:
                del self._calls[key]
            call.answer.set_exception(SignalError(503, "the first attempt failed: try again"))
            call.answer.exception()  # it is nobody's fault that nobody waits for it
            raise
        call.answer.set_result(answer.result)
        return answer
