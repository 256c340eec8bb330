"""JSON Schemas and samples, generated from the models."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.events import CATALOGUE, UnknownEventType, event_type, json_schema, matching, parse, sample


@pytest.mark.parametrize("event", CATALOGUE)
def test_a_schema_fixes_the_type_and_the_version(event: str) -> None:
    schema = json_schema(event)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == event
    assert schema["properties"]["type"]["const"] == event
    assert schema["properties"]["version"]["const"] == CATALOGUE[event].VERSION


@pytest.mark.parametrize("event", CATALOGUE)
def test_a_schema_says_where_its_event_is_specified(event: str) -> None:
    assert f"`{event}`" in json_schema(event)["description"]


@pytest.mark.parametrize("event", CATALOGUE)
def test_schema_and_sample_are_plain_json(event: str) -> None:
    assert json.loads(json.dumps(json_schema(event))) == json_schema(event)
    assert json.loads(json.dumps(sample(event))) == sample(event)


@pytest.mark.parametrize("event", CATALOGUE)
def test_changing_a_schema_or_a_sample_changes_no_other(event: str) -> None:
    json_schema(event)["properties"]["data"].clear()
    sample(event)["data"].clear()
    assert json_schema(event)["properties"]["data"]
    assert sample(event)["data"]


def test_no_two_samples_have_the_same_id() -> None:
    assert len({sample(event)["id"] for event in CATALOGUE}) == len(CATALOGUE)


def test_a_sample_is_dated_by_the_last_thing_it_tells() -> None:
    leave = sample("peer.leave.success")
    assert leave["timestamp"] == "2025-01-15T10:05:09Z"
    assert leave["data"]["left_at"].startswith("2025-01-15T10:05:09.")


@pytest.mark.parametrize(
    ("event", "start", "stop", "duration"),
    [
        ("session.close.success", "session_started_at", "session_stopped_at", "session_duration"),
        ("peer.leave.success", "joined_at", "left_at", "duration"),
        ("beam.recording.success", "started_at", "stopped_at", "duration"),
        ("hls.stopped.success", "started_at", "stopped_at", "duration"),
        ("ingest.end.success", "started_at", "completed_at", "duration"),
    ],
)
def test_the_durations_of_a_sample_fit_its_instants(event: str, start: str, stop: str, duration: str) -> None:
    data = sample(event)["data"]
    assert (parse(data[stop]) - parse(data[start])) // 1_000_000_000 == data[duration]


@pytest.mark.parametrize("name", ["", "peer.join", "PEER.JOIN.SUCCESS", "peer.join.succes"])
def test_there_are_no_events_but_those_of_the_catalogue(name: str) -> None:
    for ask in (event_type, json_schema, sample):
        with pytest.raises(UnknownEventType, match="unknown event type"):
            ask(name)


def test_the_catalogue_cannot_be_added_to() -> None:
    with pytest.raises(TypeError):
        CATALOGUE["peer.wave.success"] = CATALOGUE["peer.join.success"]  # type: ignore[index]


@given(st.text(alphabet="peroinjst.succ*", max_size=24))
def test_a_pattern_names_the_events_that_a_shell_would_find(pattern: str) -> None:
    expected = {name for name in CATALOGUE if fnmatchcase(name, pattern)}
    if expected:
        assert matching(pattern) == expected
    else:
        with pytest.raises(UnknownEventType):
            matching(pattern)


def test_patterns_name_themes_and_outcomes() -> None:
    assert matching("*") == set(CATALOGUE)
    assert matching("peer.*") == {name for name in CATALOGUE if name.startswith("peer.")}
    assert "recording.failed" in matching("*.fail*")
    assert matching("peer.join.success") == {"peer.join.success"}
