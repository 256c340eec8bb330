"""What a truth picture says: who made it, which frame it is, and when; as 80 bits with a check.

Owns: `Stamp` and its packing. Pure.

Always holds: `unpack(pack(stamp)) == stamp`, and bits that `pack` did not make are refused (a fixed nibble and a
CRC-16: one in a million of random words passes).

Bits, most significant first:

    4   the mark 0b1010
    4   publisher, 0 … 15
    24  frame counter, modulo 2^24 (6 days at 30 frames a second)
    32  clock: milliseconds since the epoch that publishers and judge agreed on (49 days)
    16  CRC-16/CCITT (start value 0xFFFF) of the 64 bits before
"""

from __future__ import annotations

from binascii import crc_hqx
from dataclasses import dataclass

BITS = 80
PUBLISHERS = 16
COUNTERS = 1 << 24
CLOCKS = 1 << 32
_MARK = 0b1010


@dataclass(frozen=True, slots=True)
class Stamp:
    """`publisher` 0 … 15; `counter` grows by one with every frame; `clock` in milliseconds since the epoch."""

    publisher: int
    counter: int
    clock: int


def pack(stamp: Stamp) -> int:
    """The stamp as an integer of `BITS` bits. Raises `ValueError` for a publisher or a clock out of range."""
    if not 0 <= stamp.publisher < PUBLISHERS:
        raise ValueError(f"publisher {stamp.publisher}: allowed are 0 to {PUBLISHERS - 1}")
    if not 0 <= stamp.clock < CLOCKS:
        raise ValueError(f"clock {stamp.clock} ms: allowed are 0 to {CLOCKS - 1}")
    word = _MARK << 60 | stamp.publisher << 56 | stamp.counter % COUNTERS << 32 | stamp.clock
    return word << 16 | _check(word)


def unpack(bits: int) -> Stamp | None:
    """The stamp, or None when the bits are none of ours."""
    word = bits >> 16
    if word >> 60 != _MARK or bits & 0xFFFF != _check(word):
        return None
    return Stamp(word >> 56 & 0xF, word >> 32 & (COUNTERS - 1), word & (CLOCKS - 1))


def _check(word: int) -> int:
    return crc_hqx(word.to_bytes(8, "big"), 0xFFFF)
