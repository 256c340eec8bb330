"""The peer's subscribe side: what the server offers, answered; frames counted (signal.md §5.3).

Owns: the two aiortc connections behind the one "sub PC" of the protocol, and the count of frames
decoded per track.

Always holds: offers are answered one after the other, each with exactly the sections it has. Frames are
counted for the track that the section carries now: the server re-uses sections (signal.md §5.3).

Why two connections: the server's `m=application` section has a transport and a BUNDLE group of its own
(janus.md §6). aiortc 1.16 reads the first BUNDLE group only, answers with a single group of all sections,
and gives one connection state for both transports. So the offer is split: one `RTCPeerConnection` answers
audio and video, another the channel, and the two answers are merged. A browser needs only one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiortc import (
    InvalidStateError,
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from callboard.demo.candidates import candidate_of
from callboard.demo.internals import cut_off, follow_ice_restart
from callboard.demo.sections import Description, merge, parse, split, tracks_sent
from callboard.demo.settled import settled
from callboard.demo.steady import Steady

EARLY_CANDIDATES = 100
log = logging.getLogger("callboard.demo.subscribing")


class Ended(Exception):  # noqa: N818 - a state, said as the word it is
    """The connection was closed, by this side or by the server's DTLS goodbye (aiortc closes upon that)."""


class Subscribing:
    """Answers the server's offers. `on_channel` gets the API channel; `on_frame` is called per frame."""

    def __init__(
        self,
        ice_servers: Sequence[RTCIceServer],
        on_channel: Callable[[RTCDataChannel], None],
        on_frame: Callable[[], None],
    ) -> None:
        configuration = RTCConfiguration(iceServers=list(ice_servers))
        self._media = RTCPeerConnection(configuration)
        self._channel = RTCPeerConnection(configuration)
        self._media.on("track", self._receive)
        for connection in (self._media, self._channel):
            connection.on("datachannel", on_channel)
        self._on_frame = on_frame
        self._carried: dict[str, tuple[str, str]] = {}
        self._counts: Counter[str] = Counter()
        self._readers: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()
        self._steady = Steady()
        self._mids: list[str] = []
        self._early: deque[RTCIceCandidate] = deque(maxlen=EARLY_CANDIDATES)

    @property
    def tracks(self) -> dict[str, str]:
        """Track id → kind of what the server sends now, by its latest answered offer."""
        return {track_id: kind for kind, track_id in self._carried.values()}

    def frames_decoded(self, track_id: str) -> int:
        """How many frames of this track were decoded so far."""
        return self._counts[track_id]

    async def answer(self, sdp: str) -> str:
        """The answer to the server's offer.

        Raises `ValueError` when the offer makes no sense, `Ended` when there is no connection any more.
        """
        async with self._order:
            try:
                return await self._merged_answer(sdp)
            except InvalidStateError as error:
                if "closed" in (self._media.signalingState, self._channel.signalingState):
                    raise Ended from error
                raise

    async def _merged_answer(self, sdp: str) -> str:
        offer = parse(sdp).explicit()
        parts = split(offer)
        self._carried = tracks_sent(offer)
        answers = []
        for connection, part in ((self._media, parts.media), (self._channel, parts.channel)):
            if part is not None:
                await settled(connection)
                answers.append(await self._steady.run(_answer(connection, part)))
        self._mids = [section.mid for section in offer.sections]
        early = list(self._early)
        self._early.clear()
        for candidate in early:
            await self._place(candidate)
        return merge(offer, answers).text()

    async def add_candidate(self, candidate: dict[str, Any]) -> None:
        """Take a trickled candidate; one for a section that was not offered yet waits for its offer.

        Raises `ValueError` when it is none.
        """
        parsed = candidate_of(candidate)
        if parsed is None:
            return
        async with self._order:
            await self._place(parsed)

    async def _place(self, candidate: RTCIceCandidate) -> None:
        mid, index = candidate.sdpMid, candidate.sdpMLineIndex
        if mid is None and index is not None and index < len(self._mids):
            mid = self._mids[index]
        if mid not in self._mids:
            self._early.append(candidate)
            return
        # The number is that of the whole offer; each connection counts its own part.
        candidate.sdpMid, candidate.sdpMLineIndex = mid, None
        for connection in (self._media, self._channel):
            if connection.remoteDescription:
                await connection.addIceCandidate(candidate)

    async def close(self) -> None:
        """Say goodbye and stop. Idempotent."""
        await self._stop(RTCPeerConnection.close)

    async def cut_off(self) -> None:
        """Stop without saying goodbye. Idempotent."""
        await self._stop(cut_off)

    async def _stop(self, stop: Callable[[RTCPeerConnection], Awaitable[None]]) -> None:
        await self._steady.done()
        await asyncio.gather(stop(self._media), stop(self._channel))
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    def _receive(self, track: MediaStreamTrack) -> None:
        reader = asyncio.create_task(self._read(track), name=f"read-{track.kind}")
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _read(self, track: MediaStreamTrack) -> None:
        mid = next(t.mid for t in self._media.getTransceivers() if t.receiver.track is track) or ""
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                log.debug("the %s track in section %s ended", track.kind, mid)
                return
            _, track_id = self._carried.get(mid, ("", ""))
            self._counts[track_id] += 1
            self._on_frame()


async def _answer(connection: RTCPeerConnection, part: Description) -> Description:
    if follow_ice_restart(connection, part):
        log.info("the server restarted ICE")
    await connection.setRemoteDescription(RTCSessionDescription(part.text(), "offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return parse(connection.localDescription.sdp)
