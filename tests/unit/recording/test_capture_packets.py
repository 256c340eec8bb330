"""Capture files: read whole, cut off, damaged; packets put in order; the publisher's clock told from its packets."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.recording.capture import h264, mjr, opus, vp8
from callboard.recording.capture.clockfit import blocks_of, fit
from callboard.recording.capture.mjr import Packet, Unreadable
from callboard.recording.capture.order import in_order, unwrapped
from callboard.testing.captures import WRITTEN_AT, Sent, write_mjr

TONE = b"\x78" + bytes(40)  # 20 ms of CELT


def speech(count: int, sequence: int = 0, timestamp: int = 0) -> list[Sent]:
    return [Sent(20.0 * n, sequence + n, timestamp + 960 * n, TONE + bytes([n % 256])) for n in range(count)]


def packets(path: Path) -> list[Packet]:
    info = mjr.header(path)
    assert info is not None
    return list(mjr.read(path, info))


def test_packets_are_read_with_the_times_at_which_they_came(tmp_path: Path) -> None:
    read = packets(write_mjr(tmp_path / "a.mjr", speech(3)))
    assert [one.sequence for one in read] == [0, 1, 2]
    assert [one.arrived_at for one in read] == [WRITTEN_AT * 1000 + n * 20_000_000 for n in range(3)]
    assert read[2].payload == TONE + b"\x02"
    assert read[2].marker


def test_a_file_cut_off_anywhere_is_read_up_to_its_last_whole_packet(tmp_path: Path) -> None:
    path = write_mjr(tmp_path / "a.mjr", speech(4))
    data = path.read_bytes()
    whole = len(packets(path))
    for length in range(len(data)):
        path.write_bytes(data[:length])
        info = mjr.header(path)
        found = 0 if info is None else len(list(mjr.read(path, info)))
        assert found <= whole
        assert info is None or found >= (length - 100) // 67


def test_damage_in_the_middle_costs_only_what_is_damaged(tmp_path: Path) -> None:
    path = write_mjr(tmp_path / "a.mjr", speech(20))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 70] = bytes(70)
    path.write_bytes(data)
    assert [one.sequence for one in packets(path)][-1] == 19
    assert len(packets(path)) >= 17


def test_what_is_no_capture_is_said_to_be_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "x.mjr"
    path.write_bytes(b"something else altogether")
    with pytest.raises(Unreadable, match="not a recording"):
        mjr.header(path)
    path.write_bytes(b"MJR00002\x00\x04{no}")
    with pytest.raises(Unreadable, match="damaged header"):
        mjr.header(path)
    path.write_bytes(b"MJR00002")
    assert mjr.header(path) is None


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_packets_that_overtook_one_another_or_came_twice_are_put_in_order(
    sequence: int, timestamp: int, chance: random.Random
) -> None:
    sent = [
        Packet(n * 20_000_000, (sequence + n) % 65536, (timestamp + 960 * n) % 2**32, True, bytes([n % 256]))
        for n in range(60)
    ]
    late = sorted(sent[1:], key=lambda one: one.arrived_at + chance.randrange(400_000_000))
    came = [packet._replace(arrived_at=n * 20_000_000) for n, packet in enumerate([sent[0], *late, *late[-3:]])]
    ordered = list(in_order(unwrapped(came)))
    assert [one.payload for one in ordered] == [one.payload for one in sent]
    assert [one.timestamp - ordered[0].timestamp for one in ordered] == [960 * n for n in range(60)]


def arrivals(seconds: float, ppm: float, seed: int, suspended: float = 0.0) -> list[tuple[int, int]]:
    """A publisher whose clock runs `ppm` faster, behind a network that delays by 30 ms or much more."""
    chance = random.Random(seed)
    found = []
    for n in range(int(seconds * 50)):
        real = n * 0.02
        if 60 <= real < 60 + suspended:
            continue
        shown = real * (1 + ppm * 1e-6) - (suspended if real >= 60 else 0.0)
        came = real + 0.03 + chance.expovariate(1 / 0.02)
        if 40 < real < 48:
            came = max(came, 48.1)  # nothing came through for eight seconds
        found.append((round(came * 1e9), round(shown * 48_000)))
    return sorted(found)


@pytest.mark.parametrize("ppm", [-200.0, 0.0, 35.0, 200.0])
def test_drift_is_found_below_all_delays(ppm: float) -> None:
    sent = arrivals(600, ppm, seed=3)
    found = fit(*blocks_of(sent, 48_000), 48_000)
    assert found.drift_ppm == pytest.approx(ppm, abs=5)
    for real in (1.0, 300.0, 599.0):
        timestamp = round(real * (1 + ppm * 1e-6) * 48_000)
        assert found.instant(timestamp) / 1e9 - real == pytest.approx(0.03, abs=0.004)


def test_of_a_short_recording_no_drift_is_made_up_out_of_jitter() -> None:
    found = fit(*blocks_of(arrivals(8, 0.0, seed=1), 48_000), 48_000)
    assert found.drift_ppm == 0.0


def test_a_publisher_whose_clock_stood_still_is_placed_rightly_before_and_after() -> None:
    sent = arrivals(120, 0.0, seed=2, suspended=10.0)
    found = fit(*blocks_of(sent, 48_000), 48_000)
    assert found.instant(30 * 48_000) / 1e9 == pytest.approx(30.03, abs=0.01)
    assert found.instant(70 * 48_000) / 1e9 == pytest.approx(80.03, abs=0.01)


def test_a_stall_of_the_network_is_no_jump_of_the_clock() -> None:
    found = fit(*blocks_of(arrivals(120, 0.0, seed=4), 48_000), 48_000)
    assert found.instant(100 * 48_000) / 1e9 == pytest.approx(100.03, abs=0.01)
    assert found.instant(41 * 48_000) / 1e9 == pytest.approx(41.03, abs=0.01)


def test_opus_packets_say_how_long_they_last() -> None:
    assert opus.samples_of(TONE) == 960
    assert opus.samples_of(opus.SILENCE) == opus.SILENCE_SAMPLES
    assert opus.samples_of(b"\x7b\x03") == 3 * 960
    assert opus.samples_of(b"") == 0


def test_vp8_descriptors_of_every_length_are_cut_off() -> None:
    key = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x01"
    assert vp8.payload_of(b"\x10" + key) == (key, True)
    assert vp8.payload_of(b"\x90\x80\x05" + key) == (key, True)
    assert vp8.payload_of(b"\x80\xf0\x80\x01\x05\x20" + key) == (key, False)
    assert vp8.payload_of(b"\x90") is None
    assert vp8.size_of(key) == (640, 360)


def test_h264_fragments_and_aggregates_become_units() -> None:
    stap = b"\x78\x00\x02\x67\x01\x00\x02\x68\x02"
    fragments = [b"\x7c\x85ab", b"\x7c\x05cd", b"\x7c\x45ef"]
    assert h264.units_of([stap, *fragments]) == [b"\x67\x01", b"\x68\x02", b"\x65abcdef"]
    assert h264.units_of(fragments[1:]) == []
    assert h264.with_lengths([b"\x65ab"]) == b"\x00\x00\x00\x03\x65ab"


def test_an_h264_parameter_set_says_the_size_of_the_picture() -> None:
    baseline = bytes.fromhex("6742c01f95a014016e40")
    assert h264.size_of(baseline)[0] % 2 == 0
    with pytest.raises(ValueError, match="cut off"):
        h264.size_of(b"\x67\x42")
