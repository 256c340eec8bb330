"""The gates: each that is missed gives one sentence, and nothing passes for want of evidence."""

from __future__ import annotations

import msgspec
import pytest

from callboard.recording.truth.report import (
    Duration,
    Expected,
    Gates,
    Picture,
    Published,
    Publisher,
    Report,
    Skew,
    Sound,
    Stretch,
)
from callboard.recording.truth.text import as_text
from callboard.recording.truth.verdict import judge

PICTURE = Picture(
    start=0.0,
    end=10.0,
    frames=300,
    frames_missing=0,
    frames_backwards=0,
    pictures_hidden=0,
    frozen=[],
    missing=[],
    presence=1.0,
    start_offset_error_ms=3.0,
    pace_ms_per_minute=0.0,
)
SOUND = Sound(
    start=0.0, end=10.0, bursts=10, missing=[], presence=1.0, start_offset_error_ms=-2.0, pace_ms_per_minute=0.0
)
SKEW = Skew(p50_ms=4.0, p95_ms=9.0, max_ms=11.0, count=10)
GOOD = Report(
    file="a.webm",
    format="matroska,webm vp8 opus",
    has_picture=True,
    has_sound=True,
    duration=Duration(container=10.0, decoded=10.01, expected=10.0, error=0.01),
    publishers=[Publisher(publisher=2, picture=PICTURE, sound=SOUND, skew=SKEW, drift_ms_per_minute=0.1)],
    participants=None,
)


def changed(*, picture: object = PICTURE, sound: object = SOUND, skew: object = SKEW) -> Report:
    publisher = msgspec.structs.replace(GOOD.publishers[0], picture=picture, sound=sound, skew=skew)
    return msgspec.structs.replace(GOOD, publishers=[publisher])


def failures(report: Report, expected: Expected | None = None, gates: Gates | None = None) -> list[str]:
    return judge(report, expected or Expected(), gates or Gates())


def test_a_good_recording_has_no_failures() -> None:
    assert failures(GOOD) == []


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (changed(skew=msgspec.structs.replace(SKEW, p50_ms=60.0, p95_ms=62.0)), "mostly later"),
        (changed(skew=msgspec.structs.replace(SKEW, p50_ms=-60.0, p95_ms=62.0)), "mostly earlier"),
        (changed(picture=msgspec.structs.replace(PICTURE, presence=0.98)), "picture: 98.00 % of what was published"),
        (changed(sound=msgspec.structs.replace(SOUND, presence=0.5)), "sound: 50.00 % of what was published"),
        (changed(picture=msgspec.structs.replace(PICTURE, start_offset_error_ms=25.0)), "starts 25 ms too late"),
        (changed(sound=msgspec.structs.replace(SOUND, start_offset_error_ms=-25.0)), "starts 25 ms too early"),
        (changed(skew=None), "cannot be measured"),
        (
            msgspec.structs.replace(GOOD, duration=Duration(container=10.0, decoded=10.0, expected=10.5, error=-0.5)),
            "expected are 10.50 s: 0.50 s too short",
        ),
        (
            msgspec.structs.replace(GOOD, duration=Duration(container=10.0, decoded=10.0, expected=None, error=0.3)),
            "between its first and last mark it takes 0.30 s too long",
        ),
        (
            msgspec.structs.replace(GOOD, duration=Duration(container=12.0, decoded=10.0, expected=None, error=0.0)),
            "says that it lasts 12.00 s, but 10.00 s could be decoded",
        ),
        (changed(sound=None, skew=None), "The file has sound, but no truth marks"),
        (changed(picture=None, skew=None), "The file has a picture, but no truth marks"),
    ],
)
def test_each_gate_that_is_missed_gives_one_sentence(report: Report, says: str) -> None:
    (failure,) = failures(report)
    assert says in failure
    assert failure.endswith(".")


def test_without_marks_there_is_no_verdict_but_a_failure() -> None:
    (failure,) = failures(msgspec.structs.replace(GOOD, publishers=[]))
    assert "cannot be judged" in failure


def test_who_published_and_is_not_there_is_missed_and_who_did_not_is_noticed() -> None:
    spans = ((0.0, 10.0),)
    expected = Expected(published=(Published(2, picture=spans), Published(7, picture=spans, sound=spans)))
    assert failures(GOOD, expected) == [
        "Publisher 7: published a picture, which is not in the file.",
        "Publisher 7: published sound, which is not in the file.",
        "Publisher 2: is heard in the file, but published no sound.",
    ]


def test_the_distance_of_participants_is_judged_when_asked_for() -> None:
    report = msgspec.structs.replace(GOOD, participants=Skew(p50_ms=80.0, p95_ms=90.0, max_ms=90.0, count=9))
    assert failures(report) == []
    assert failures(report, gates=Gates(participants_p95_ms=60.0)) == [
        "Participants are 90 ms apart (p95), allowed are 60 ms."
    ]


def test_a_report_is_read_back_from_its_json_with_its_verdict() -> None:
    report = msgspec.structs.replace(GOOD, failures=["Duration: …"])
    assert msgspec.json.decode(report.json())["passed"] is False
    assert msgspec.json.decode(report.json(), type=Report) == report
    assert msgspec.json.decode(GOOD.json())["passed"] is True


def test_the_text_begins_with_the_verdict_and_names_the_faults() -> None:
    frozen = [Stretch(float(n), 0.5) for n in range(7)]
    bad = changed(picture=msgspec.structs.replace(PICTURE, frozen=frozen))
    lines = as_text(msgspec.structs.replace(bad, failures=["Something is wrong."])).splitlines()
    assert lines[:2] == ["a.webm: NOT good", "  ! Something is wrong."]
    assert any("frozen: 3.50 s in all" in line and "and 2 more" in line for line in lines)
    assert as_text(GOOD).startswith("a.webm: good\n")


def test_the_expected_length_follows_from_what_is_known() -> None:
    published = (Published(1, picture=((2.0, 9.0),)), Published(2, sound=((3.0, 5.0), (6.0, 11.0))))
    assert Expected().length is None
    assert Expected(duration=4.0, published=published).length == 4.0
    assert Expected(published=published).length == 9.0
    assert Expected(starts_at=1.0, published=published).length == 10.0
