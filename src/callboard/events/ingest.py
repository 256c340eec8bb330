"""RTMP ingestion events: an encoder streams into a room.

Always holds: each `ingest.start.success` is followed by exactly one `ingest.end.success` with the same
`ingest_id`; an encoder that comes back in time is neither. Times are whole seconds.
Source: seed, "RTMP Ingestion Events"; platform.md §7. The tables there also list the envelope's `id`,
`timestamp` and `type` (§10.10 no. 25): those stay in the envelope.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar

from msgspec import Meta

from callboard.events.fields import AccountId, AppId, RoomId, Seconds, TemplateId, Timestamp
from callboard.events.payload import Payload

IngestId = Annotated[str, Meta(description="The ingestion's id: 24 hex digits.", examples=["6787872d0000000000000015"])]
IngestStreamId = Annotated[
    str,
    Meta(description="The ingested stream's id: 24 hex digits.", examples=["6787872e0000000000000016"]),
]
IngestStartedAt = Annotated[
    Timestamp, Meta(description="When the ingestion started.", examples=["2025-01-15T10:01:02Z"])
]


class IngestEndReason(StrEnum):
    """Why an ingestion ended.

    `publish error`: its media could not be passed on. `reconnection window expired`: the encoder went and
    did not come back. `stream closed`: the live stream was stopped. `internal error`: a fault.
    Source: seed, `ingest.end.success`, `reason`; platform.md §10.9.
    """

    PUBLISH_ERROR = "publish error"
    RECONNECTION_WINDOW_EXPIRED = "reconnection window expired"
    STREAM_CLOSED = "stream closed"
    INTERNAL_ERROR = "internal error"


class IngestStartError(StrEnum):
    """Why an encoder was refused.

    `stream key disabled`: its key or room is. `no hls destinations`: the template has none. `remote session
    active`: the room's live stream is running already, and not from this key. `already connected`: another
    encoder uses the key. `beam start error`: HLS did not start. `internal error`: a fault.
    Source: seed, `ingest.start.failure`, `error_message`; platform.md §10.9, §11 C20.
    """

    STREAM_KEY_DISABLED = "stream key disabled"
    INTERNAL_ERROR = "internal error"
    NO_HLS_DESTINATIONS = "no hls destinations"
    REMOTE_SESSION_ACTIVE = "remote session active"
    ALREADY_CONNECTED = "already connected"
    BEAM_START_ERROR = "beam start error"


class IngestError(StrEnum):
    """Why a running ingestion broke. `internal error`: a fault.

    `stream key disabled` is in the seed's sample only: it is read, not sent (platform.md §10.10 no. 26, §11
    C19).
    Source: seed, `ingest.failure`, `error_message`.
    """

    INTERNAL_ERROR = "internal error"
    STREAM_KEY_DISABLED = "stream key disabled"


class _Ingest(Payload, frozen=True, kw_only=True):
    """Into which room."""

    THEME: ClassVar[str] = "RTMP Ingestion Events"

    account_id: AccountId
    app_id: AppId
    room_id: RoomId
    template_id: TemplateId


class IngestStartSuccess(_Ingest, frozen=True, kw_only=True):
    """An encoder was accepted and its media is coming in.

    Source: seed, RTMP Ingestion Events, `ingest.start.success`.
    """

    EVENT: ClassVar[str] = "ingest.start.success"

    ingest_id: IngestId
    stream_id: IngestStreamId
    started_at: IngestStartedAt


class IngestEndSuccess(_Ingest, frozen=True, kw_only=True):
    """An ingestion is over.

    Source: seed, RTMP Ingestion Events, `ingest.end.success`.
    """

    EVENT: ClassVar[str] = "ingest.end.success"

    ingest_id: IngestId
    stream_id: IngestStreamId
    started_at: IngestStartedAt
    completed_at: Annotated[Timestamp, Meta(description="When the ingestion ended.", examples=["2025-01-15T11:00:02Z"])]
    duration: Annotated[
        Seconds, Meta(description="Whole seconds from `started_at` to `completed_at`.", examples=[3540])
    ]
    last_disconnected_at: Annotated[
        Timestamp,
        Meta(
            description="When the encoder's media last ceased; `completed_at` if it never did before.",
            examples=["2025-01-15T10:55:02Z"],
        ),
    ]
    reason: Annotated[
        IngestEndReason,
        Meta(description="Why it ended.", examples=[IngestEndReason.RECONNECTION_WINDOW_EXPIRED]),
    ]


class IngestStartFailure(_Ingest, frozen=True, kw_only=True):
    """An encoder was refused, or the live stream could not start.

    Source: seed, RTMP Ingestion Events, `ingest.start.failure`.
    """

    EVENT: ClassVar[str] = "ingest.start.failure"

    error_message: Annotated[
        IngestStartError,
        Meta(description="Why it could not start.", examples=[IngestStartError.ALREADY_CONNECTED]),
    ]


class IngestFailure(_Ingest, frozen=True, kw_only=True):
    """A running ingestion broke.

    Source: seed, RTMP Ingestion Events, `ingest.failure`.
    """

    EVENT: ClassVar[str] = "ingest.failure"

    ingest_id: IngestId
    error_message: Annotated[IngestError, Meta(description="Why it broke.", examples=[IngestError.INTERNAL_ERROR])]
