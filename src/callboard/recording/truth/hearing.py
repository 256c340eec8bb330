"""Hearing truth sounds in samples: pilots window by window, bursts with their instants.

Owns: `Ear`. Pure: it is fed samples with their times; it knows no file.

Always holds: memory is bounded: about a second of samples, and what was heard (a few bytes per second and publisher).
A burst that is reported passed its check. The layout is `sound.py`'s.

How: windows of 20 ms every 10 ms, in which all our frequencies are whole waves, so each is one bin of a discrete
Fourier transform and they don't disturb each other. Where more than pilots is heard, the strongest tone of each band
is noted; six in a row that pass the check are a burst. Its instant is where its exact wave correlates best.
"""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import add, mul, sub

from callboard.recording.truth.sound import (
    BANDS,
    SYMBOL,
    SYMBOLS,
    TONES,
    band,
    pilot_frequency,
    tone_frequency,
    tones,
    understand,
)
from callboard.recording.truth.stamp import PUBLISHERS

RATE = 12_000
"""Samples a second that an `Ear` is fed."""

_WINDOW = 240
_HALF = _WINDOW // 2
_HOP = 120
_HOPS = SYMBOLS * 2  # windows from a burst's first to the one after its last
_BURST = SYMBOLS * _WINDOW
_SEARCH = 120  # how far, in samples, the instant of a burst may be from where its windows were
_JUMP = 0.1  # seconds: what comes after a larger hole is heard by itself
_SEAM = 0.005  # seconds: a smaller hole is rounding

_FAINTEST = (30 * _HALF) ** 2.0  # power of a tone of amplitude 30, of 32,767: -61 dB
_DOMINANT = 0.4  # the least share of its band's power that a symbol's tone has
_LOUDER = 0.02  # energy beyond the pilots', as a share of theirs, from which on a burst is looked for
_FLOOR = _WINDOW / 2 * 60.0**2


@dataclass(slots=True)
class Heard:
    """What was heard of one publisher. Times in seconds, as fed.

    `bursts` are (instant of the start, second modulo 256); `stretches` are where the pilot was heard, (from, to).
    """

    bursts: list[tuple[float, int]] = field(default_factory=list)
    stretches: list[tuple[float, float]] = field(default_factory=list)
    level: float = 0.0


class Ear:
    """Feed it all of a sound, then `finish`; `heard` tells."""

    def __init__(self) -> None:
        self.heard = {publisher: Heard() for publisher in range(PUBLISHERS)}
        self._samples: list[float] = []
        self._times: deque[tuple[int, float]] = deque()  # (index in `_samples`, its time), ascending
        self._next = 0  # index of the next window
        self._tones: deque[tuple[int | None, ...]] = deque(maxlen=_HOPS - 1)

    def feed(self, at: float, samples: Sequence[int]) -> None:
        """Hear samples, the first of which is to be heard at `at`. Times may have holes."""
        if self._samples and abs(at - self._time(len(self._samples))) > _JUMP:
            self.finish()
        self._times.append((len(self._samples), at))
        self._samples.extend(map(float, samples))
        while self._next + _WINDOW + _HOP <= len(self._samples):
            self._listen()
        if self._next > RATE:
            self._forget(self._next - _HOPS * _HOP - _SEARCH)

    def finish(self) -> None:
        """Hear what is left."""
        while self._next + _WINDOW <= len(self._samples):
            self._listen()
        if self._next:
            self._extend_to_the_end()
        self._samples.clear()
        self._times.clear()
        self._tones.clear()
        self._next = 0

    def _listen(self) -> None:
        window = self._samples[self._next : self._next + _WINDOW]
        even = list(map(add, window[:_HALF], window[_HALF:]))
        pilots = [_power(even, pilot_frequency(publisher)) for publisher in range(PUBLISHERS)]
        self._note_pilots(pilots)
        rest = sum(map(mul, window, window)) - sum(pilots) / _HALF
        if rest > _FLOOR + _LOUDER * sum(pilots) / _HALF:
            odd = list(map(sub, window[:_HALF], window[_HALF:]))
            self._tones.append(tuple(_strongest(even, odd, number) for number in range(BANDS)))
            self._note_bursts()
        else:
            self._tones.append((None,) * BANDS)
        self._next += _HOP

    def _note_pilots(self, powers: list[float]) -> None:
        """A pilot is heard in a window when it has half of its usual amplitude: then it fills half of the window."""
        middle = self._time(self._next + _HALF)
        hop = _HOP / RATE
        for publisher, power in enumerate(powers):
            heard = self.heard[publisher]
            heard.level = max(heard.level * 0.96, power)
            if power < _FAINTEST or power < heard.level / 4:
                continue
            start, end = middle - hop / (2 if self._tones else 1), middle + hop / 2
            if heard.stretches and abs(heard.stretches[-1][1] - start) < _SEAM:
                start = heard.stretches.pop()[0]
            heard.stretches.append((start, end))

    def _extend_to_the_end(self) -> None:
        """A stretch that reached the last window reaches to the last sample."""
        reached = self._time(self._next - _HOP + _HALF) + _HOP / RATE / 2
        for heard in self.heard.values():
            if heard.stretches and abs(heard.stretches[-1][1] - reached) < _SEAM:
                heard.stretches[-1] = (heard.stretches[-1][0], self._time(len(self._samples)))

    def _note_bursts(self) -> None:
        if len(self._tones) < _HOPS - 1:
            return
        start = self._next - (_HOPS - 2) * _HOP
        for number in range(BANDS):
            six = tuple(tone for window in list(self._tones)[::2] if (tone := window[number]) is not None)
            said = understand(six) if len(six) == SYMBOLS else None
            if said is None or band(said[0]) != number:
                continue
            publisher, second = said
            at = self._time(_align(self._samples, start, publisher, second))
            bursts = self.heard[publisher].bursts
            if not any(second == other and abs(at - then) < SYMBOL for then, other in bursts[-2:]):
                bursts.append((at, second))

    def _time(self, index: int) -> float:
        for start, at in reversed(self._times):
            if start <= index:
                return at + (index - start) / RATE
        start, at = self._times[0]
        return at + (index - start) / RATE

    def _forget(self, count: int) -> None:
        """Drop the oldest samples, and the times that only they needed."""
        del self._samples[:count]
        self._next -= count
        while len(self._times) > 1 and self._times[1][0] <= count:
            self._times.popleft()
        self._times = deque((index - count, at) for index, at in self._times)


def _strongest(even: list[float], odd: list[float], number: int) -> int | None:
    """The tone that is heard in a band, if it is clearly one."""
    powers = []
    for tone in range(TONES):
        frequency = tone_frequency(number, tone)
        powers.append(_power(odd if frequency // 50 % 2 else even, frequency))
    most = max(powers)
    return powers.index(most) if most > max(_FAINTEST, _DOMINANT * sum(powers)) else None


def _power(folded: list[float], frequency: int) -> float:
    """Squared magnitude of one bin. A window folded in two: bins of even number live in the sum of its halves."""
    cosine, sine = _waves(frequency)
    real: float = sum(map(mul, folded, cosine))
    imaginary: float = sum(map(mul, folded, sine))
    return real * real + imaginary * imaginary


@lru_cache(maxsize=128)
def _waves(frequency: int) -> tuple[list[float], list[float]]:
    turn = 2 * math.pi * frequency / RATE
    return [math.cos(turn * n) for n in range(_HALF)], [math.sin(turn * n) for n in range(_HALF)]


def _align(samples: list[float], near: int, publisher: int, second: int) -> int:
    """Index of the sample near `near` with which the burst begins: coarsely, then to one sample (83 µs)."""
    waves = _burst_waves(publisher, second)

    def likeness(start: int) -> float:
        part = samples[start : start + _BURST]
        strength: float = sum(sum(map(mul, part, wave)) ** 2 for wave in waves)
        return strength

    lowest, highest = max(0, near - _SEARCH), max(0, min(near + _SEARCH, len(samples) - _BURST))
    coarse = max(range(lowest, highest + 1, 4), key=likeness)
    return max(range(max(0, coarse - 3), coarse + 4), key=likeness)


def _burst_waves(publisher: int, second: int) -> tuple[array[float], array[float]]:
    cosine, sine = array("d"), array("d")
    for tone in tones(publisher, second):
        turn = 2 * math.pi * tone_frequency(band(publisher), tone) / RATE
        cosine.extend(math.cos(turn * n) for n in range(_WINDOW))
        sine.extend(math.sin(turn * n) for n in range(_WINDOW))
    return cosine, sine
