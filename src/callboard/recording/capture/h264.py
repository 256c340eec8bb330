"""H.264 out of RTP (RFC 6184), as units with their lengths before them, as in MP4 and Matroska. Pure.

Owns: the units of a picture, the decoder configuration record (ISO/IEC 14496-15 §5.3.3.1), and the size that a
parameter set says (ITU-T H.264 §7.3.2.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

IDR, SPS, PPS = 5, 7, 8
_STAP_A, _FU_A = 24, 28
_WITH_CHROMA = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def units_of(packets: Iterable[bytes]) -> list[bytes]:
    """The units in the packets of one picture. A fragment without its beginning is left out."""
    found: list[bytes] = []
    fragment = bytearray()
    for packet in packets:
        if not packet:
            continue
        kind = packet[0] & 0x1F
        if kind == _FU_A and len(packet) > 2:
            if packet[1] & 0x80:
                fragment = bytearray([(packet[0] & 0xE0) | (packet[1] & 0x1F)])
            if fragment:
                fragment += packet[2:]
            if packet[1] & 0x40 and fragment:
                found.append(bytes(fragment))
                fragment = bytearray()
        elif kind == _STAP_A:
            found += _aggregated(packet)
        elif 1 <= kind <= 23:
            found.append(packet)
    return found


def _aggregated(packet: bytes) -> Iterator[bytes]:
    offset = 1
    while offset + 2 < len(packet):
        length = int.from_bytes(packet[offset : offset + 2], "big")
        yield packet[offset + 2 : offset + 2 + length]
        offset += 2 + length


def with_lengths(units: Iterable[bytes]) -> bytes:
    """One picture as MP4 and Matroska have it."""
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def configuration(sps: bytes, pps: bytes) -> bytes:
    """The decoder configuration record of a stream with these parameter sets."""
    head = bytes([1, sps[1], sps[2], sps[3], 0xFF, 0xE1])
    return head + len(sps).to_bytes(2, "big") + sps + b"\x01" + len(pps).to_bytes(2, "big") + pps


def size_of(sps: bytes) -> tuple[int, int]:
    """Width and height. Raises `ValueError` for a set that is cut off."""
    bits = _Bits(sps[1:].replace(b"\x00\x00\x03", b"\x00\x00"))
    profile = bits.number(8)
    bits.number(16)
    bits.exponential()
    chroma = 1
    if profile in _WITH_CHROMA:
        chroma = bits.exponential()
        if chroma == 3:
            bits.number(1)
        bits.exponential()
        bits.exponential()
        bits.number(1)
        if bits.number(1):
            _skip_scaling(bits, 12 if chroma == 3 else 8)
    bits.exponential()
    _skip_order(bits)
    bits.exponential()
    bits.number(1)
    width, height = 16 * (bits.exponential() + 1), 16 * (bits.exponential() + 1)
    frames_only = bits.number(1)
    height *= 2 - frames_only
    if not frames_only:
        bits.number(1)
    bits.number(1)
    if bits.number(1):
        left, right, top, bottom = (bits.exponential() for _ in range(4))
        across, down = (1 if chroma in {0, 3} else 2), (2 if chroma == 1 else 1) * (2 - frames_only)
        width, height = width - across * (left + right), height - down * (top + bottom)
    return width, height


def _skip_order(bits: _Bits) -> None:
    order = bits.exponential()
    if order == 0:
        bits.exponential()
    elif order == 1:
        bits.number(1)
        bits.exponential()
        bits.exponential()
        for _ in range(bits.exponential()):
            bits.exponential()


def _skip_scaling(bits: _Bits, lists: int) -> None:
    for number in range(lists):
        if not bits.number(1):
            continue
        last = following = 8
        for _ in range(16 if number < 6 else 64):
            if following:
                following = (last + bits.signed()) % 256
            last = following or last


class _Bits:
    """Reads bits, most significant first, and Exp-Golomb codes (§9.1). Raises `ValueError` at the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def number(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("the parameter set is cut off")
        return self._value >> self._left & ((1 << count) - 1)

    def exponential(self) -> int:
        zeros = 0
        while not self.number(1):
            zeros += 1
        return (1 << zeros) - 1 + (self.number(zeros) if zeros else 0)

    def signed(self) -> int:
        code = self.exponential()
        return (code + 1) // 2 if code % 2 else -(code // 2)
