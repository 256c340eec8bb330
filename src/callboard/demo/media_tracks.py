"""A moving picture and a tone: what a demo peer publishes instead of a camera and a microphone.

Owns: the two synthetic tracks, paced by the event loop's clock.

Always holds: a muted track keeps its pace with black pictures or silence, as the official client's
does (signal.md §5.2), so that unmuting needs no negotiation. The same index gives the same frame.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from fractions import Fraction

from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

VIDEO_CLOCK = 90_000
SAMPLE_RATE = 48_000
SAMPLES = 960  # 20 ms: Opus's usual packet
_RAMP = bytes(range(16, 236, 4)) * 64
_WAVES = array("h", [round(8000 * math.sin(2 * math.pi * 440 * n / SAMPLE_RATE)) for n in range(SAMPLE_RATE)]).tobytes()
_SILENCE = bytes(2 * SAMPLES)


class PacedTrack(MediaStreamTrack):
    """A track that yields its frames every `interval` seconds, and whose id is given to it.

    `codec` is the only one that it may be sent with, in lower case; "": whichever the server takes.
    """

    codec = ""

    def __init__(self, track_id: str, interval: float) -> None:
        super().__init__()
        self._id = track_id
        self._interval = interval
        self._started: float | None = None
        self._index = -1
        self.muted = False

    def key_wanted(self) -> None:
        """A receiver asks for a whole picture. Of frames aiortc makes one; who yields packets has to."""

    async def next_index(self) -> int:
        """Wait until the next frame is due; frames that nobody asked for in time are skipped, not queued.

        Raises `MediaStreamError` when the track was stopped.
        """
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        if self._started is None:
            self._started = now
        late = int((now - self._started) / self._interval)
        self._index = max(self._index + 1, late)
        await asyncio.sleep(max(0.0, self._started + self._index * self._interval - now))
        return self._index


class MovingPicture(PacedTrack):
    """Grey bars that move to the left, `rate` times a second; black when muted.

    `width` and `height` are in pixels, both even.
    """

    kind = "video"

    def __init__(self, track_id: str, width: int = 320, height: int = 180, rate: int = 15) -> None:
        super().__init__(track_id, 1 / rate)
        self._size = (width, height)
        self._rate = rate

    async def recv(self) -> VideoFrame:
        index = await self.next_index()
        frame = VideoFrame(*self._size, "yuv420p")
        luma, *chroma = frame.planes
        row = bytes([16]) * luma.line_size if self.muted else _bars(index, luma.line_size)
        luma.update(row * luma.height)
        for plane in chroma:
            plane.update(bytes([128]) * plane.buffer_size)
        frame.pts = index * VIDEO_CLOCK // self._rate
        frame.time_base = Fraction(1, VIDEO_CLOCK)
        return frame


class Tone(PacedTrack):
    """440 Hz, mono, 48 kHz; silence when muted."""

    kind = "audio"

    def __init__(self, track_id: str) -> None:
        super().__init__(track_id, SAMPLES / SAMPLE_RATE)

    async def recv(self) -> AudioFrame:
        index = await self.next_index()
        start = 2 * SAMPLES * (index % (SAMPLE_RATE // SAMPLES))
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(_SILENCE if self.muted else _WAVES[start : start + 2 * SAMPLES])
        frame.pts = index * SAMPLES
        frame.sample_rate = SAMPLE_RATE
        frame.time_base = Fraction(1, SAMPLE_RATE)
        return frame


def _bars(index: int, width: int) -> bytes:
    start = 3 * index % (len(_RAMP) // 64)
    return (_RAMP[start:] + _RAMP * (width // len(_RAMP) + 1))[:width]
