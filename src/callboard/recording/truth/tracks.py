"""A publisher whose picture and sound carry the marks, as aiortc tracks.

Owns: `TruthPublisher` and its two kinds of track. The tracks are the demo peer's kind, so a demo peer publishes them:
`await peer.publish(publisher.picture)`.

Always holds: frame n of a medium is the one of n intervals after the epoch: its mark and its RTP timestamp say so,
whenever it is sent. No frame is left out: a busy machine sends late, as a busy network delivers late, and that changes
nothing in what was published. So a recording that lacks anything of `published` has lost it. Frames are encoded here,
in about a millisecond, and handed to aiortc as packets: it would send each through a thread and a slower encoder.
"""

from __future__ import annotations

import asyncio
import math
from abc import abstractmethod
from array import array
from fractions import Fraction

from aiortc.mediastreams import MediaStreamError
from av import Packet
from av.stream import Stream

from callboard.clock import NANOSECONDS, Clock
from callboard.demo.media_tracks import VIDEO_CLOCK, PacedTrack
from callboard.recording.truth.coding import SAMPLES, PictureCodec, PictureCoder, SoundCoder
from callboard.recording.truth.picture import draw, draw_black
from callboard.recording.truth.report import Gates, Published
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.spans import Span
from callboard.recording.truth.stamp import Stamp

_LATEST = 30.0
"""Seconds by which what is sent may be late, on however busy a machine."""
_SILENCE = array("h", bytes(2 * SAMPLES))


class TruthPublisher:
    """One publisher: number 0 … 15, pictures of `width` × `height` pixels, `rate` times a second, in `codec`.

    Somebody's camera and their screen are two publishers: each has its own counter.

    `epoch` is the instant (nanoseconds) from which marks count: the same for all publishers, and not in the future.
    """

    def __init__(
        self,
        publisher: int,
        clock: Clock,
        epoch: int,
        *,
        width: int = 320,
        height: int = 180,
        rate: int = 30,
        codec: PictureCodec = "vp8",
    ) -> None:
        self.publisher = publisher
        self.width, self.height, self.rate, self.codec = width, height, rate, codec
        self._clock, self._epoch = clock, epoch
        self._ahead: float | None = None
        self._spans: dict[str, list[Span]] = {"video": [], "audio": []}
        self._late: dict[str, list[float]] = {"video": [], "audio": []}
        self._tracks: list[MarkedTrack] = []
        self._end = math.inf
        self._awaited: set[str] = set()
        self._back = asyncio.Event()

    def picture(self, track_id: str) -> TruthVideoTrack:
        """A new video track of this publisher."""
        track = TruthVideoTrack(track_id, self)
        self._tracks.append(track)
        return track

    def sound(self, track_id: str) -> TruthAudioTrack:
        """A new audio track of this publisher."""
        track = TruthAudioTrack(track_id, self)
        self._tracks.append(track)
        return track

    def published(self) -> Published:
        """What was sent so far."""
        return Published(self.publisher, tuple(self._spans["video"]), tuple(self._spans["audio"]))

    def gates(self) -> Gates:
        """What a recording has to reach, plus what no recorder can know: by how much each piece was late as a whole.

        When something was made is told by the packet that was least late. On a machine with time to spare that is a
        millisecond; where this process had to wait for a processor each time, it is what it waited at least.
        """
        late = 1000 * max((late for pieces in self._late.values() for late in pieces), default=0.0)
        usual = Gates()
        return Gates(skew_p95_ms=usual.skew_p95_ms + late, start_offset_error_ms=usual.start_offset_error_ms + late)

    async def sends(self, seconds: float) -> None:
        """Return when it has sent so many seconds more, of each medium that it has tracks of and has not muted.

        On a busy machine that takes longer than these seconds. Raises `TimeoutError` when nobody sends them.
        """
        until, kinds = self.now() + seconds, {track.kind for track in self._tracks}
        async with asyncio.timeout(seconds + _LATEST):
            while any(self.sent_until(kind) < until for kind in kinds):  # noqa: ASYNC110 - many frames make one wait
                await asyncio.sleep(0.02)

    def sent_until(self, kind: str) -> float:
        """The source time of the end of what was sent last of this kind, 0 if nothing was."""
        return self._spans[kind][-1][1] if self._spans[kind] else 0.0

    async def cut(self) -> None:
        """Make nothing more; return when all that was made has been sent and the last of it has lasted its time.

        Who leaves then leaves nothing behind. To be called while its tracks are published. Raises `TimeoutError` when
        nobody sends them.
        """
        self._end = self.now()
        async with asyncio.timeout(_LATEST):
            await asyncio.gather(*(track.over.wait() for track in self._tracks))
        lasts = max((spans[-1][1] for spans in self._spans.values() if spans), default=0.0)
        await asyncio.sleep(max(0.0, lasts - self.now()))

    def resume(self) -> asyncio.Event:
        """After `cut`: tracks that are made from now on send again. The event is set once picture and sound have."""
        self._end = math.inf
        self._tracks.clear()
        self._awaited, self._back = {"video", "audio"}, asyncio.Event()
        return self._back

    @property
    def end(self) -> float:
        """The source time from which on nothing is made."""
        return self._end

    def now(self) -> float:
        """Seconds since the epoch. All tracks get it from one reading of the clock, and the event loop's time."""
        time = asyncio.get_running_loop().time()
        if self._ahead is None:
            self._ahead = (self._clock.now() - self._epoch) / NANOSECONDS - time
        return time + self._ahead

    def note(self, kind: str, start: float, length: float) -> None:
        """A frame of `length` seconds was sent."""
        spans, lates, late = self._spans[kind], self._late[kind], self.now() - start
        if spans and abs(start - spans[-1][1]) < length / 2:
            start, end = spans.pop()[0], start + length
            late = min(late, lates.pop())
        else:
            end = start + length
        spans.append((start, end))
        lates.append(late)
        self._awaited.discard(kind)
        if not self._awaited:
            self._back.set()


class MarkedTrack(PacedTrack):
    """A track of a publisher. `over` is set when it will not send any more."""

    def __init__(self, track_id: str, publisher: TruthPublisher, interval: float) -> None:
        super().__init__(track_id, interval)
        self._publisher = publisher
        self._number = -1
        self.over = asyncio.Event()

    async def recv(self) -> Packet[Stream]:
        number = await self._due()
        packet = Packet(self._frame(number))
        packet.pts, packet.time_base = self._timestamp(number)
        if not self.muted:
            self._publisher.note(self.kind, number * self._interval, self._interval)
        return packet

    def stop(self) -> None:
        super().stop()
        self.over.set()

    async def _due(self) -> int:
        """Wait until the next frame is due. Raises `MediaStreamError` when there is none."""
        publisher = self._publisher
        if self._number < 0:
            self._number = math.ceil(publisher.now() / self._interval)
        number, at = self._number, self._number * self._interval
        await asyncio.sleep(max(0.0, at - publisher.now()))
        if at >= publisher.end or self.readyState != "live":
            self.stop()
            raise MediaStreamError
        self._number += 1
        return number

    @abstractmethod
    def _frame(self, number: int) -> bytes: ...

    @abstractmethod
    def _timestamp(self, number: int) -> tuple[int, Fraction]: ...


class TruthVideoTrack(MarkedTrack):
    """The publisher's picture; black without marks when muted. It begins anew when the publisher's size changes."""

    kind = "video"

    def __init__(self, track_id: str, publisher: TruthPublisher) -> None:
        super().__init__(track_id, publisher, 1 / publisher.rate)
        self.codec = publisher.codec
        self._coder: PictureCoder | None = None
        self._key = False

    def key_wanted(self) -> None:
        self._key = True

    def _frame(self, number: int) -> bytes:
        publisher = self._publisher
        size = publisher.width, publisher.height
        if self._coder is None or self._coder.size != size:
            self._coder = PictureCoder(publisher.codec, *size, publisher.rate)
        stamp = Stamp(publisher.publisher, number, round(1000 * number / publisher.rate))
        key, self._key = self._key, False
        return self._coder.encode(draw_black(*size) if self.muted else draw(stamp, *size), key=key)

    def _timestamp(self, number: int) -> tuple[int, Fraction]:
        return number * VIDEO_CLOCK // self._publisher.rate, Fraction(1, VIDEO_CLOCK)


class TruthAudioTrack(MarkedTrack):
    """The publisher's sound; silence when muted."""

    kind = "audio"

    def __init__(self, track_id: str, publisher: TruthPublisher) -> None:
        super().__init__(track_id, publisher, SAMPLES / RATE)
        self._coder = SoundCoder()

    def _frame(self, number: int) -> bytes:
        samples = _SILENCE if self.muted else synthesize(self._publisher.publisher, number * SAMPLES, SAMPLES)
        return self._coder.encode(samples)

    def _timestamp(self, number: int) -> tuple[int, Fraction]:
        return number * SAMPLES, Fraction(1, RATE)
