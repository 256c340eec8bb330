"""The fields that many events share: type, meaning and an example, each said once.

Always holds: an example here is a value we could send, and the examples fit together (one imaginary lesson on
2025-01-15), so that a sample made of them tells one story. The formats of ids are described and not enforced:
an event from elsewhere may carry a masked or foreign id. Formats: platform.md §2.0.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from callboard.events.timestamps import PATTERN

Timestamp = Annotated[str, Meta(pattern=PATTERN, extra_json_schema={"format": "date-time"})]
"""An instant on the wire: RFC 3339, UTC, `Z`, at most 9 fraction digits; the zero time if unset."""
# `x-unit` is for the documents that are made of the schemas.
Seconds = Annotated[int, Meta(ge=0, description="Whole seconds, cut off.", extra_json_schema={"x-unit": "seconds"})]
Bytes = Annotated[int, Meta(ge=0, description="Bytes.", extra_json_schema={"x-unit": "bytes"})]
Pixels = Annotated[int, Meta(ge=0, description="Pixels.", extra_json_schema={"x-unit": "pixels"})]

DEPRECATED = {"deprecated": True}
"""For `Meta(extra_json_schema=…)` of what the seed calls deprecated: left out by default (A10)."""

AccountId = Annotated[
    str,
    Meta(description="The account this event comes from: 24 hex digits.", examples=["65a000000000000000000001"]),
]
AppId = Annotated[
    str,
    Meta(description="The app this event comes from: 24 hex digits.", examples=["65a000000000000000000002"]),
]
TemplateId = Annotated[
    str,
    Meta(description="The id of the room's template: 24 hex digits.", examples=["65a000000000000000000003"]),
]
RoomId = Annotated[str, Meta(description="The room's id: 24 hex digits.", examples=["65a000000000000000000004"])]
RoomName = Annotated[str, Meta(description="The name the room was given when it was created.", examples=["algebra-7"])]
SessionId = Annotated[
    str,
    Meta(
        description="The session's id: 24 hex digits. A session is one continuous occupation of a room.",
        examples=["678786f1000000000000000a"],
    ),
]
SessionStartedAt = Annotated[
    Timestamp,
    Meta(
        description="When the session started; the same text in all events of the session.",
        examples=["2025-01-15T10:00:01.25093Z"],
    ),
]
SessionStoppedAt = Annotated[
    Timestamp, Meta(description="When the session ended.", examples=["2025-01-15T11:00:02.1Z"])
]
PeerId = Annotated[
    str,
    Meta(
        description="The peer's id: a UUID, new with each join.",
        examples=["6c1f5a52-7a0c-4a5f-9a1e-3f4f8f0d7c10"],
    ),
]
UserId = Annotated[
    str, Meta(description="The customer's own id of the user, from the join token.", examples=["student-17"])
]
UserName = Annotated[str, Meta(description="The user's display name.", examples=["Ada"])]
UserData = Annotated[
    str,
    Meta(
        description='Metadata that the client set, as it set it (often JSON text). "" if none.',
        examples=['{"isHandRaised":true}'],
    ),
]
RoleName = Annotated[str, Meta(description="The name of the peer's role.", examples=["guest"])]
JoinedAt = Annotated[
    Timestamp,
    Meta(
        description="When the peer joined; the zero time if it never did.",
        examples=["2025-01-15T10:00:04.100000007Z"],
    ),
]
StreamId = Annotated[
    str,
    Meta(
        description="The id of the WebRTC stream: a UUID, chosen by the publishing client.",
        examples=["0f2a4c66-9f1e-4d20-8a3e-1d2c3b4a5f60"],
    ),
]
RecordingId = Annotated[
    str,
    Meta(
        description="The id of the recording asset: 24 hex digits, as in the REST API.",
        examples=["6787950a000000000000000b"],
    ),
]
MetadataId = Annotated[
    str,
    Meta(description="The id of this message: a UUID.", examples=["5a3c0a8e-93b0-4b1e-8f6a-0c9d7e5f4b05"]),
]
MetadataTimestamp = Annotated[
    Timestamp, Meta(description="When this message was made.", examples=["2025-01-15T11:04:00.0021Z"])
]
ChatRecordingPath = Annotated[
    str,
    Meta(
        description='Where the chat of the recorded time is stored (CSV). "" if there is none.',
        examples=["s3://recordings/acme/chat/65a000000000000000000004/20250115/Rec-1736935260500.csv"],
    ),
]
ChatRecordingUrl = Annotated[
    str,
    Meta(
        description='Signed URL to download the chat. "" if there is none.',
        examples=["https://storage.example/Rec-1736935260500.csv?signature=1f2e3d"],
    ),
]
