"""The closed catalogue of events: there are these and no others.

Always holds: `CATALOGUE` has every event of the seed, in the seed's order, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType

from callboard.events.beam import BeamFailure, BeamRecordingSuccess, BeamStartedSuccess, BeamStoppedSuccess
from callboard.events.hls import HlsFailure, HlsRecordingSuccess, HlsStartedSuccess, HlsStoppedSuccess
from callboard.events.ingest import IngestEndSuccess, IngestFailure, IngestStartFailure, IngestStartSuccess
from callboard.events.payload import Payload
from callboard.events.peer import PeerJoinFailure, PeerJoinSuccess, PeerLeaveFailure, PeerLeaveSuccess
from callboard.events.recording import RecordingFailed, RecordingSuccess
from callboard.events.role_change import RoleChangeFailure, RoleChangeSuccess
from callboard.events.room import RoomEndFailure, RoomEndSuccess
from callboard.events.session import SessionCloseSuccess, SessionOpenSuccess
from callboard.events.stream_recording import StreamRecordingFailure, StreamRecordingSuccess
from callboard.events.track_recording import (
    TrackRecordingFailure,
    TrackRecordingStartedSuccess,
    TrackRecordingSuccess,
)
from callboard.events.transcription import (
    TranscriptionFailure,
    TranscriptionStartedSuccess,
    TranscriptionSuccess,
)

_PAYLOADS: tuple[type[Payload], ...] = (
    SessionOpenSuccess,
    SessionCloseSuccess,
    PeerJoinSuccess,
    PeerLeaveSuccess,
    PeerJoinFailure,
    PeerLeaveFailure,
    RoomEndSuccess,
    RoomEndFailure,
    RoleChangeSuccess,
    RoleChangeFailure,
    TrackRecordingStartedSuccess,
    TrackRecordingSuccess,
    TrackRecordingFailure,
    StreamRecordingSuccess,
    StreamRecordingFailure,
    RecordingSuccess,
    RecordingFailed,
    BeamStartedSuccess,
    BeamStoppedSuccess,
    BeamRecordingSuccess,
    BeamFailure,
    HlsStartedSuccess,
    HlsStoppedSuccess,
    HlsFailure,
    HlsRecordingSuccess,
    TranscriptionStartedSuccess,
    TranscriptionSuccess,
    TranscriptionFailure,
    IngestStartSuccess,
    IngestEndSuccess,
    IngestStartFailure,
    IngestFailure,
)

CATALOGUE: Mapping[str, type[Payload]] = MappingProxyType({payload.EVENT: payload for payload in _PAYLOADS})
"""Each event's name and the type of its payload."""


class UnknownEventType(ValueError):  # noqa: N818 - it names what is wrong, as the message does
    """There is no event of this name. `name` is the name (its beginning), `near` what may have been meant."""

    def __init__(self, name: str) -> None:
        self.name = name[:100]  # it may come from anywhere, and looking for what is near costs its length
        self.near = tuple(get_close_matches(self.name, CATALOGUE, n=3, cutoff=0.6))
        hint = f" (did you mean {' or '.join(self.near)}?)" if self.near else ""
        super().__init__(f"unknown event type {self.name!r}{hint}")


def event_type(name: str) -> type[Payload]:
    """The payload type of the event called `name`. Raises `UnknownEventType`, which names what is near."""
    try:
        return CATALOGUE[name]
    except KeyError:
        raise UnknownEventType(name) from None


def matching(pattern: str) -> frozenset[str]:
    """The names of the events that `pattern` names: one, or several by `*`, which stands for any characters.

    Raises `UnknownEventType` if there is none.
    """
    if "*" not in pattern:
        return frozenset([event_type(pattern).EVENT])
    first, *pieces = pattern.split("*")
    found = frozenset(name for name in CATALOGUE if _matches(name, first, pieces))
    if not found:
        raise UnknownEventType(pattern)
    return found


def _matches(name: str, first: str, pieces: list[str]) -> bool:
    """Whether `name` is `first` and then the pieces in their order, with anything before each of them, the last at its
    end. Taking each as early as possible finds it if anything does.
    """
    at = len(first)
    if not name.startswith(first):
        return False
    for piece in pieces[:-1]:
        at = name.find(piece, at) + len(piece)
        if at < len(piece):
            return False
    return name.endswith(pieces[-1]) and len(name) - len(pieces[-1]) >= at
