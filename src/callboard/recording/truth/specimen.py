"""Files with truth marks in them, good or bad on purpose: what the harness itself is tested with.

Owns: `write_y4m` and `write_wav`: uncompressed picture and sound that FFmpeg (and Chromium, as its fake devices) reads.

Always holds: what is written is a function of the arguments; memory is one frame.
"""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

from callboard.recording.truth.picture import draw, draw_black
from callboard.recording.truth.sound import RATE
from callboard.recording.truth.stamp import Stamp


def stamps(publisher: int, rate: int, seconds: float, start: float = 0.0) -> list[Stamp]:
    """The frames of a publisher who sends from source time `start` on, for `seconds`, `rate` a second."""
    return [Stamp(publisher, n, round(1000 * (start + n / rate))) for n in range(round(seconds * rate))]


def write_y4m(path: Path, frames: Iterable[Stamp | None], width: int, height: int, rate: int) -> None:
    """One picture for each stamp; black for None."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{rate}:1 Ip A1:1 C420mpeg2\n".encode())
        for stamp in frames:
            file.write(b"FRAME\n")
            file.writelines(draw_black(width, height) if stamp is None else draw(stamp, width, height))


def write_wav(path: Path, blocks: Iterable[bytes]) -> None:
    """Mono, 16 bit, 48 kHz: the blocks one after the other."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for block in blocks:
            file.writeframesraw(block)
