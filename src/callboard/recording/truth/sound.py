"""A truth sound: a soft pilot tone that is always there, and once a second a burst that says whose and which second.

Owns: the layout, and synthesis. Pure.

Always holds: the sound is a function of publisher and time only. Time is counted in samples (48,000 a second) since
the epoch that publishers and judge agreed on.

* Pilot: a sine at 400 + 100 · publisher Hz. Where it is missing, sound is missing.
* Burst: starts at each full second + `slot`, lasts 120 ms: six tones of 20 ms, each saying 4 bits. They are publisher,
  second modulo 256 (8 bits), check (12 bits of a CRC), each nibble turned by its position so that the tone always
  changes. Tone n of the publisher's band is 2100 + 850 · band + 50 · n Hz, band = publisher modulo 4. All tones are
  multiples of 50 Hz: whole waves in 20 ms, so phases fit at the seams and tones don't leak into each other.
* Slots of a quarter of a second differ for publishers of one band; for four publishers of consecutive ids both band
  and slot differ. So 16 publishers can be mixed and told apart.

All of it lies between 400 and 5,400 Hz: Opus from wideband upwards and AAC keep it, the telephone band does not.
Noise suppression must be off: the pilot is what it is made to remove.
"""

from __future__ import annotations

import math
from array import array
from binascii import crc_hqx
from functools import lru_cache
from operator import add

from callboard.recording.truth.stamp import PUBLISHERS

RATE = 48_000
SECONDS = 256
"""Bursts count seconds modulo this."""

SYMBOLS = 6
SYMBOL = 0.020
BURST = SYMBOLS * SYMBOL
TONES = 16
BANDS = 4
PILOT_LEVEL, BURST_LEVEL = 0.04, 0.16  # of full scale

_SYMBOL = 960  # samples
_BURST = SYMBOLS * _SYMBOL
_PILOT_PERIOD = 480
_EDGE = 96  # a burst begins and ends softly, in 2 ms
_FULL_SCALE = 32767


def slot(publisher: int) -> float:
    """Seconds after the full second at which the publisher's bursts start."""
    return (publisher + publisher // BANDS) % BANDS / BANDS


def pilot_frequency(publisher: int) -> int:
    return 400 + 100 * publisher


def band(publisher: int) -> int:
    return publisher % BANDS


def tone_frequency(number: int, tone: int) -> int:
    """The frequency of a tone, 0 … 15, of a band, 0 … 3."""
    return 2100 + 850 * number + 50 * tone


def tones(publisher: int, second: int) -> tuple[int, ...]:
    """The six tones of a burst, 0 … 15 each."""
    said = publisher << 8 | second % SECONDS
    word = said << 12 | crc_hqx(said.to_bytes(2, "big"), 0xFFFF) & 0xFFF
    return tuple((word >> 20 - 4 * place) + 5 * place & 0xF for place in range(SYMBOLS))


def understand(heard: tuple[int, ...]) -> tuple[int, int] | None:
    """Publisher and second modulo 256 that six tones say, or None when they are no burst of ours."""
    word = 0
    for place, tone in enumerate(heard):
        word = word << 4 | (tone - 5 * place & 0xF)
    publisher, second = word >> 20, word >> 12 & 0xFF
    return (publisher, second) if tones(publisher, second) == heard else None


def synthesize(publisher: int, first: int, count: int) -> array[int]:
    """`count` samples from sample number `first` ≥ 0 on, signed 16 bit. Raises `ValueError` for a wrong publisher."""
    if not 0 <= publisher < PUBLISHERS:
        raise ValueError(f"publisher {publisher}: allowed are 0 to {PUBLISHERS - 1}")
    period = _pilot(publisher)
    offset = first % _PILOT_PERIOD
    samples = (period * (count // _PILOT_PERIOD + 2))[offset : offset + count]
    offset = round(slot(publisher) * RATE)
    for second in range((first - offset - _BURST) // RATE, (first + count - offset) // RATE + 1):
        start = second * RATE + offset - first
        begin, end = max(0, start), min(count, start + _BURST)
        if second >= 0 and begin < end:
            burst = _burst(publisher, second % SECONDS)
            samples[begin:end] = array("h", map(add, samples[begin:end], burst[begin - start : end - start]))
    return samples


@lru_cache(maxsize=PUBLISHERS)
def _pilot(publisher: int) -> array[int]:
    turn = 2 * math.pi * pilot_frequency(publisher) / RATE
    return array("h", [round(PILOT_LEVEL * _FULL_SCALE * math.sin(turn * n)) for n in range(_PILOT_PERIOD)])


@lru_cache(maxsize=64)
def _burst(publisher: int, second: int) -> array[int]:
    samples = array("h")
    for tone in tones(publisher, second):
        samples.extend(_tone(tone_frequency(band(publisher), tone)))
    for n in range(_EDGE):
        gain = (1 - math.cos(math.pi * (n + 0.5) / _EDGE)) / 2
        samples[n] = round(gain * samples[n])
        samples[-1 - n] = round(gain * samples[-1 - n])
    return samples


@lru_cache(maxsize=TONES * BANDS)
def _tone(frequency: int) -> array[int]:
    turn = 2 * math.pi * frequency / RATE
    return array("h", [round(BURST_LEVEL * _FULL_SCALE * math.sin(turn * n)) for n in range(_SYMBOL)])
