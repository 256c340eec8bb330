"""A run of the beam, the browser worker: what its events (Beam and HLS, its two outputs) have in common.

Owns: `Run`, `Job`, their reasons and errors.
Source: seed, "RTMP Streaming & Browser Recording Events" and "HLS Streaming Events"; platform.md §6, §10.8,
§10.9.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from callboard.events.fields import (
    DEPRECATED,
    MetadataId,
    MetadataTimestamp,
    PeerId,
    Pixels,
    RoomId,
    SessionId,
    SessionStartedAt,
    TemplateId,
    Timestamp,
)
from callboard.events.payload import Payload


class BeamError(StrEnum):
    """What made a beam fail.

    `INTERNAL_ERROR`: a fault, or an RTMP target that can't be reached. `MAX_RETRIES_REACHED`: the page at the
    meeting URL did not join. `UPLOAD_ERROR`: the recording could not be uploaded. `BEAM_STOPPED`: it was
    stopped before it had started. Source: seed, `beam.failure` and `hls.failure`, "Error types";
    platform.md §10.9, §11 C13.
    """

    INTERNAL_ERROR = "INTERNAL_ERROR"
    MAX_RETRIES_REACHED = "MAX_RETRIES_REACHED"
    UPLOAD_ERROR = "UPLOAD_ERROR"
    BEAM_STOPPED = "BEAM_STOPPED"

    def message(self, retries: int = 3) -> str:
        """The text that the seed pairs with this error; `retries` is how often the page was tried again."""
        match self:
            case BeamError.MAX_RETRIES_REACHED:
                tries = f"after {retries} retries"
                return f"Beam couldn't connect to Meeting URL {tries}. Check if meeting URL is correct."
            case BeamError.UPLOAD_ERROR:
                return "Failed to upload recordings. Check if upload config is correct."
            case BeamError.BEAM_STOPPED:
                return "Beam stopped too early"
            case BeamError.INTERNAL_ERROR:
                return "Internal error"


HlsError = BeamError
"""HLS is one output of the same worker: the seed lists the same errors for it."""


class BeamStopReason(StrEnum):
    """Why a beam stopped.

    `client request`: it was asked to, by SDK, API or the end of its room. `max duration reached`: the
    template's `maxDuration`, 4 h by default. `room ended`: the room it looks at ended and nobody asked it
    to stop. `last peer left`: it was alone for 5 minutes. `failure: …`: the error that its failure event
    reports.
    Source: seed, "Beam Stop Reason" and "HLS Stop Reason"; platform.md §10.9.
    """

    CLIENT_REQUEST = "client request"
    MAX_DURATION_REACHED = "max duration reached"
    ROOM_ENDED = "room ended"
    LAST_PEER_LEFT = "last peer left"
    FAILURE_INTERNAL_ERROR = "failure: INTERNAL_ERROR"
    FAILURE_MAX_RETRIES_REACHED = "failure: MAX_RETRIES_REACHED"
    FAILURE_UPLOAD_ERROR = "failure: UPLOAD_ERROR"
    FAILURE_BEAM_STOPPED = "failure: BEAM_STOPPED"

    @classmethod
    def failure(cls, error: BeamError) -> BeamStopReason:
        """The reason that says that `error` stopped it."""
        return cls(f"failure: {error}")


class BeamState(StrEnum):
    """The values of the deprecated `state_name`. Source: seed, its examples; platform.md §10.8."""

    STARTED = "Started"
    STOPPED = "Stopped"
    FAILED = "Failed"
    HLS_STARTED = "HLSStarted"
    HLS_STOPPED = "HLSStopped"
    HLS_FAILED = "HLSFailed"


class Run(Payload, frozen=True, kw_only=True):
    """One run of the worker, in which session, and how large its picture is."""

    beam_id: Annotated[
        str, Meta(description="The id of the run: 24 hex digits.", examples=["6787872c000000000000000c"])
    ]
    metadata_id: MetadataId
    metadata_timestamp: MetadataTimestamp
    room_id: RoomId
    session_id: SessionId
    template_id: TemplateId
    session_started_at: SessionStartedAt
    meeting_url: Annotated[
        str,
        Meta(
            description="The page the worker shows: the one asked for at the start, or the default one.",
            examples=["https://rooms.example/preview/abc-defg-hij?skip_preview=true"],
        ),
    ]
    max_width: Annotated[Pixels, Meta(description="The width of the picture in pixels.", examples=[1280])]
    max_height: Annotated[Pixels, Meta(description="The height of the picture in pixels.", examples=[720])]


class Job(Run, frozen=True, kw_only=True):
    """The job that the run works on, and who asked for it."""

    job_id: Annotated[
        str,
        Meta(
            description="The id of the job, by which the REST API knows it: 24 hex digits.",
            examples=["6787872b0000000000000009"],
        ),
    ]
    peer_id: Annotated[PeerId, Meta(description='The peer that started the job. "" if the API did.')]
    state_name: (
        Annotated[
            BeamState,
            Meta(description="Deprecated: the event's type says it.", extra_json_schema=DEPRECATED),
        ]
        | UnsetType
    ) = UNSET
    state_timestamp: (
        Annotated[
            Timestamp,
            Meta(description="Deprecated: when the state was reached.", extra_json_schema=DEPRECATED),
        ]
        | UnsetType
    ) = UNSET
