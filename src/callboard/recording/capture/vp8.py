"""VP8 out of RTP (RFC 7741) and what its pictures say (RFC 6386 §9.1). Pure."""

from __future__ import annotations


def payload_of(packet: bytes) -> tuple[bytes, bool] | None:
    """A packet's piece of a picture, and whether the picture begins with it; None for a damaged one."""
    if not packet:
        return None
    first, offset = packet[0], 1
    begins = bool(first & 0x10) and first & 0x0F == 0
    if first & 0x80:
        if len(packet) < 2:
            return None
        extended, offset = packet[1], 2
        if extended & 0x80:
            offset += 2 if len(packet) > offset and packet[offset] & 0x80 else 1
        offset += bool(extended & 0x40)
        offset += bool(extended & 0x30)
    return (packet[offset:], begins) if offset < len(packet) else None


def is_key(picture: bytes) -> bool:
    return picture[0] & 1 == 0


def size_of(picture: bytes) -> tuple[int, int] | None:
    """Width and height that a key picture says."""
    if len(picture) < 10 or not is_key(picture) or picture[3:6] != b"\x9d\x01\x2a":
        return None
    return int.from_bytes(picture[6:8], "little") & 0x3FFF, int.from_bytes(picture[8:10], "little") & 0x3FFF
