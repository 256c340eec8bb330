"""From marks to numbers: the marks are made up here, so the right numbers are known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.recording.truth.hearing import Heard
from callboard.recording.truth.measure import measure
from callboard.recording.truth.numbers import Offsets, percentile, slope
from callboard.recording.truth.placing import place_picture, place_sound
from callboard.recording.truth.report import Expected, Published, Publisher, Stretch
from callboard.recording.truth.sound import slot
from callboard.recording.truth.stamp import Stamp
from callboard.recording.truth.watching import Seen

WHO = 6


def seen(shown: list[tuple[float, int, float]], end: float) -> Seen:
    """Showings as (file time, counter, source time)."""
    result = Seen()
    for at, counter, clock in shown:
        result.show(at, Stamp(WHO, counter, round(1000 * clock)))
    result.hide(end)
    return result


def steady(first: float, last: float, offset: float = 0.0, rate: int = 30) -> list[tuple[float, int, float]]:
    """All frames between two source times."""
    numbers = range(round(first * rate), round(last * rate))
    return [(n / rate + offset, n, n / rate) for n in numbers]


def heard(first: float, last: float, offset: float = 0.0, who: int = WHO) -> Heard:
    seconds = range(int(first), int(last) + 1)
    instants = [second + slot(who) for second in seconds if first <= second + slot(who) <= last - 0.12]
    return Heard([(at + offset, int(at) % 256) for at in instants], [(first + offset, last + offset)])


def one(picture: Seen | None, sound: Heard | None, expected: Expected | None = None) -> Publisher:
    publishers, _, _ = measure(
        {} if picture is None else {WHO: picture}, {} if sound is None else {WHO: sound}, expected or Expected()
    )
    assert len(publishers) == 1
    return publishers[0]


def test_a_steady_publisher_has_no_faults() -> None:
    found = one(seen(steady(0, 10), 10), heard(0, 10), Expected(starts_at=0.0))
    assert found.picture is not None
    assert found.sound is not None
    assert found.skew is not None
    assert (found.picture.frames, found.picture.frames_missing, found.picture.frozen) == (300, 0, [])
    assert found.picture.presence == pytest.approx(1)
    assert found.sound.presence == pytest.approx(1)
    assert found.picture.missing == found.sound.missing == []
    assert found.skew.count == found.sound.bursts == 10
    assert found.skew.max_ms < 1
    assert found.drift_ms_per_minute == pytest.approx(0, abs=0.5)
    assert found.picture.start_offset_error_ms == pytest.approx(0, abs=0.5)


@given(st.floats(-0.2, 0.2), st.floats(0, 1000))
def test_skew_is_how_much_later_the_sound_comes(late: float, position: float) -> None:
    found = one(seen(steady(0, 8, position), 8 + position), heard(0, 8, position + late))
    assert found.skew is not None
    assert found.skew.p50_ms == pytest.approx(1000 * late, abs=1)
    assert found.skew.p95_ms == found.skew.max_ms == pytest.approx(1000 * abs(late), abs=1)


def test_drift_is_the_growth_of_the_skew_and_pace_that_of_one_medium() -> None:
    sound = heard(0, 30)
    sound.bursts = [(at * (1 + 0.05 / 60), said) for at, said in sound.bursts]
    found = one(seen(steady(0, 30), 30), sound)
    assert found.drift_ms_per_minute == pytest.approx(50, abs=1)
    assert found.sound is not None
    assert found.sound.pace_ms_per_minute == pytest.approx(50, abs=1)
    assert found.picture is not None
    assert found.picture.pace_ms_per_minute == pytest.approx(0, abs=1)


def test_a_frame_that_stands_is_frozen_and_what_it_hid_is_missing() -> None:
    shown = [entry for entry in steady(0, 10) if not 4 <= entry[2] < 6]
    picture = one(seen(shown, 10), None).picture
    assert picture is not None
    assert [(round(s.start, 2), round(s.duration, 2)) for s in picture.frozen] == [(4.0, 2.0)]
    assert picture.frames_missing == 60
    assert picture.presence == pytest.approx(0.8)
    assert [(round(s.start, 2), round(s.duration, 2)) for s in picture.missing] == [(4.0, 2.0)]


def test_a_lower_frame_rate_of_the_file_is_not_missing_presence() -> None:
    shown = [entry for entry in steady(0, 10) if entry[1] % 2]
    picture = one(seen(shown, 10), None, Expected(published=(Published(WHO, picture=((0, 10),)),))).picture
    assert picture is not None
    assert picture.frames_missing == 149
    assert picture.presence > 0.99


def test_frames_that_come_after_later_ones_are_counted() -> None:
    shown = steady(0, 2)
    shown[20], shown[21] = (shown[20][0], *shown[21][1:]), (shown[21][0], *shown[20][1:])
    picture = one(seen(shown, 2), None).picture
    assert picture is not None
    assert picture.frames_backwards == 1


def test_a_mute_that_is_known_is_not_a_gap_and_one_that_is_not_is() -> None:
    sound = heard(0, 4)
    later = heard(6, 10)
    sound.bursts += later.bursts
    sound.stretches += later.stretches
    unknown = one(None, sound).sound
    known = one(None, sound, Expected(published=(Published(WHO, sound=((0, 4), (6, 10))),))).sound
    assert unknown is not None
    assert known is not None
    assert unknown.presence == pytest.approx(0.8)
    assert unknown.missing == [Stretch(4, 2)]
    assert known.presence == pytest.approx(1)
    assert known.missing == []


def test_what_was_published_before_and_after_the_file_is_missing() -> None:
    expected = Expected(published=(Published(WHO, sound=((0, 10),)),))
    sound = one(None, heard(1, 8, offset=-1), expected).sound
    assert sound is not None
    assert sound.presence == pytest.approx(0.7)
    assert [(round(s.start, 3), round(s.duration, 3)) for s in sound.missing] == [(-1, 1), (7, 2)]


@pytest.mark.parametrize("start", [3, 250, 5000, 86_400])
def test_seconds_are_found_again_though_bursts_count_to_256_only(start: int) -> None:
    sound = heard(start, start + 20, offset=-start)
    by_picture = one(seen(steady(start, start + 20, -start), 20), sound, Expected(starts_at=start)).sound
    by_metadata = one(None, sound, Expected(starts_at=start)).sound
    for found in (by_picture, by_metadata):
        assert found is not None
        assert found.start_offset_error_ms == pytest.approx(0, abs=0.1)
        assert found.bursts == 20


def test_the_start_is_measured_where_it_is_and_not_where_drift_has_led() -> None:
    shown = [(at * 1.002 + 0.03, n, clock) for at, n, clock in steady(0, 20)]
    picture = one(seen(shown, 20.1), None, Expected(starts_at=0.0)).picture
    assert picture is not None
    assert picture.start_offset_error_ms == pytest.approx(30 + 2, abs=1)


def test_one_burst_is_no_evidence_and_a_stray_one_is_left_out() -> None:
    sound = heard(0, 10)
    lonely = Heard(sound.bursts[:1], sound.stretches)
    assert place_sound(WHO, lonely, None) is None
    sound.bursts.insert(4, (3.1, 77))
    placed = place_sound(WHO, sound, 0.0)
    assert placed is not None
    assert len(placed.offsets.at) == 10


def test_one_frame_is_no_evidence() -> None:
    assert place_picture(seen(steady(0, 1)[:1], 1)) is None


def test_participants_are_compared_while_both_are_there() -> None:
    pictures = {1: seen(steady(0, 10), 10), 2: seen(steady(4, 8, 0.12), 8.12)}
    _, _, apart = measure(pictures, {}, Expected())
    assert apart is not None
    assert apart.p50_ms == apart.max_ms == pytest.approx(120, abs=1)
    assert apart.count in (4, 5)


def test_alone_nobody_is_apart() -> None:
    assert measure({1: seen(steady(0, 10), 10)}, {}, Expected())[2] is None
    assert measure({}, {}, Expected()) == ([], [], None)


@given(st.lists(st.floats(-1000, 1000), min_size=1), st.floats(0, 1))
def test_a_percentile_is_a_value_that_as_many_as_asked_do_not_exceed(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-6


def test_a_slope_ignores_single_wrong_values_and_short_measurements() -> None:
    xs = [float(n) for n in range(500)]
    ys = [0.25 * x for x in xs]
    ys[100] = 1e6
    assert slope(xs, ys) == pytest.approx(0.25)
    assert slope([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0]) is None


def test_offsets_are_looked_up_by_file_time_and_by_source_time() -> None:
    offsets = Offsets([30.0, 10.0, 20.0], [25.0, 9.0, 17.0])
    assert offsets.nearest(14) == 1
    assert offsets.nearest(29) == 5
    assert offsets.nearest_to_source(17) == 3
    assert offsets.near(15, 6) == 2
    assert offsets.near(15, 4) is None
