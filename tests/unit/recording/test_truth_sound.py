"""Truth sounds: synthesis, and hearing them again at 12 kHz with exact instants."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.recording.truth.hearing import RATE as EAR_RATE
from callboard.recording.truth.hearing import Ear, Heard
from callboard.recording.truth.sound import RATE, SECONDS, SYMBOLS, TONES, slot, synthesize, tones, understand
from callboard.recording.truth.stamp import PUBLISHERS

EVERY = RATE // EAR_RATE


def mixed(publishers: Sequence[int], seconds: float, first: int = 0, gain: float = 1.0) -> list[int]:
    """At the ear's rate. (All of it lies below 5.4 kHz: every fourth sample is enough, without a filter.)"""
    voices = [synthesize(publisher, first, round(seconds * RATE))[::EVERY] for publisher in publishers]
    return [round(gain * sum(values)) for values in zip(*voices, strict=True)]


def hear(samples: Sequence[int], at: float = 0.0, block: int = 240) -> dict[int, Heard]:
    ear = Ear()
    for start in range(0, len(samples), block):
        ear.feed(at + start / EAR_RATE, samples[start : start + block])
    ear.finish()
    return ear.heard


def errors(heard: Heard, publisher: int) -> list[float]:
    """Seconds by which bursts were heard too late."""
    return [at - said - slot(publisher) for at, said in heard.bursts]


@given(st.integers(0, PUBLISHERS - 1), st.integers(0, 10_000))
def test_six_tones_say_who_and_which_second(publisher: int, second: int) -> None:
    assert understand(tones(publisher, second)) == (publisher, second % SECONDS)


@given(st.integers(0, PUBLISHERS - 1), st.integers(0, 255), st.integers(0, SYMBOLS - 1), st.integers(1, TONES - 1))
def test_one_wrong_tone_is_always_noticed(publisher: int, second: int, place: int, by: int) -> None:
    heard = list(tones(publisher, second))
    heard[place] = (heard[place] + by) % TONES
    assert understand(tuple(heard)) is None


@given(st.integers(0, PUBLISHERS - 1), st.integers(0, 400_000), st.lists(st.integers(1, 3000), min_size=1, max_size=9))
def test_pieces_fit_together_wherever_they_are_cut(publisher: int, first: int, counts: list[int]) -> None:
    starts = [first + sum(counts[:index]) for index in range(len(counts))]
    pieces = [synthesize(publisher, start, count) for start, count in zip(starts, counts, strict=True)]
    assert array("h", chain(*pieces)) == synthesize(publisher, first, sum(counts))


@pytest.mark.parametrize("publishers", [[0], [3], [15], [0, 1, 2, 3], [2, 6, 10, 14], list(range(16))])
def test_each_of_several_is_heard_at_its_instants(publishers: list[int]) -> None:
    heard = hear(mixed(publishers, 4.1))
    for publisher in publishers:
        assert [said for _, said in heard[publisher].bursts] == [0, 1, 2, 3]
        assert max(map(abs, errors(heard[publisher], publisher))) < 0.001
    assert all(not heard[publisher].bursts for publisher in range(16) if publisher not in publishers)


def test_it_is_heard_at_minus_20_decibels_under_noise() -> None:
    chance = random.Random(1)
    samples = [value + round(chance.gauss(0, 30)) for value in mixed([1, 2], 4.0, gain=0.1)]
    heard = hear(samples)
    for publisher in (1, 2):
        assert len(heard[publisher].bursts) == 4
        assert max(map(abs, errors(heard[publisher], publisher))) < 0.002


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 48_000), st.integers(1, 700), st.floats(-3, 300))
def test_the_instant_depends_neither_on_where_the_sound_begins_nor_on_the_blocks(
    first: int, block: int, at: float
) -> None:
    heard = hear(mixed([9], 2.2, first=first), at, block)[9]
    assert heard.bursts
    for instant, said in heard.bursts:
        assert abs(instant - at - (said + slot(9) - first / RATE)) < 0.001


def test_a_pilot_tells_to_ten_milliseconds_when_there_is_sound() -> None:
    samples = mixed([4], 3.0)
    samples[12_000:13_200] = [0] * 1200  # 100 ms at 1 s
    samples[24_000:24_360] = [0] * 360  # 30 ms at 2 s
    stretches = hear(samples)[4].stretches
    edges = [edge for stretch in stretches for edge in stretch]
    assert len(edges) == 6
    for edge, true in zip(edges, [0.0, 1.0, 1.1, 2.0, 2.03, 3.0], strict=True):
        assert abs(edge - true) <= 0.0101


def test_the_ends_of_a_sound_are_exact_and_gaps_are_on_average_as_long_as_they_are() -> None:
    measured = []
    for begin in range(12_000, 12_120, 8):
        samples = mixed([4], 2.0)[:23_951]
        samples[begin : begin + 480] = [0] * 480  # 40 ms
        (start, gap_start), (gap_end, end) = hear(samples)[4].stretches
        assert start == pytest.approx(0, abs=0.001)
        assert end == pytest.approx(23_951 / EAR_RATE, abs=0.001)
        measured.append(gap_end - gap_start)
    assert sum(measured) / len(measured) == pytest.approx(0.04, abs=0.004)


def test_a_hole_in_the_times_is_a_hole_in_what_was_heard() -> None:
    samples = mixed([4], 3.0)
    ear = Ear()
    ear.feed(0.0, samples[:12_000])
    ear.feed(1.06, samples[12_720:24_000])
    ear.feed(2.5, samples[30_000:])
    ear.finish()
    edges = [edge for stretch in ear.heard[4].stretches for edge in stretch]
    for edge, true in zip(edges, [0.0, 1.0, 1.06, 2.0, 2.5, 3.0], strict=True):
        assert abs(edge - true) <= 0.0101
    assert max(map(abs, errors(ear.heard[4], 4))) < 0.001


def test_memory_stays_bounded_however_long_it_listens() -> None:
    ear = Ear()
    second = mixed([2], 1.0)
    for number in range(8):
        ear.feed(float(number), second)
        assert len(ear._samples) < 2.5 * EAR_RATE
        assert len(ear._times) <= 3


def test_nothing_of_ours_is_heard_in_silence_noise_and_music() -> None:
    chance = random.Random(5)
    noise = [round(chance.gauss(0, 6000)) for _ in range(5 * EAR_RATE)]
    music = [
        round(sum(4000 * math.sin(2 * math.pi * f * n / EAR_RATE) for f in (440 * 2 ** (n // 3000 / 12), 880, 2637)))
        for n in range(5 * EAR_RATE)
    ]
    for samples in ([0] * EAR_RATE, noise, music):
        assert not any(heard.bursts for heard in hear(samples).values())


def test_a_publisher_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(ValueError, match="allowed are 0 to 15"):
        synthesize(16, 0, 1)
