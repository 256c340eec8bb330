"""The client's side of the protocol: what a peer does because the server said so (signal.md §4, §7).

Owns: `Client`: the present socket, the roster and the policy of one peer, and its reactions.

Always holds: tracks that the role no longer allows are withdrawn; a peer that is told to go goes without a
`leave`. Whatever would break the official client fails every later wait on the pulse.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from callboard.clock import Clock, Ids
from callboard.demo.background import Background
from callboard.demo.init import Init
from callboard.demo.media import Media
from callboard.demo.policy import Policy, policy_of
from callboard.demo.pulse import Pulse
from callboard.demo.roster import Roster
from callboard.demo.signal_client import Params, SignalClient, SocketLost

REMEMBERED = 1000  # notifications
log = logging.getLogger("callboard.demo.client")


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    """Why the server made this peer go (`on-peer-leave-request`, signal.md §4.1)."""

    requested_by: str
    reason: str
    room_end: bool


class ServerError(Exception):
    """The server sent `on-error`, which is terminal (signal.md §4.1)."""


class Client:
    """One peer's connection. `deadline` is how many seconds a call or a connect may take."""

    def __init__(self, base_url: str, token: str, peer_id: str, *, clock: Clock, ids: Ids, deadline: float) -> None:
        self.peer_id = peer_id
        self.roster = Roster()
        self.policy: Policy | None = None
        self.init: Init | None = None
        self.media: Media | None = None
        self.socket_up = False
        self.asked_to_leave: LeaveRequest | None = None
        self.notifications: deque[tuple[str, Params]] = deque(maxlen=REMEMBERED)
        self.pulse = Pulse()
        self._base_url, self._token = base_url, token
        self._clock, self._ids, self._deadline = clock, ids, deadline
        self._background = Background(self.pulse, expected=SocketLost)
        self._signal: SignalClient | None = None
        self._ending: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Ask `/init` and open a socket. Raises what `SignalClient.connect` raises."""
        self._signal = SignalClient(
            self._base_url,
            self._token,
            self.peer_id,
            clock=self._clock,
            ids=self._ids,
            on_notification=self._take,
            on_lost=self._lost,
        )
        self.init = await self._signal.connect(self._deadline)
        self.socket_up = True
        self.pulse.beat()

    async def call(self, method: str, params: Params) -> Params:
        """Raises `Refused`, `SocketLost`, `TimeoutError`."""
        if self._signal is None:
            raise RuntimeError("not connected")
        return await self._signal.call(method, params, self._deadline)

    async def notify(self, method: str, params: Params) -> None:
        """Raises `SocketLost`."""
        if self._signal is None:
            raise RuntimeError("not connected")
        await self._signal.notify(method, params)

    async def lose_socket(self) -> None:
        """Drop the TCP connection; everything else stays."""
        self.socket_up = False
        if self._signal is not None:
            await self._signal.abort()
        self.pulse.beat()

    async def close(self) -> None:
        """Close the socket properly and say goodbye on the media connections. Idempotent."""
        await asyncio.shield(self._end(self._close()))

    async def cut_off(self) -> None:
        """Be gone without a sign. Idempotent."""
        await asyncio.shield(self._end(self._cut_off()))

    def make_media(self) -> Media:
        """Set up the media connections. Call after `connect`."""
        if self.init is None:
            raise RuntimeError("not connected")
        self.media = Media(
            self,
            self.init.ice_servers,
            ids=self._ids,
            roster=self.roster,
            pulse=self.pulse,
            spawn=self._background.spawn,
            on_notification=self._take,
        )
        return self.media

    def _end(self, how: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """There is one end: whoever asks second waits for the first."""
        if self._ending is None:
            self._ending = asyncio.create_task(how, name=f"end-{self.peer_id}")
        else:
            how.close()
        return self._ending

    async def _close(self) -> None:
        self.socket_up = False
        await self._background.stop()
        if self._signal is not None:
            await self._signal.close()
        if self.media is not None:
            await self.media.close()
        self.pulse.beat()

    async def _cut_off(self) -> None:
        await self.lose_socket()
        await self._background.stop()
        if self.media is not None:
            await self.media.cut_off()

    def _lost(self) -> None:
        self.socket_up = False
        self.pulse.beat()

    def _take(self, method: str, params: Params) -> None:
        self.notifications.append((method, params))
        try:
            self._react(method, params)
        except Exception as failure:
            log.exception("the server's %s cannot be used", method)
            self.pulse.fail(failure)
        self.pulse.beat()

    def _react(self, method: str, params: Params) -> None:
        if self.roster.apply(method, params):
            if self.media is not None:
                self.media.connections.ask()
            return
        if self.media is not None and self.media.take(method, params):
            return
        match method:
            case "on-policy-change":
                self._take_policy(policy_of(params))
            case "on-track-update-request":
                self._mute_on_request(params)
            case "on-peer-leave-request":
                by = params.get("requested_by") or ""
                self.asked_to_leave = LeaveRequest(by, params["reason"], bool(params["room_end"]))
                self._end(self._close())
            case "on-error":
                raise ServerError(f"{params.get('code')} {params.get('message')}")

    def _take_policy(self, policy: Policy) -> None:
        before, self.policy = self.policy, policy
        if before is None or before.role == policy.role:
            return
        if self.media is not None:
            self._background.spawn(self.media.withdraw(policy), "withdraw")
        elif self.init is not None and policy.needs_media(self.init.flags):
            self._background.spawn(self.make_media().present(), "first media")

    def _mute_on_request(self, params: Params) -> None:
        """A request to mute is obeyed at once, one to unmute is only a question (signal.md §4.5)."""
        if self.media is not None and params["mute"]:
            wanted = params["track_id"]
            work = self.media.set_muted(lambda track: track["track_id"] == wanted, muted=True)
            self._background.spawn(work, "mute on request")
