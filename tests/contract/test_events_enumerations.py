"""Every enumerated text of the seed is in the contract, and no other text is taken for one (platform.md §10.9)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from callboard.events import (
    BeamError,
    BeamStopReason,
    RecordingErrorType,
    decode,
    json_schema,
    sample,
)

_STOP = (
    "client request",
    "max duration reached",
    "room ended",
    "last peer left",
    "failure: INTERNAL_ERROR",
    "failure: MAX_RETRIES_REACHED",
    "failure: UPLOAD_ERROR",
    "failure: BEAM_STOPPED",
)
_BEAM = ("INTERNAL_ERROR", "MAX_RETRIES_REACHED", "UPLOAD_ERROR", "BEAM_STOPPED")
_STATES = ("Started", "Stopped", "Failed", "HLSStarted", "HLSStopped", "HLSFailed")

ENUMERATED: dict[tuple[str, str], tuple[str, ...]] = {
    ("peer.join.success", "type"): ("regular", "sip"),
    ("peer.leave.success", "type"): ("regular", "sip"),
    ("peer.leave.success", "reason"): (
        "client request",
        "peer kicked",
        "websocket closed",
        "ice connection state closed",
        "server removed peer",
    ),
    ("peer.join.failure", "error_message"): ("role not allowed", "network disconnection", "duplicate peer id"),
    ("peer.leave.failure", "error_message"): ("Peer not joined",),
    ("room.end.success", "source"): ("peer", "api"),
    ("room.end.failure", "source"): ("peer", "api"),
    ("room.end.failure", "error_message"): ("session not found", "permission denied"),
    ("role.change.failure", "error_message"): ("role limit reached",),
    ("track.recording.started.success", "track_type"): ("video", "audio"),
    ("track.recording.failure", "error_message"): ("INTERNAL_ERROR",),
    ("stream.recording.success", "type"): ("regular", "screen", "audio"),
    ("stream.recording.success", "stream_type"): ("regular", "screen", "audio"),
    ("stream.recording.failure", "error_message"): ("INTERNAL_ERROR",),
    ("recording.failed", "error_type"): (
        "INPUT_ERROR",
        "CLOUD_ACCESS_ERROR",
        "CONFIG_ERROR",
        "MEMORY_ERROR",
        "PROCESSING_CMD_ERROR",
        "API_ERROR",
    ),
    ("recording.failed", "error"): (
        "No input streams available to create recording",
        "Error accessing cloud bucket. Please make sure upload config is correct",
        "INTERNAL_ERROR",
        "Upload Failure",  # the example in the seed's table; read, not sent
    ),
    ("beam.started.success", "state_name"): _STATES,
    ("beam.stopped.success", "reason"): _STOP,
    ("hls.stopped.success", "reason"): _STOP,
    ("beam.failure", "error_type"): _BEAM,
    ("hls.failure", "error_type"): _BEAM,
    ("ingest.end.success", "reason"): (
        "publish error",
        "reconnection window expired",
        "stream closed",
        "internal error",
    ),
    ("ingest.start.failure", "error_message"): (
        "stream key disabled",
        "no hls destinations",
        "remote session active",
        "already connected",
        "beam start error",
        "internal error",
    ),
    ("ingest.failure", "error_message"): (
        "internal error",
        "stream key disabled",  # the seed's sample; read, not sent
    ),
}

each_enumeration = pytest.mark.parametrize(("event", "field"), ENUMERATED)


def with_value(event: str, field: str, value: str) -> bytes:
    envelope = sample(event)
    envelope["data"][field] = value
    if event.startswith("stream.") and field in {"type", "stream_type"}:
        envelope["data"] |= {"type": value, "stream_type": value}
    return json.dumps(envelope).encode()


def values(event: str, field: str) -> list[str]:
    """What the JSON Schema of the event allows for the field."""
    schema: dict[str, Any] = json_schema(event)
    data = schema["$defs"][schema["properties"]["data"]["$ref"].removeprefix("#/$defs/")]
    listed: list[str] = schema["$defs"][data["properties"][field]["$ref"].removeprefix("#/$defs/")]["enum"]
    return listed


@each_enumeration
def test_a_field_allows_exactly_the_texts_of_the_seed(event: str, field: str) -> None:
    assert sorted(values(event, field)) == sorted(ENUMERATED[event, field])


@each_enumeration
def test_each_text_is_read_and_written_as_it_is(event: str, field: str) -> None:
    for text in ENUMERATED[event, field]:
        envelope = decode(with_value(event, field, text))
        assert json.loads(msgspec.json.encode(envelope))["data"][field] == text


@each_enumeration
def test_a_text_that_is_not_enumerated_is_refused(event: str, field: str) -> None:
    for text in ("", "because", ENUMERATED[event, field][0] + " "):
        with pytest.raises(msgspec.ValidationError, match=r"Invalid enum value"):
            decode(with_value(event, field, text))


def test_each_beam_error_has_the_seeds_text_and_stop_reason() -> None:
    assert {error: error.message() for error in BeamError} == {
        "INTERNAL_ERROR": "Internal error",
        "MAX_RETRIES_REACHED": (
            "Beam couldn't connect to Meeting URL after 3 retries. Check if meeting URL is correct."
        ),
        "UPLOAD_ERROR": "Failed to upload recordings. Check if upload config is correct.",
        "BEAM_STOPPED": "Beam stopped too early",
    }
    assert [BeamStopReason.failure(error) for error in BeamError] == [f"failure: {error}" for error in _BEAM]
    assert "after 5 retries" in BeamError.MAX_RETRIES_REACHED.message(retries=5)


def test_each_recording_error_has_the_seeds_text() -> None:
    assert {error: error.message for error in RecordingErrorType} == {
        "INPUT_ERROR": "No input streams available to create recording",
        "CLOUD_ACCESS_ERROR": "Error accessing cloud bucket. Please make sure upload config is correct",
        "CONFIG_ERROR": "INTERNAL_ERROR",
        "MEMORY_ERROR": "INTERNAL_ERROR",
        "PROCESSING_CMD_ERROR": "INTERNAL_ERROR",
        "API_ERROR": "INTERNAL_ERROR",
    }
