"""Capture files as Janus writes them, made by hand.

Owns: `Sent`, `write_mjr`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

WRITTEN_AT = 1_700_000_000_000_000
"""When the first packet came: microseconds since the epoch, as Janus writes it."""


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
