"""From the packets of a captured stretch to pictures and sound with their real times.

Owns: `Stretch` (a part of a capture file), `Found` (what it turned out to hold), `survey`, `units_of`.

Always holds: nothing is decoded or encoded. A picture of which a packet is missing is left out; those before the first
key picture cannot be shown and are left out too. Where sound is missing there is silence; a short gap is left to the
decoder to conceal, as in the call itself. Times do not decrease.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from callboard.clock import NANOSECONDS
from callboard.recording.capture import h264, mjr, opus, vp8
from callboard.recording.capture.clockfit import Fit, blocks_of, fit
from callboard.recording.capture.mjr import Mjr, Packet, Unreadable
from callboard.recording.capture.order import Ordered, in_order, unwrapped

VIDEO_RATE = 90_000
PICTURE_NANOSECONDS = 33_000_000
"""How long the last picture counts, if nobody knows better."""
_LEAST_SILENCE = 0.015
"""Seconds of missing sound that are filled: anything less is no whole packet."""
_MOST_SILENCE = 1800.0
CONCEALED = 0.1
"""Seconds of lost sound that are left to the decoder. What it makes up for longer ones is no help to anybody."""
PAUSE = 1.0
"""Seconds for which a sender that has nothing to say sends nothing (DTX): libopus tells of the noise every 0.4 s."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What arrived from `since` until `until` (instants; 0: from its beginning, to its end)."""

    path: Path
    since: int = 0
    until: int = 0


class Unit(NamedTuple):
    """A picture or a packet of sound. `at` and `length` are nanoseconds, `at` an instant on our clock."""

    at: int
    length: int
    key: bool
    data: bytes


@dataclass(slots=True)
class Found:
    """What is in a stretch. `parameters` are H.264's two parameter sets."""

    stretch: Stretch
    mjr: Mjr
    fit: Fit
    lost: int
    width: int = 0
    height: int = 0
    parameters: tuple[bytes, bytes] = (b"", b"")

    @property
    def kind(self) -> Literal["audio", "video"]:
        return self.mjr.kind


def survey(stretch: Stretch) -> Found | None:
    """Read it once to find out what is in it; None if nothing arrived. Raises `Unreadable`, `OSError`."""
    info = mjr.header(stretch.path)
    if info is None:
        return None
    if info.codec not in {"vp8", "h264", "opus"}:
        raise Unreadable(f"{stretch.path.name} holds {info.codec}, which is not supported")
    rate = opus.RATE if info.kind == "audio" else VIDEO_RATE
    sequences: list[int] = [0, 0, 0]

    def clocked() -> Iterator[tuple[int, int]]:
        for packet in _ordered(stretch, info):
            sequences[0] = min(sequences[0], packet.sequence) if sequences[2] else packet.sequence
            sequences[1] = max(sequences[1], packet.sequence)
            sequences[2] += 1
            yield packet.arrived_at, packet.timestamp

    try:
        first, blocks = blocks_of(clocked(), rate)
    except ValueError:
        return None
    lost = max(0, sequences[1] - sequences[0] + 1 - sequences[2])
    found = Found(stretch, info, fit(first, blocks, rate), lost)
    if info.kind == "video":
        _look_at(found)
    return found


def _ordered(stretch: Stretch, info: Mjr) -> Iterator[Ordered]:
    return unwrapped(_within(stretch, mjr.read(stretch.path, info)))


def _within(stretch: Stretch, packets: Iterable[Packet]) -> Iterator[Packet]:
    for packet in packets:
        if packet.arrived_at >= stretch.since and (not stretch.until or packet.arrived_at < stretch.until):
            yield packet


def _look_at(found: Found) -> None:
    """The largest picture's size, and what a decoder has to know beforehand."""
    for _, key, data in _pictures(found, look=True):
        if not key:
            continue
        size = vp8.size_of(data) if found.mjr.codec == "vp8" else _h264_size(found)
        if size is not None and size[0] * size[1] > found.width * found.height:
            found.width, found.height = size


def _h264_size(found: Found) -> tuple[int, int] | None:
    try:
        return h264.size_of(found.parameters[0])
    except ValueError:
        return None


def units_of(found: Found) -> Iterator[Unit]:
    """The pictures or packets of sound, in the order of their times."""
    units = _sounds(found) if found.kind == "audio" else _timed(found)
    last = 0
    for unit in units:
        last = max(last, unit.at)
        yield unit if unit.at == last else unit._replace(at=last)


def _timed(found: Found) -> Iterator[Unit]:
    """Each picture lasts until the next one; the last one as long as the one before it."""
    waiting: tuple[int, bool, bytes] | None = None
    length = PICTURE_NANOSECONDS
    for timestamp, key, data in _pictures(found):
        at = found.fit.instant(timestamp)
        if waiting is not None:
            length = max(0, at - waiting[0])
            yield Unit(waiting[0], length, *waiting[1:])
        waiting = at, key, data
    if waiting is not None:
        yield Unit(waiting[0], min(length, 10 * PICTURE_NANOSECONDS) or PICTURE_NANOSECONDS, *waiting[1:])


def _pictures(found: Found, *, look: bool = False) -> Iterator[tuple[int, bool, bytes]]:
    """Timestamp, whether it is a key picture, and data of each whole picture, from the first key picture on."""
    started = False
    for packets in _grouped(in_order(_ordered(found.stretch, found.mjr))):
        picture = _vp8(packets) if found.mjr.codec == "vp8" else _h264(packets, found, look=look)
        if picture is None:
            continue
        started = started or picture[0]
        if started:
            yield packets[0].timestamp, *picture


def _grouped(packets: Iterable[Ordered]) -> Iterator[list[Ordered]]:
    """The packets of one timestamp each, of those pictures whose packets are all there up to the marked one."""
    group: list[Ordered] = []
    for packet in packets:
        if group and packet.timestamp != group[0].timestamp:
            group = []
        group.append(packet)
        if packet.marker:
            if group[-1].sequence - group[0].sequence + 1 == len(group):
                yield group
            group = []


def _vp8(packets: list[Ordered]) -> tuple[bool, bytes] | None:
    pieces = [vp8.payload_of(packet.payload) for packet in packets]
    whole = [piece for piece in pieces if piece is not None]
    if len(whole) < len(pieces) or not whole[0][1]:
        return None
    data = b"".join(piece for piece, _ in whole)
    return vp8.is_key(data), data


def _h264(packets: list[Ordered], found: Found, *, look: bool) -> tuple[bool, bytes] | None:
    units = h264.units_of(packet.payload for packet in packets)
    if not units:
        return None
    kinds = [unit[0] & 0x1F for unit in units]
    if look:
        sets = dict(zip(kinds, units, strict=True))
        found.parameters = sets.get(h264.SPS, found.parameters[0]), sets.get(h264.PPS, found.parameters[1])
    return h264.IDR in kinds, h264.with_lengths(units)


def _sounds(found: Found) -> Iterator[Unit]:
    """The packets of sound, and what fills the time in which there is none."""
    before: Ordered | None = None
    following = 0
    for packet in in_order(_ordered(found.stretch, found.mjr)):
        samples = opus.samples_of(packet.payload)
        if not samples or (before is not None and packet.timestamp < following - samples // 2):
            continue
        if before is not None:
            yield from _filled(found, before, following, packet)
        yield Unit(found.fit.instant(packet.timestamp), _nanoseconds(samples), True, packet.payload)
        before, following = packet, packet.timestamp + samples


def _filled(found: Found, before: Ordered, start: int, after: Ordered) -> Iterator[Unit]:
    missing = (after.timestamp - start) / opus.RATE
    if not _LEAST_SILENCE <= missing <= _MOST_SILENCE:
        return
    lost = after.sequence != before.sequence + 1
    filler = opus.absent(before.payload) if missing <= (CONCEALED if lost else PAUSE) else opus.SILENCE
    samples = opus.samples_of(filler)
    for timestamp in range(start, after.timestamp - samples // 2, samples):
        yield Unit(found.fit.instant(timestamp), _nanoseconds(samples), True, filler)


def _nanoseconds(samples: int) -> int:
    return samples * NANOSECONDS // opus.RATE


def silence(start: int, end: int) -> Iterator[Unit]:
    """Silence between two instants: between two stretches of a track."""
    length = _nanoseconds(opus.SILENCE_SAMPLES)
    if end - start <= _MOST_SILENCE * NANOSECONDS:
        for at in range(start, end - length // 2, length):
            yield Unit(at, length, True, opus.SILENCE)
