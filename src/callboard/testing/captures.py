"""Capture files as Janus writes them, made by hand.

Owns: `Sent`, `write_mjr`, and coded pictures cut into packets.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

WRITTEN_AT = 1_700_000_000_000_000
"""When the first packet came: microseconds since the epoch, as Janus writes it."""

MTU = 1_100
"""Bytes of a picture in a packet, at most."""
_START = re.compile(rb"\x00\x00\x00?\x01")


class Sent(NamedTuple):
    """An RTP packet: when it arrives (milliseconds after the first), and what it says."""

    at: float
    sequence: int
    timestamp: int
    payload: bytes
    marker: bool = True


def write_mjr(path: Path, packets: Iterable[Sent], codec: str = "opus", written_at: int = WRITTEN_AT) -> Path:
    """Write the packets, in the order in which they are given; return `path`."""
    kind = "a" if codec == "opus" else "v"
    info = json.dumps({"t": kind, "c": codec, "s": written_at - 5, "u": written_at}).encode()
    with path.open("wb") as file:
        file.write(b"MJR00002" + len(info).to_bytes(2, "big") + info)
        for sent in packets:
            rtp = struct.pack(
                ">BBHII", 0x80, 96 | sent.marker << 7, sent.sequence & 0xFFFF, sent.timestamp & 0xFFFFFFFF, 7
            )
            data = rtp + sent.payload
            file.write(b"MEET" + struct.pack(">IH", int(sent.at), len(data)) + data)
    return path


def vp8_chunks(picture: bytes) -> Sequence[bytes]:
    """A coded picture as payloads of RTP packets (RFC 7741)."""
    pieces = [picture[at : at + MTU] for at in range(0, len(picture), MTU)]
    return [(b"\x00" if index else b"\x10") + piece for index, piece in enumerate(pieces)]


def h264_chunks(picture: bytes) -> Sequence[bytes]:
    """A coded picture (with start codes) as payloads of RTP packets: units, or fragments of them (RFC 6184, FU-A)."""
    chunks: list[bytes] = []
    for unit in _START.split(picture)[1:]:
        if len(unit) <= MTU:
            chunks.append(unit)
            continue
        indicator, kind, body = unit[0] & 0xE0 | 28, unit[0] & 0x1F, unit[1:]
        pieces = [body[at : at + MTU] for at in range(0, len(body), MTU)]
        for index, piece in enumerate(pieces):
            ends = (0x80 if index == 0 else 0) | (0x40 if index == len(pieces) - 1 else 0)
            chunks.append(bytes([indicator, ends | kind]) + piece)
    return chunks
