"""Both media connections of one peer, and what it asks for on the API channel.

Owns: `Connections`: one generation of them. When the server moves the peer to another SFU (`node-info`,
signal.md §5.9) the generation is dropped and a new one made.

Always holds: for every track that the server sends, the last request on the API channel says what this
client wants of it, as the official client would (`api_channel.wishes`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from aiortc import RTCDataChannel, RTCIceServer

from callboard.clock import Ids
from callboard.demo.api_channel import ApiChannel, ChannelError, Wish, assumed, wishes
from callboard.demo.publishing import Exchange, Publishing
from callboard.demo.pulse import Pulse
from callboard.demo.roster import Roster
from callboard.demo.subscribing import Subscribing

log = logging.getLogger("callboard.demo.connections")
Spawn = Callable[[Coroutine[Any, Any, None], str], object]


class Connections:
    """One generation of connections. Everything is used on one event loop."""

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer],
        exchange: Exchange,
        *,
        ids: Ids,
        roster: Roster,
        pulse: Pulse,
        spawn: Spawn,
        on_notification: Callable[[str, dict[str, Any]], None],
    ) -> None:
        self.publishing = Publishing(ice_servers, exchange)
        self.publishing.on_change(pulse.beat)
        self.subscribing = Subscribing(ice_servers, self._opened, pulse.beat)
        self.channel = ApiChannel(ids, on_notification)
        self.streams: dict[str, str] = {}
        self._ids = ids
        self._roster = roster
        self._pulse = pulse
        self._spawn = spawn
        self._asked: dict[str, Wish] = {}

    def stream_of(self, source: str) -> str:
        """The stream id for tracks of `source`: camera and microphone share one, a screen has its own."""
        return self.streams.setdefault(source, self._ids.uuid())

    async def answer(self, sdp: str) -> str:
        """The answer to the server's offer. Raises `ValueError` when the offer makes no sense."""
        answer = await self.subscribing.answer(sdp)
        self._pulse.beat()
        return answer

    def ask(self) -> None:
        """Ask on the API channel for what is wanted and was not asked for yet."""
        if not self.channel.is_open:
            return
        sent = self.subscribing.tracks
        self._asked = {track_id: wish for track_id, wish in self._asked.items() if track_id in sent}
        for track_id, wish in wishes(sent, self._roster).items():
            if self._asked.get(track_id, assumed(track_id, sent[track_id])) != wish:
                self._asked[track_id] = wish
                self._spawn(self._request(wish), f"ask-{track_id}")

    async def close(self) -> None:
        """Say goodbye and stop. Idempotent."""
        await asyncio.gather(self.publishing.close(), self.subscribing.close())

    async def cut_off(self) -> None:
        """Stop without saying goodbye. Idempotent."""
        await asyncio.gather(self.publishing.cut_off(), self.subscribing.cut_off())

    def _opened(self, channel: RTCDataChannel) -> None:
        self.channel.attach(channel)
        self._pulse.beat()
        self.ask()

    async def _request(self, wish: Wish) -> None:
        method, params = wish
        try:
            await self.channel.request(method, params)
        except ChannelError as error:
            if error.code != 404:  # the track is gone: silently fine (signal.md §5.5)
                raise
            log.debug("%s", error)
        self._pulse.beat()
