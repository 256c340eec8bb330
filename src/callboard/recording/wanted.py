"""What is recorded of a session: the settings of its template and room (platform.md §2.1, §2.2). Pure.

Owns: `wanted_of`.

Always holds: it is decided once, when the session opens: changes of the settings wait for the next one. Where files go
is not part of it (`depot.py` looks that up when they do).
"""

from __future__ import annotations

from callboard.recording.timeline import Wanted
from callboard.rooms.models import Recording, Room, Template

DEFAULT_PRESIGN_SECONDS = 86_400


def wanted_of(room: Room, template: Template) -> Wanted:
    """What is to be made of a session that opens now.

    Tracks and streams: the template's `recordings`. The composed recording: the room's `recording_info.enabled`, if the
    room has one; else the template's `customComposite` or, deprecated, `settings.recording.enabled`.
    """
    recording = template.recordings[0] if template.recordings else None
    composite = _composite(room, template, recording)
    if recording is None:
        return Wanted(composite=composite)
    stream = recording.stream_recording
    return Wanted(
        track=recording.track_recording.enabled,
        stream=stream.enabled,
        composite=composite,
        stream_width=stream.width,
        stream_height=stream.height,
        composite_width=recording.composite_recording.custom_composite.width,
        composite_height=recording.composite_recording.custom_composite.height,
        presign_seconds=recording.presign_duration or DEFAULT_PRESIGN_SECONDS,
        most_seconds=recording.max_duration,
    )


def _composite(room: Room, template: Template, recording: Recording | None) -> bool:
    if room.recording_info is not None:
        return room.recording_info.enabled
    settings = template.settings.recording
    if settings is not None and settings.enabled:
        return True
    return recording is not None and recording.composite_recording.custom_composite.enabled
