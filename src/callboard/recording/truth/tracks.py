"""A publisher whose picture and sound carry the marks, as aiortc tracks.

Owns: `TruthPublisher` and its two kinds of track. The tracks are the demo peer's kind, so a demo peer publishes them:
`await peer.publish(publisher.picture)`.

Always holds: a mark says when its frame was due on the publisher's clock, as a camera's would; both media are on one
clock. What was really sent, without mutes and without what a busy event loop skipped, is in `published`. A track made
anew (a reconnect) goes on counting.
"""

from __future__ import annotations

import asyncio
from fractions import Fraction

from av import AudioFrame, VideoFrame

from callboard.clock import NANOSECONDS, Clock
from callboard.demo.media_tracks import VIDEO_CLOCK, PacedTrack
from callboard.recording.truth.picture import Planes, draw, draw_black
from callboard.recording.truth.report import Published
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.spans import Span
from callboard.recording.truth.stamp import Stamp

SAMPLES = 960  # 20 ms: Opus's usual packet


class TruthPublisher:
    """One publisher: number 0 … 15, pictures of `width` × `height` pixels, `rate` times a second.

    Somebody's camera and their screen are two publishers: each has its own counter.

    `epoch` is the instant (nanoseconds) from which marks count: the same for all publishers, and not in the future.
    """

    def __init__(
        self, publisher: int, clock: Clock, epoch: int, *, width: int = 320, height: int = 180, rate: int = 30
    ) -> None:
        self.publisher = publisher
        self.width, self.height, self.rate = width, height, rate
        self.counter = 0
        self._clock, self._epoch = clock, epoch
        self._ahead: float | None = None
        self._spans: dict[str, list[Span]] = {"video": [], "audio": []}

    def picture(self, track_id: str) -> TruthVideoTrack:
        """A new video track of this publisher."""
        return TruthVideoTrack(track_id, self)

    def sound(self, track_id: str) -> TruthAudioTrack:
        """A new audio track of this publisher."""
        return TruthAudioTrack(track_id, self)

    def published(self) -> Published:
        """What was sent so far."""
        return Published(self.publisher, tuple(self._spans["video"]), tuple(self._spans["audio"]))

    def source_time(self, loop_time: float) -> float:
        """Seconds since the epoch at a time of the event loop's clock. All tracks get it from one reading."""
        if self._ahead is None:
            now = (self._clock.now() - self._epoch) / NANOSECONDS
            self._ahead = now - asyncio.get_running_loop().time()
        return loop_time + self._ahead

    def note(self, kind: str, start: float, length: float) -> None:
        """A frame of `length` seconds was sent."""
        spans = self._spans[kind]
        joins = spans and abs(start - spans[-1][1]) < length / 2
        began = spans.pop()[0] if joins else start
        spans.append((began, start + length))


class TruthVideoTrack(PacedTrack):
    """The publisher's picture; black without marks when muted."""

    kind = "video"

    def __init__(self, track_id: str, publisher: TruthPublisher) -> None:
        super().__init__(track_id, 1 / publisher.rate)
        self._publisher = publisher

    async def recv(self) -> VideoFrame:
        publisher = self._publisher
        index = await self.next_index()
        assert self._started is not None
        at = publisher.source_time(self._started + index * self._interval)
        if self.muted:
            planes = draw_black(publisher.width, publisher.height)
        else:
            stamp = Stamp(publisher.publisher, publisher.counter, round(1000 * at))
            planes = draw(stamp, publisher.width, publisher.height)
            publisher.counter += 1
            publisher.note("video", at, self._interval)
        frame = video_frame(planes, publisher.width, publisher.height)
        frame.pts = index * VIDEO_CLOCK // publisher.rate
        frame.time_base = Fraction(1, VIDEO_CLOCK)
        return frame


class TruthAudioTrack(PacedTrack):
    """The publisher's sound; silence when muted."""

    kind = "audio"

    def __init__(self, track_id: str, publisher: TruthPublisher) -> None:
        super().__init__(track_id, SAMPLES / RATE)
        self._publisher = publisher

    async def recv(self) -> AudioFrame:
        publisher = self._publisher
        index = await self.next_index()
        assert self._started is not None
        first = round(publisher.source_time(self._started) * RATE) + index * SAMPLES
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        if self.muted:
            frame.planes[0].update(bytes(2 * SAMPLES))
        else:
            frame.planes[0].update(synthesize(publisher.publisher, first, SAMPLES).tobytes())
            publisher.note("audio", first / RATE, self._interval)
        frame.pts = index * SAMPLES
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        return frame


def video_frame(planes: Planes, width: int, height: int) -> VideoFrame:
    """The planes as a frame, whose rows may have padding."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, data, row in zip(frame.planes, planes, (width, width // 2, width // 2), strict=True):
        padding = bytes(plane.line_size - row)
        plane.update(b"".join(data[start : start + row] + padding for start in range(0, len(data), row)))
    return frame
