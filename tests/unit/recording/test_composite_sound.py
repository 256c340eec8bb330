"""Sound that FFmpeg mixes of captures: what was lost on the way is concealed."""

from __future__ import annotations

import asyncio
from array import array
from math import pi, sin
from pathlib import Path

import av

from callboard.recording.capture import opus
from callboard.recording.capture.matroska import Track, Writer
from callboard.recording.composite.cast import Clip
from callboard.recording.composite.look import SOUND_RATE
from callboard.recording.composite.sound import Mix, sound_task

PACKET = 960
LOST = [30, 50, 51, 80]


def tone(packets: int) -> list[bytes]:
    """A tone of 440 Hz as Opus packets of 20 ms."""
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = SOUND_RATE, "mono", "s16", 64_000
    found = []
    for number in range(packets):
        samples = array(
            "h", (int(8000 * sin(2 * pi * 440 * n / SOUND_RATE)) for n in range(number * PACKET, (number + 1) * PACKET))
        )
        frame = av.AudioFrame(format="s16", layout="mono", samples=PACKET)
        frame.sample_rate, frame.pts = SOUND_RATE, number * PACKET
        frame.planes[0].update(samples.tobytes())
        found += [bytes(packet) for packet in encoder.encode(frame)]
    return found


async def test_lost_packets_are_concealed_in_the_mix(tmp_path: Path) -> None:
    packets = tone(101)
    with Writer(tmp_path / "a.webm", [Track("audio", "A_OPUS", opus.head())]) as file:
        for number, packet in enumerate(packets):
            data = opus.absent(packets[number - 1]) if number in LOST else packet
            file.write(0, 20 * number, data, key=True, length=20)
    task = sound_task(Mix(0, 2 * SOUND_RATE, (Clip(str(tmp_path / "a.webm"), 0.0, 2.0),)))
    process = await asyncio.create_subprocess_exec(
        *("ffmpeg", "-v", "error", *task.inputs, "-filter_complex", task.graph, *task.output),
        *("-ac", "1", "-f", "flac", str(tmp_path / "mixed.flac")),
    )
    assert await asyncio.wait_for(process.wait(), 30) == 0
    with av.open(str(tmp_path / "mixed.flac")) as mixed:
        heard = array("h", b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in mixed.decode(audio=0)))
    power = [sum(one * one for one in heard[n : n + PACKET]) for n in range(0, len(heard), PACKET)]
    usual = sorted(power)[len(power) // 2]
    assert all(0.5 * usual < power[number] < 2 * usual for number in LOST), [power[n] / usual for n in LOST]
