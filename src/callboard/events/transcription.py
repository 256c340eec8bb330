"""Transcription events: a recording becomes text, and a summary.

Always holds: `transcription.started.success` comes after the recording's event, and is followed by exactly
one success or failure with the same `transcription_id`. The ids of all planned files are known from the
start.
Source: seed, "Transcription Events"; platform.md §8.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import (
    AccountId,
    AppId,
    MetadataId,
    MetadataTimestamp,
    RecordingId,
    RoomId,
    RoomName,
    Seconds,
    SessionId,
)
from callboard.events.payload import Payload

_FOLDER = "s3://recordings/acme/transcript/65a000000000000000000004/20250115"
_SITE = "https://storage.example/transcript"

Path = Annotated[str, Meta(description='Where the file is stored. "" if it was not wanted or not made.')]
Url = Annotated[str, Meta(description='Signed URL to download it. "" if it was not wanted or not made.')]


class _Transcription(Payload, frozen=True, kw_only=True):
    """Of which recording, and the ids of the files that are to come of it ("" for one that is not wanted)."""

    THEME: ClassVar[str] = "Transcription Events"

    account_id: AccountId
    app_id: AppId
    recording_id: RecordingId
    room_id: RoomId
    room_name: RoomName
    session_id: SessionId
    metadata_id: MetadataId
    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T11:20:00.5Z"])]
    transcription_id: Annotated[
        str,
        Meta(description="The transcription's id: 24 hex digits.", examples=["678796100000000000000010"]),
    ]
    duration: Annotated[Seconds, Meta(description="The length of the recording in whole seconds.", examples=[3541])]
    summary_json_asset_id: Annotated[
        str,
        Meta(description="The id of the summary's asset (JSON).", examples=["678796100000000000000011"]),
    ]
    transcript_json_asset_id: Annotated[
        str,
        Meta(description="The id of the transcript's asset (JSON).", examples=["678796100000000000000012"]),
    ]
    transcript_srt_asset_id: Annotated[
        str,
        Meta(description="The id of the transcript's asset (SRT).", examples=["678796100000000000000013"]),
    ]
    transcript_txt_asset_id: Annotated[
        str,
        Meta(description="The id of the transcript's asset (text).", examples=["678796100000000000000014"]),
    ]


class _Files(_Transcription, frozen=True, kw_only=True):
    """Where the files are."""

    summary_json_path: Annotated[Path, Meta(examples=[f"{_FOLDER}/summary.json"])]
    summary_json_presigned_url: Annotated[Url, Meta(examples=[f"{_SITE}/summary.json?signature=1f2e3d"])]
    transcript_json_path: Annotated[Path, Meta(examples=[f"{_FOLDER}/transcript.json"])]
    transcript_json_presigned_url: Annotated[Url, Meta(examples=[f"{_SITE}/transcript.json?signature=1f2e3d"])]
    transcript_srt_path: Annotated[Path, Meta(examples=[f"{_FOLDER}/transcript.srt"])]
    transcript_srt_presigned_url: Annotated[Url, Meta(examples=[f"{_SITE}/transcript.srt?signature=1f2e3d"])]
    transcript_txt_path: Annotated[Path, Meta(examples=[f"{_FOLDER}/transcript.txt"])]
    transcript_txt_presigned_url: Annotated[Url, Meta(examples=[f"{_SITE}/transcript.txt?signature=1f2e3d"])]


class TranscriptionStartedSuccess(_Transcription, frozen=True, kw_only=True):
    """The transcription of a finished recording started.

    Source: seed, Transcription Events, `transcription.started.success`.
    """

    EVENT: ClassVar[str] = "transcription.started.success"

    metadata_timestamp: Annotated[MetadataTimestamp, Meta(examples=["2025-01-15T11:05:00.5Z"])]


class TranscriptionSuccess(_Files, frozen=True, kw_only=True):
    """All files that were asked for are uploaded.

    Source: seed, Transcription Events, `transcription.success`.
    """

    EVENT: ClassVar[str] = "transcription.success"


class TranscriptionFailure(_Files, frozen=True, kw_only=True):
    """A file that was asked for is missing; those that were made are listed. There is no error text in the
    contract.

    Source: seed, Transcription Events, `transcription.failure`.
    """

    EVENT: ClassVar[str] = "transcription.failure"

    summary_json_path: Annotated[Path, Meta(examples=[""])]
    summary_json_presigned_url: Annotated[Url, Meta(examples=[""])]
