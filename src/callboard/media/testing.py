"""A client for tests: two real WebRTC connections (aiortc) driven by direct calls, without any signalling.

Owns: `DirectPeer`, `running_engine`.

Always holds: it behaves as the SDK does towards a server (signal.md §5): a data channel only in the first
offer, one offer at a time, answers in order, both connections closed at the end.
"""

from __future__ import annotations

import asyncio
import fractions
import itertools
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from aiortc import (
    AudioStreamTrack,
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from callboard.clock import RandomIds
from callboard.media.contract import Candidate, LayerUpdate, MediaLost, MediaSettings, PublishedTrack, Subscription
from callboard.media.engine import MediaEngine
from callboard.media.peer import PeerMedia
from callboard.media.sdp import parse

WIDTH: Final = 320
HEIGHT: Final = 180


CHROMA: Final = ((240, 110), (54, 34), (90, 240))
"""U and V of blue, green and red."""


@asynccontextmanager
async def running_engine(settings: MediaSettings | None = None) -> AsyncIterator[MediaEngine]:
    """A real Janus, started and stopped."""
    engine = MediaEngine(settings or MediaSettings(), RandomIds())
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


class ColouredVideo(VideoStreamTrack):
    """A picture in one colour of `CHROMA` whose brightness changes with every frame."""

    def __init__(self, colour: int) -> None:
        super().__init__()
        self._colour = colour
        self._count = itertools.count()
        self.running = asyncio.Event()
        self.running.set()

    async def recv(self) -> VideoFrame:
        await self.running.wait()
        pts, base = await self.next_timestamp()
        frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
        values = (60 + (next(self._count) * 12) % 120, *CHROMA[self._colour])
        for plane, value in zip(frame.planes, values, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, fractions.Fraction(base)
        return frame


def look_at(frame: VideoFrame) -> tuple[int, int]:
    """`(colour, brightness)` of the middle of a picture: the index in `CHROMA` that is nearest, and Y."""
    y, u, v = (bytes(plane)[plane.height // 2 * plane.line_size + plane.width // 2] for plane in frame.planes)
    distances = [abs(u - known_u) + abs(v - known_v) for known_u, known_v in CHROMA]
    return distances.index(min(distances)), y


class DirectPeer:
    """A `PeerListener` with a client behind it.

    `colour` is that of its picture (`CHROMA`), `capture` that of `MediaEngine.open_peer`.
    """

    def __init__(
        self,
        engine: MediaEngine,
        room_id: str,
        peer_id: str,
        colour: int = 0,
        *,
        on_demand: bool = False,
        capture: str | None = None,
    ) -> None:
        self.peer_id = peer_id
        self.stream_id = f"stream-{peer_id}"
        self.tracks: dict[str, PublishedTrack] = {}
        self.frames: dict[str, int] = defaultdict(int)
        self.pictures: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.offers: list[str] = []
        self.reports: list[str] = []
        self.layers: list[LayerUpdate] = []
        self.scores: list[int] = []
        self.channel: RTCDataChannel | None = None
        self.answering = True
        self.edit_answer: Callable[[str], str] = lambda sdp: sdp
        self._engine = engine
        self._room_id = room_id
        self._colour = colour
        self._on_demand = on_demand
        self._capture = capture
        self._media: PeerMedia | None = None
        # With the default policy aiortc leaves the second section of a kind on a transport that it has stopped.
        policy = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_COMPAT)
        self._publish = RTCPeerConnection(policy)
        self._subscribe = RTCPeerConnection(policy)
        self._publish.createDataChannel("ion-sfu", protocol="SCTP")
        self._waiting: asyncio.Queue[str | None] = asyncio.Queue()
        self._replies: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._ids = itertools.count(1)
        self._changed = asyncio.Condition()
        self._answers = asyncio.create_task(self._answer_offers())
        self._work: set[asyncio.Task[None]] = set()
        self._publish.on("connectionstatechange", self._poke)
        self._subscribe.on("connectionstatechange", self._poke)
        self._subscribe.on("track", self._on_track)
        self._subscribe.on("datachannel", self._on_channel)

    # PeerListener

    def send_offer(self, sdp: str) -> None:
        self.offers.append(sdp)
        self._waiting.put_nowait(sdp)

    def send_trickle(self, target: int, candidate: Candidate) -> None:
        self.reports.append(f"trickle {target} {candidate.get('candidate')}")

    def media_up(self) -> None:
        self._report("media up")

    def media_down(self, reason: str) -> None:
        self._report(f"media down: {reason}")

    def speaking(self, track_id: str, loudness: int) -> None:
        """Nobody asks."""

    def layers_changed(self, updates: Sequence[LayerUpdate]) -> None:
        self.layers.extend(updates)
        self._poke()

    def link_measured(self, score: int) -> None:
        self.scores.append(score)
        self._poke()

    def subscriber_down(self, reason: str) -> None:
        self._report(f"subscriber down: {reason}")

    def negotiation_failed(self, reason: str) -> None:
        self._report(f"negotiation failed: {reason}")

    # What the client does

    @property
    def media(self) -> PeerMedia:
        assert self._media is not None
        return self._media

    async def enter(self) -> None:
        """Join, without waiting for the connection."""
        self._media = await self._engine.open_peer(
            self._room_id, self.peer_id, self, self._capture, on_demand=self._on_demand
        )
        await self._negotiate(self._media.join)

    async def join(self) -> None:
        """Join; the publish connection is up."""
        await self.enter()
        # aiortc never starts senders that were negotiated while it was still connecting.
        await self.until(lambda: self._publish.connectionState == "connected")

    def add_track(self, kind: str) -> PublishedTrack:
        """A new track of `kind`, for the next negotiation."""
        track: MediaStreamTrack = ColouredVideo(self._colour) if kind == "video" else AudioStreamTrack()
        self._publish.addTrack(track)
        published = PublishedTrack(track.id, self.stream_id, "video" if kind == "video" else "audio")
        self.tracks[track.id] = published
        return published

    async def publish(self, *kinds: str) -> None:
        """Add a track of each of `kinds`, one negotiation each, as the SDK does."""
        for kind in kinds:
            self.add_track(kind)
            await self.renegotiate()

    def pause_video(self) -> None:
        """Send no more pictures; the connection stays."""
        for sender in self._publish.getSenders():
            if isinstance(sender.track, ColouredVideo):
                sender.track.running.clear()

    async def unpublish(self, track_id: str) -> None:
        del self.tracks[track_id]
        for transceiver in self._publish.getTransceivers():
            if transceiver.sender.track is not None and transceiver.sender.track.id == track_id:
                transceiver.direction = "inactive"
        await self.renegotiate()

    async def renegotiate(self) -> None:
        await self._negotiate(lambda sdp: self.media.publish(sdp, tuple(self.tracks.values())))

    def subscription(self, kind: str) -> Subscription:
        """How others name this peer's track of `kind`."""
        track = next(track for track in self.tracks.values() if track.kind == kind)
        return Subscription(self.peer_id, track.track_id, track.stream_id, track.kind)

    async def request(self, method: str, **params: object) -> dict[str, Any]:
        """Call a method on the API channel."""
        await self.until(lambda: self.channel is not None)
        assert self.channel is not None
        call = f"{self.peer_id}-{next(self._ids)}"
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._replies[call] = reply
        self.channel.send(json.dumps({"id": call, "jsonrpc": "2.0", "method": method, "params": params}))
        return await asyncio.wait_for(reply, 30)

    def open_channel(self, label: str) -> RTCDataChannel:
        """A data channel on the subscribe connection, which no client of ours opens."""
        return self._subscribe.createDataChannel(label)

    def mid_of(self, track_id: str) -> str | None:
        """The section that carries a track, after the last offer."""
        if not self.offers:
            return None
        sections = parse(self.offers[-1]).sections
        found = (s.mid for s in sections if s.msid is not None and s.msid[1] == track_id)
        return next(found, None)

    def received(self, track_id: str) -> int:
        """Frames decoded in the section that carries the track now."""
        return self.frames[self.mid_of(track_id) or ""]

    async def until(self, condition: Callable[[], object], deadline: float = 30) -> None:
        """Wait until `condition` holds; looked at whenever something happens here."""
        async with asyncio.timeout(deadline), self._changed:
            await self._changed.wait_for(lambda: bool(condition()))

    async def until_received(self, subscription: Subscription, more: int = 10) -> None:
        """Wait for `more` frames of a track."""
        await self.until(lambda: self.mid_of(subscription.track_id) is not None)
        before = self.received(subscription.track_id)
        await self.until(lambda: self.received(subscription.track_id) >= before + more)

    async def close(self) -> None:
        """Leave: the server side first, as after a `leave` message."""
        if self._media is not None:
            await self._media.close()
        await self.vanish()

    async def vanish(self) -> None:
        """The client's connections close; the server is not told."""
        self._waiting.put_nowait(None)
        await asyncio.wait([self._answers])
        await self._publish.close()
        await self._subscribe.close()
        for task in self._work:
            task.cancel()
        if self._work:
            await asyncio.wait(self._work)

    # Inside

    async def _negotiate(self, ask: Callable[[str], Any]) -> None:
        await self._publish.setLocalDescription(await self._publish.createOffer())
        answer = await ask(self._publish.localDescription.sdp)
        await self._publish.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    async def _answer_offers(self) -> None:
        while (offer := await self._waiting.get()) is not None:
            if self.answering:
                if self.channel is not None:  # see `join`: nor receivers
                    with suppress(TimeoutError):
                        await self.until(lambda: self._subscribe.connectionState == "connected", 1)
                await self._subscribe.setRemoteDescription(RTCSessionDescription(offer, "offer"))
                await self._subscribe.setLocalDescription(await self._subscribe.createAnswer())
                with suppress(MediaLost):
                    self.media.answer(self.edit_answer(self._subscribe.localDescription.sdp))
            await self._notify()

    def _on_track(self, track: MediaStreamTrack) -> None:
        self._work.add(asyncio.create_task(self._consume(track)))

    async def _consume(self, track: MediaStreamTrack) -> None:
        transceivers = self._subscribe.getTransceivers()
        mid = str(next(t.mid for t in transceivers if t.receiver.track is track))
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.frames[mid] += 1
            if isinstance(frame, VideoFrame):
                self.pictures[mid].append(look_at(frame))
            await self._notify()

    def _on_channel(self, channel: RTCDataChannel) -> None:
        self.channel = channel
        channel.on("message", self._on_message)
        self._poke()

    def _on_message(self, text: str) -> None:
        reply = json.loads(text)
        self._replies.pop(reply["id"]).set_result(reply)

    def _report(self, what: str) -> None:
        self.reports.append(what)
        self._poke()

    def _poke(self) -> None:
        task = asyncio.create_task(self._notify())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()
