"""Where the seed disagrees with itself about an event, and what Callboard does. Pure data, for the docs.

Owns: `CONTRADICTIONS`. Always holds: each is kept by the models or by the rooms, and has its number in platform.md §11
(A, B, C) or §10.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_NUMBERS = (
    "The table calls `size` and `duration` strings, the sample has numbers, and `duration` is missing in it. Both are"
    " numbers, and always sent (A6)."
)
_STATES = (
    "The table lists `state_name` and `state_timestamp` as if they were in use; they are deprecated and in no sample."
    " They are left out unless a setting asks for them (A10)."
)
_STREAM_TYPE = "The table says `stream_type`, the sample `type`. Both are sent, with the same value (A7)."
_ENVELOPE = "The table also lists `id`, `timestamp` and `type`: those are in the envelope only (§10.10 no. 25)."
_ERROR_CODE = "`error_code` is deprecated and in every sample: it is sent, and always 1 (A10)."

CONTRADICTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "session.close.success": (
            "`session_duration` is described as the time of a user. It is that of the session (§10.10 no. 6).",
        ),
        "peer.join.success": (
            "The sample in the seed's overview lacks `type`, `user_data` and `session_started_at`, which the event's"
            " own section has. They are sent (§10.10 no. 5).",
        ),
        "peer.leave.success": (
            "In the sample `duration` is 40 while its instants are 8.5 seconds apart. It is `left_at` − `joined_at`,"
            " cut off to whole seconds (B12).",
            "The sample has a `message` with the reason `client request`. It is always sent, and empty unless a"
            " removal or the end of the room gave one (A13).",
            "Nothing says what a peer's reason is when the room is ended: it is `peer kicked`, and `message` is the"
            " reason given (B1).",
        ),
        "peer.join.failure": (
            "`joined_at` is described as a time, and is the zero time in the sample. It is the zero time (A12).",
            "The table's example of `error_message` is the one of a failed leave (§10.10 no. 8).",
            "No text says `room is full`: a full role and a full room are `role not allowed` (B8).",
        ),
        "peer.leave.failure": (
            "The list says `peer not joined`, example and sample `Peer not joined`. The latter is sent (A9).",
            "In the sample `joined_at` is later than the event itself (§10.10 no. 9).",
        ),
        "room.end.success": (
            "In the sample the session starts five days after the event (§10.10 no. 10).",
            "Only `peer` is shown for `source`. Ended by REST it is `api`, and the keys about the peer are empty (B3).",
        ),
        "room.end.failure": (
            "The seed's index leaves this event out (§10.10 no. 1).",
            "Only `session not found` is shown. A role that may not end rooms gives `permission denied`, 403.",
        ),
        "role.change.success": ("In the sample `role` and `previous_role` are the same (§10.10 no. 11).",),
        "role.change.failure": ("The seed's index leaves this event out (§10.10 no. 1).",),
        "track.recording.success": (_NUMBERS, "The sample is no JSON: it has a comma too many (§10.10 no. 12)."),
        "track.recording.failure": (
            "The sample's `type` is `track.recording.success`, a slip: heading, index and changelog say failure (A8).",
            _NUMBERS,
        ),
        "stream.recording.success": (
            _STREAM_TYPE,
            "The table calls `size` and `duration` strings, the sample has numbers. They are numbers (A6).",
        ),
        "stream.recording.failure": (
            _STREAM_TYPE,
            "The table calls `size` and `duration` strings, the sample has numbers. They are numbers (A6).",
        ),
        "recording.success": (
            "`version` is 1.0 here and in `recording.failed`, and 2.0 everywhere else. So it is sent (A3).",
            "`location` and `URL` are deprecated and in no sample. They are left out unless a setting asks for them"
            " (A10).",
            "`duration` is described as the time of a user. It is the length of the file (§10.10 no. 16).",
        ),
        "recording.failed": (
            "`version` is 1.0 here and in `recording.success`, and 2.0 everywhere else. So it is sent (A3).",
            "Other events are called `failure` and have an `error_message`; this one is `failed` and has an `error`.",
            "The table's example of `error` is `Upload Failure`, an older text. It is read, and not sent.",
        ),
        "beam.started.success": (
            _STATES,
            "In the sample the session starts later than the event was made (§10.10 no. 19).",
        ),
        "beam.stopped.success": (_STATES,),
        "beam.recording.success": (
            "There is no `job_id` and no `recording_enabled`, unlike in the others of the run. Pair them by `beam_id`"
            " (§10.10 no. 18).",
            "In the sample `duration` is 79 while start and stop are 82.7 seconds apart: pauses do not count (C5).",
            "`location` is deprecated and in no sample. It is left out unless a setting asks for it (A10).",
        ),
        "beam.failure": (
            _STATES,
            _ERROR_CODE,
            "The text lists a wrong RTMP URL as a cause and the errors have no name for it: it is `INTERNAL_ERROR`"
            " (C13).",
        ),
        "hls.started.success": (_STATES,),
        "hls.stopped.success": (
            _STATES,
            "`url` and `live_transcription_enabled` are in the table only. They are sent (§10.10 no. 20).",
            "In the sample start and stop are the same instant, with a `duration` of 56 (§10.10 no. 20).",
        ),
        "hls.failure": (_STATES, _ERROR_CODE),
        "hls.recording.success": (
            "There is no `job_id` and no `peer_id`, unlike in the others of the run. Pair them by `beam_id`.",
            "`max_width` and `max_height` of the sample are smaller than its best layer (§10.10 no. 22).",
            "The changelog names `recording_path` and `recording_presigned_url`, which are in"
            " `recording_single_files` only (§10.10 no. 22).",
            "`recording_hls_vod_playlist_location` is deprecated and in no sample. It is left out unless a setting asks"
            " for it (A10).",
        ),
        "transcription.success": (
            "The sample's paths of srt and txt files end in `.json` (§10.10 no. 24).",
            "`account_id` and `app_id` are in the envelope and in `data`. Both are sent.",
        ),
        "transcription.failure": (
            "The REST page calls it `transcription.failed`. It is `transcription.failure` (§10.10 no. 24).",
            "There is no error text in table or sample, so there is none.",
        ),
        "ingest.start.success": (_ENVELOPE,),
        "ingest.end.success": (
            _ENVELOPE,
            "In the sample start, end and last disconnect are the same instant, with a `duration` of 111. It is"
            " `completed_at` − `started_at`, cut off (C17).",
            "`last_disconnected_at` is called a string. It is an instant as the others are (C16).",
        ),
        "ingest.start.failure": (_ENVELOPE,),
        "ingest.failure": (
            _ENVELOPE,
            "The only error listed is `internal error`, the sample has `stream key disabled`. That one is read, and not"
            " sent (C19).",
        ),
    }
)
