"""The contract: every event that Callboard reports, typed.

Owns: the envelope, the payloads (one module per theme of the seed), the catalogue, the JSON Schemas.

Always holds: no I/O and no other room, so that any room can build, read and check an event.
"""

from callboard.events import timestamps
from callboard.events.beam import (
    BeamFailure,
    BeamRecordingSuccess,
    BeamStartedSuccess,
    BeamStoppedSuccess,
    RtmpDestination,
)
from callboard.events.catalogue import (
    CATALOGUE,
    UnknownEventType,
    event_type,
    matching,
)
from callboard.events.envelope import (
    Envelope,
    decode,
    encode,
    envelope_of,
    marked_as_test,
    replayed,
)
from callboard.events.hls import (
    HlsFailure,
    HlsRecordingSuccess,
    HlsStartedSuccess,
    HlsStoppedSuccess,
)
from callboard.events.hls_files import (
    LayerFile,
    Thumbnail,
)
from callboard.events.ingest import (
    IngestEndReason,
    IngestEndSuccess,
    IngestError,
    IngestFailure,
    IngestStartError,
    IngestStartFailure,
    IngestStartSuccess,
)
from callboard.events.payload import (
    Payload,
)
from callboard.events.peer import (
    JoinFailure,
    LeaveFailure,
    LeaveReason,
    PeerJoinFailure,
    PeerJoinSuccess,
    PeerLeaveFailure,
    PeerLeaveSuccess,
    PeerType,
)
from callboard.events.recording import (
    RecordingErrorMessage,
    RecordingErrorType,
    RecordingFailed,
    RecordingSuccess,
)
from callboard.events.role_change import (
    RoleChangeError,
    RoleChangeFailure,
    RoleChangeSuccess,
)
from callboard.events.room import (
    EndSource,
    RoomEndError,
    RoomEndFailure,
    RoomEndSuccess,
)
from callboard.events.runs import (
    BeamError,
    BeamState,
    BeamStopReason,
    HlsError,
)
from callboard.events.schema import (
    json_schema,
    sample,
)
from callboard.events.session import (
    SessionCloseSuccess,
    SessionOpenSuccess,
)
from callboard.events.stream_recording import (
    StreamRecordingError,
    StreamRecordingFailure,
    StreamRecordingSuccess,
    StreamType,
)
from callboard.events.timestamps import (
    ZERO_TIME,
    parse,
    precise,
    seconds,
    stored,
)
from callboard.events.track_recording import (
    TrackRecordingError,
    TrackRecordingFailure,
    TrackRecordingStartedSuccess,
    TrackRecordingSuccess,
    TrackType,
)
from callboard.events.transcription import (
    TranscriptionFailure,
    TranscriptionStartedSuccess,
    TranscriptionSuccess,
)

__all__ = [
    "CATALOGUE",
    "ZERO_TIME",
    "BeamError",
    "BeamFailure",
    "BeamRecordingSuccess",
    "BeamStartedSuccess",
    "BeamState",
    "BeamStopReason",
    "BeamStoppedSuccess",
    "EndSource",
    "Envelope",
    "HlsError",
    "HlsFailure",
    "HlsRecordingSuccess",
    "HlsStartedSuccess",
    "HlsStoppedSuccess",
    "IngestEndReason",
    "IngestEndSuccess",
    "IngestError",
    "IngestFailure",
    "IngestStartError",
    "IngestStartFailure",
    "IngestStartSuccess",
    "JoinFailure",
    "LayerFile",
    "LeaveFailure",
    "LeaveReason",
    "Payload",
    "PeerJoinFailure",
    "PeerJoinSuccess",
    "PeerLeaveFailure",
    "PeerLeaveSuccess",
    "PeerType",
    "RecordingErrorMessage",
    "RecordingErrorType",
    "RecordingFailed",
    "RecordingSuccess",
    "RoleChangeError",
    "RoleChangeFailure",
    "RoleChangeSuccess",
    "RoomEndError",
    "RoomEndFailure",
    "RoomEndSuccess",
    "RtmpDestination",
    "SessionCloseSuccess",
    "SessionOpenSuccess",
    "StreamRecordingError",
    "StreamRecordingFailure",
    "StreamRecordingSuccess",
    "StreamType",
    "Thumbnail",
    "TrackRecordingError",
    "TrackRecordingFailure",
    "TrackRecordingStartedSuccess",
    "TrackRecordingSuccess",
    "TrackType",
    "TranscriptionFailure",
    "TranscriptionStartedSuccess",
    "TranscriptionSuccess",
    "UnknownEventType",
    "decode",
    "encode",
    "envelope_of",
    "event_type",
    "json_schema",
    "marked_as_test",
    "matching",
    "parse",
    "precise",
    "replayed",
    "sample",
    "seconds",
    "stored",
    "timestamps",
]
