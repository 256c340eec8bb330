"""Every event of the seed, attribute by attribute and sample by sample, against the models.

`data/seed_events.json` is a copy of the seed's parsed page: for each event its attribute table, its printed sample
and what was noticed while parsing.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from callboard.events import CATALOGUE, ZERO_TIME, decode, encode, json_schema, parse, sample

SEED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data/seed_events.json").read_text())

ENVELOPE_KEYS = {"id", "account_id", "app_id", "timestamp", "type"}

SLIPS = {
    # The sample is a paste of the success: heading, index and changelog say failure (platform.md §11 A8). That the
    # printed sample of the success has a trailing comma was already mended when the page was parsed.
    "track.recording.failure": {"type": "track.recording.failure"},
}

TABLE_ONLY = {
    # In the table and not in the sample: always sent, but an event without them is read (A6, A7).
    "track.recording.success": {"duration"},
    "track.recording.failure": {"duration"},
    "stream.recording.success": {"stream_type"},
    "stream.recording.failure": {"stream_type"},
    "hls.stopped.success": {"url", "live_transcription_enabled"},
}

# Left out by default: the platform calls them deprecated (A10). Of `state_*` the seed's tables say so for failures.
DEPRECATED = {"location", "URL", "state_name", "state_timestamp", "recording_hls_vod_playlist_location"}

JSON_TYPES = {
    "string": "string",
    "int": "integer",
    "bool": "boolean",
    "array": "array",
    "timestamp (in UTC)": "string",
}


def printed(event: str) -> dict[str, Any]:
    """The seed's sample of the event, without the slips of `SLIPS`."""
    return {**copy.deepcopy(SEED[event]["sample"]), **SLIPS.get(event, {})}


def attributes(event: str) -> dict[str, dict[str, Any]]:
    """The seed's table of the event: what belongs into `data`.

    The tables of the ingest events also list keys of the envelope (platform.md §10.10 no. 25).
    """
    table = {attribute["name"]: attribute for attribute in SEED[event]["attributes"]}
    misplaced = ENVELOPE_KEYS - set(printed(event)["data"]) if event.startswith("ingest.") else set()
    return {name: attribute for name, attribute in table.items() if name not in misplaced}


def data_schema(event: str) -> dict[str, Any]:
    schema = json_schema(event)
    data: dict[str, Any] = schema["$defs"][schema["properties"]["data"]["$ref"].removeprefix("#/$defs/")]
    return data


def json_type(schema: dict[str, Any], prop: dict[str, Any]) -> str:
    """The JSON type of a property; that of its values, if they are enumerated."""
    if "$ref" in prop:
        (kind,) = {type(value) for value in schema["$defs"][prop["$ref"].removeprefix("#/$defs/")]["enum"]}
        assert kind is str
        return "string"
    return str(prop["type"])


each_event = pytest.mark.parametrize("event", SEED)


def test_the_catalogue_is_the_seeds_in_the_seeds_order() -> None:
    assert list(CATALOGUE) == list(SEED)
    assert len(CATALOGUE) == 32


@each_event
def test_a_payload_names_its_event_theme_and_version(event: str) -> None:
    payload = CATALOGUE[event]
    assert (event, SEED[event]["theme"]) == (payload.EVENT, payload.THEME)
    assert printed(event)["version"] == payload.VERSION


@each_event
def test_the_printed_sample_is_read_and_written_back_key_for_key(event: str) -> None:
    want = printed(event)
    envelope = decode(json.dumps(want).encode())
    got = json.loads(msgspec.json.encode(envelope))
    assert {key: got[key] for key in want if key != "data"} == {key: want[key] for key in want if key != "data"}
    assert {key: got["data"][key] for key in want["data"]} == want["data"]
    assert set(got["data"]) - set(want["data"]) == TABLE_ONLY.get(event, set())


@each_event
def test_an_event_that_was_sent_is_read_as_it_was(event: str) -> None:
    payload = decode(json.dumps(printed(event)).encode()).data
    body = encode(
        payload, id="an-id", account_id="acc", app_id="app", template_id="tpl", at=parse("2024-02-06T20:01:16.9Z")
    )
    envelope = decode(body)
    assert envelope.data == payload
    assert (envelope.id, envelope.account_id, envelope.app_id, envelope.template_id) == ("an-id", "acc", "app", "tpl")
    assert (envelope.type, envelope.version) == (event, CATALOGUE[event].VERSION)
    assert envelope.timestamp == "2024-02-06T20:01:16Z"
    assert envelope.is_replay is msgspec.UNSET


def test_the_failures_sample_as_printed_is_not_taken_for_a_success() -> None:
    with pytest.raises(msgspec.ValidationError, match="recording_presigned_url"):
        decode(json.dumps(SEED["track.recording.failure"]["sample"]).encode())


@each_event
def test_every_attribute_is_a_field_and_every_field_an_attribute(event: str) -> None:
    fields = set(CATALOGUE[event].__struct_fields__)
    assert fields == set(attributes(event)) | set(printed(event)["data"])


@each_event
def test_what_the_table_has_and_the_sample_lacks_is_sent_or_deprecated(event: str) -> None:
    missing = set(attributes(event)) - set(printed(event)["data"])
    assert missing - DEPRECATED == TABLE_ONLY.get(event, set())
    sent = set(sample(event)["data"])
    assert set(attributes(event)) | set(printed(event)["data"]) == sent | (missing & DEPRECATED)


@each_event
def test_the_json_type_of_every_attribute_is_the_tables(event: str) -> None:
    schema = json_schema(event)
    properties = data_schema(event)["properties"]
    for name, attribute in attributes(event).items():
        want = JSON_TYPES[attribute["type"]]
        if event.startswith(("track.", "stream.")) and name in {"size", "duration"}:
            want = "integer"  # the tables say string, the samples show numbers (A6)
        assert json_type(schema, properties[name]) == want, name
        if attribute["type"].startswith("timestamp"):
            assert properties[name]["format"] == "date-time", name


@each_event
def test_what_the_seed_calls_deprecated_is_described_as_deprecated(event: str) -> None:
    properties = data_schema(event)["properties"]
    called = {name for name, attribute in attributes(event).items() if attribute["deprecated"]}
    expected = DEPRECATED & set(properties)
    if event in {"beam.failure", "hls.failure"}:
        expected.add("error_code")
    assert {name for name, prop in properties.items() if prop.get("deprecated")} == expected
    assert called <= expected


@each_event
def test_every_field_is_described_and_has_an_example(event: str) -> None:
    for name, prop in data_schema(event)["properties"].items():
        assert prop["description"], name
        assert "examples" in prop or "items" in prop or name in DEPRECATED, name


@each_event
def test_the_json_schema_is_one_and_accepts_the_printed_sample(event: str) -> None:
    schema = json_schema(event)
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(printed(event))


@each_event
def test_our_own_sample_is_valid_and_is_what_we_would_send(event: str) -> None:
    ours = sample(event)
    Draft202012Validator(json_schema(event)).validate(ours)
    envelope = decode(json.dumps(ours).encode())
    again = encode(
        envelope.data,
        id=envelope.id,
        account_id=envelope.account_id,
        app_id=envelope.app_id,
        template_id=envelope.template_id,
        at=parse(envelope.timestamp),
    )
    assert json.loads(again) == ours
    assert "*" not in again.decode()


@each_event
def test_null_is_refused_everywhere(event: str) -> None:
    validator = Draft202012Validator(json_schema(event))
    for name in sample(event)["data"]:
        holed = sample(event)
        holed["data"][name] = None
        with pytest.raises(ValidationError):
            validator.validate(holed)
        with pytest.raises(msgspec.ValidationError, match=rf"`\$\.data\.{name}`"):
            decode(json.dumps(holed).encode())


@each_event
def test_a_key_that_the_printed_sample_has_is_required(event: str) -> None:
    validator = Draft202012Validator(json_schema(event))
    optional = {"role_change_requested_by", "error_code"} if not event.startswith("room.") else set()
    for name in set(printed(event)["data"]) - optional:
        holed = printed(event)
        del holed["data"][name]
        with pytest.raises(ValidationError):
            validator.validate(holed)
        with pytest.raises(msgspec.ValidationError, match=f"`{name}`"):
            decode(json.dumps(holed).encode())


@each_event
def test_a_schema_refuses_the_event_of_another_type(event: str) -> None:
    other = next(name for name in CATALOGUE if name != event)
    with pytest.raises(ValidationError):
        Draft202012Validator(json_schema(event)).validate({**printed(event), "type": other})


@each_event
def test_a_timestamp_must_be_utc_text(event: str) -> None:
    stamps = [name for name, prop in data_schema(event)["properties"].items() if prop.get("format") == "date-time"]
    for name in stamps:
        for wrong in ("yesterday", "2021-11-30T12:58:49+00:00", 1638277129):
            event_with_wrong = sample(event)
            event_with_wrong["data"][name] = wrong
            with pytest.raises(msgspec.ValidationError, match=rf"`\$\.data\.{name}`"):
                decode(json.dumps(event_with_wrong).encode())


def test_a_failed_join_has_the_zero_time_and_no_session() -> None:
    data = sample("peer.join.failure")["data"]
    assert data["joined_at"] == ZERO_TIME
    assert "session_id" not in data
