"""Reading Janus's recordings: RTP packets with the time at which each arrived.

Owns: `Mjr`, `Packet`, `read`.

Always holds: a file that ends in the middle of a packet (its writer was killed, the disk was full) is read up to there;
one that is damaged in the middle is read on from the next whole packet. Source: record.c of Janus 1.1.2: `MJR00002`, a
JSON header with its length, then for each packet `MEET`, milliseconds since the first one, length, packet.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

_MAGIC = b"MJR00002"
_FRAME = b"MEET"
_HEAD = struct.Struct(">4sIH")
_RTP = struct.Struct(">BBHII")


class Unreadable(Exception):  # noqa: N818 - what the file is
    """The file is not a recording of ours, or none of it can be read."""


class Packet(NamedTuple):
    """An RTP packet without what was around its payload. `arrived_at` is an instant, exact to a millisecond."""

    arrived_at: int
    sequence: int
    timestamp: int
    marker: bool
    payload: bytes


class _Info(msgspec.Struct):
    t: Literal["a", "v", "d"]
    c: str
    u: int
    s: int = 0


@dataclass(frozen=True, slots=True)
class Mjr:
    """What the file's header says. `written_at` is the instant of the first packet."""

    kind: Literal["audio", "video"]
    codec: str
    written_at: int
    offset: int


def header(path: Path) -> Mjr | None:
    """The header, or None of a file into which nothing was written yet. Raises `Unreadable`, `OSError`."""
    with path.open("rb") as file:
        begin = file.read(len(_MAGIC) + 2)
        if len(begin) < len(_MAGIC) + 2 and _MAGIC.startswith(begin[: len(_MAGIC)]):
            return None
        if not begin.startswith(_MAGIC):
            raise Unreadable(f"{path.name} is not a recording of Janus")
        length = int.from_bytes(begin[len(_MAGIC) :], "big")
        text = file.read(length)
    if len(text) < length:
        return None
    try:
        info = msgspec.json.decode(text, type=_Info)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"{path.name} has a damaged header: {error}") from error
    kind: Literal["audio", "video"] = "audio" if info.t == "a" else "video"
    return Mjr(kind, info.c, info.u * 1000, len(begin) + length)


def read(path: Path, mjr: Mjr) -> Iterator[Packet]:
    """The packets in the order in which they arrived. Raises `OSError`."""
    with path.open("rb") as file:
        size = path.stat().st_size
        if size <= mjr.offset:
            return
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            for start, length, milliseconds in _frames(data, mjr.offset, size):
                packet = _packet(data[start : start + length], mjr.written_at + milliseconds * 1_000_000)
                if packet is not None:
                    yield packet


def _frames(data: mmap.mmap, offset: int, size: int) -> Iterator[tuple[int, int, int]]:
    """Where each packet begins, how long it is, and when it came."""
    while offset + _HEAD.size <= size:
        magic, milliseconds, length = _HEAD.unpack_from(data, offset)
        end = offset + _HEAD.size + length
        sound = magic == _FRAME and (end + 4 > size or data[end : end + 4] == _FRAME)
        if not sound:
            found = data.find(_FRAME, offset + 1)
            if found < 0:
                return
            offset = found
            continue
        if end > size:
            return
        yield offset + _HEAD.size, length, milliseconds
        offset = end


def _packet(data: bytes, arrived_at: int) -> Packet | None:
    """RFC 3550 §5.1; None for what is no RTP packet."""
    if len(data) < _RTP.size or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, _ = _RTP.unpack_from(data)
    start, end = _RTP.size + 4 * (first & 0xF), len(data)
    if first & 0x10:
        if start + 4 > end:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= data[-1]
    if start >= end:
        return None  # nothing in it: padding, to probe the bandwidth
    return Packet(arrived_at, sequence, timestamp, bool(second & 0x80), data[start:end])
