"""Encoding truth pictures and sounds as a browser would, cheaply: VP8 or H.264, and Opus, one frame in, one packet out.

Owns: `PictureCoder`, `SoundCoder`. One of each per publisher: they build upon what they encoded before.

Always holds: nothing is held back, so a packet belongs to the frame that went in. A whole picture comes first, and
whenever one is asked for.
"""

from __future__ import annotations

from array import array
from fractions import Fraction
from typing import Literal

from av import AudioCodecContext, AudioFrame, VideoCodecContext, VideoFrame
from av.video.frame import PictureType

from callboard.recording.truth.picture import Planes
from callboard.recording.truth.sound import RATE

SAMPLES = 960
"""Of a packet of sound: 20 ms, Opus's usual."""
PictureCodec = Literal["vp8", "h264"]

_BITS = 600_000
_CODERS = {
    "vp8": ("libvpx", {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}),
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline", "level": "3.1"}),
}


class PictureCoder:
    """For pictures of `width` × `height` pixels, about `rate` a second."""

    def __init__(self, codec: PictureCodec, width: int, height: int, rate: int) -> None:
        name, options = _CODERS[codec]
        coder = VideoCodecContext.create(name, "w")
        assert isinstance(coder, VideoCodecContext)
        coder.width, coder.height, coder.pix_fmt = width, height, "yuv420p"
        coder.time_base, coder.bit_rate, coder.gop_size = Fraction(1, rate), _BITS, 100_000
        coder.thread_count, coder.options = 1, options
        self.size = width, height
        self._coder = coder
        self._count = 0

    def encode(self, planes: Planes, *, key: bool = False) -> bytes:
        """The picture; with `key` one that needs none before it."""
        frame = video_frame(planes, *self.size)
        frame.pts = self._count
        frame.pict_type = PictureType.I if key else PictureType.NONE
        self._count += 1
        return b"".join(bytes(packet) for packet in self._coder.encode(frame))


class SoundCoder:
    """For mono sound in frames of `SAMPLES`."""

    def __init__(self) -> None:
        coder = AudioCodecContext.create("libopus", "w")
        assert isinstance(coder, AudioCodecContext)
        coder.sample_rate, coder.layout, coder.format = RATE, "mono", "s16"
        coder.options = {"compression_level": "0"}
        self._coder = coder
        self._count = 0

    def encode(self, samples: array[int]) -> bytes:
        """The packet of these samples."""
        frame = AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._count * SAMPLES, Fraction(1, RATE)
        self._count += 1
        (packet,) = self._coder.encode(frame)
        return bytes(packet)


def video_frame(planes: Planes, width: int, height: int) -> VideoFrame:
    """The planes as a frame, whose rows may have padding."""
    frame = VideoFrame(width, height, "yuv420p")
    for plane, data, row in zip(frame.planes, planes, (width, width // 2, width // 2), strict=True):
        padding = bytes(plane.line_size - row)
        plane.update(b"".join(data[start : start + row] + padding for start in range(0, len(data), row)))
    return frame
