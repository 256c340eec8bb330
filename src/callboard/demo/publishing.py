"""The peer's publish side: the connection that the client offers (signal.md §5.2).

Owns: the one aiortc connection for what this peer sends, and what is published on it.

Always holds: one negotiation at a time; an offer always names the complete set of published tracks. The
first offer has the data channel `ion-sfu` only, as the official client's has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCRtpCodecCapability,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from callboard.demo.candidates import candidate_of
from callboard.demo.internals import cut_off, on_key_wanted, ports_sent_to
from callboard.demo.media_tracks import PacedTrack
from callboard.demo.sections import parse, without_idle_tracks
from callboard.demo.settled import settled
from callboard.demo.steady import Steady

Exchange = Callable[[str, dict[str, dict[str, Any]]], Awaitable[str]]
"""Takes an offer's SDP and the tracks as signalled to the server, which returns the answer's SDP."""


@dataclass(slots=True)
class Published:
    """A track that this peer sends. `source` is `regular`, `screen`, … (signal.md §3.2)."""

    track: PacedTrack
    stream_id: str
    source: str
    transceiver: RTCRtpTransceiver

    def signalled(self) -> dict[str, Any]:
        return {
            "track_id": self.track.id,
            "stream_id": self.stream_id,
            "type": self.track.kind,
            "source": self.source,
            "mute": self.track.muted,
            "description": "",
        }


class Publishing:
    """Offers what is to be sent. `exchange` sends an offer to the server and returns its answer."""

    def __init__(self, ice_servers: Sequence[RTCIceServer], exchange: Exchange) -> None:
        configuration = RTCConfiguration(iceServers=list(ice_servers), bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        self._connection = RTCPeerConnection(configuration)
        self._connection.createDataChannel("ion-sfu", protocol="SCTP")
        self._exchange = exchange
        self._order = asyncio.Lock()
        self._steady = Steady()
        self._offered = ""
        self.published: dict[str, Published] = {}

    @property
    def connected(self) -> bool:
        """Whether ICE and DTLS are up."""
        return bool(self._connection.connectionState == "connected")

    @property
    def port(self) -> int:
        """The server's UDP port that everything is sent to. Raises `ValueError` while there is no connection."""
        (port,) = ports_sent_to(self._connection)
        return port

    def signalled(self) -> dict[str, dict[str, Any]]:
        """The complete set of tracks, as the server is told."""
        return {track_id: published.signalled() for track_id, published in self.published.items()}

    def on_change(self, changed: Callable[[], None]) -> None:
        """Call `changed` when `connected` may have."""
        self._connection.on("connectionstatechange", changed)

    async def negotiate(self, exchange: Exchange | None = None) -> None:
        """Offer what is published now and apply the answer. Also how a reconnect presents itself: on a connection that
        was closed with what it offered last, so that the server says to build a new one."""
        async with self._order:
            await self._negotiate(exchange or self._exchange)

    async def add(self, track: PacedTrack, stream_id: str, source: str) -> None:
        """Publish a track."""
        async with self._order:
            transceiver = self._connection.addTransceiver(track, "sendonly")
            transceiver.sender._stream_id = stream_id  # aiortc has no setter for it
            on_key_wanted(transceiver.sender, track.key_wanted)
            if track.codec:
                transceiver.setCodecPreferences(_only(track))
            self.published[track.id] = Published(track, stream_id, source, transceiver)
            await self._negotiate(self._exchange)

    async def remove(self, track_id: str) -> None:
        """Stop publishing a track: its section becomes inactive. Raises `KeyError`."""
        async with self._order:
            published = self.published.pop(track_id)
            published.track.stop()
            published.transceiver.sender.replaceTrack(None)
            published.transceiver.direction = "inactive"
            await self._negotiate(self._exchange)

    async def add_candidate(self, candidate: dict[str, Any]) -> None:
        """Take a trickled candidate. Raises `ValueError` when it is none."""
        parsed = candidate_of(candidate)
        if parsed is not None:
            await self._connection.addIceCandidate(parsed)

    async def close(self) -> None:
        """Say goodbye and stop. Idempotent."""
        await self._steady.done()
        await self._connection.close()

    async def cut_off(self) -> None:
        """Stop without saying goodbye. Idempotent."""
        await self._steady.done()
        await cut_off(self._connection)

    async def _negotiate(self, exchange: Exchange) -> None:
        connection = self._connection
        if connection.connectionState == "closed":
            await exchange(self._offered, self.signalled())
            return
        await settled(connection)
        self._offered = without_idle_tracks(parse(await self._steady.run(_offer(connection)))).text()
        answer = await exchange(self._offered, self.signalled())
        await self._steady.run(connection.setRemoteDescription(RTCSessionDescription(answer, "answer")))


def _only(track: PacedTrack) -> list[RTCRtpCodecCapability]:
    """The track's codec, and retransmission."""
    wanted = (f"{track.kind}/{track.codec}", f"{track.kind}/rtx")
    return [codec for codec in RTCRtpSender.getCapabilities(track.kind).codecs if codec.mimeType.lower() in wanted]


async def _offer(connection: RTCPeerConnection) -> str:
    await connection.setLocalDescription(await connection.createOffer())
    return str(connection.localDescription.sdp)
