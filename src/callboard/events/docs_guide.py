"""What the models do not say about an event, for its page in the docs: where it stands among the others, and what a
backend does with it. Pure data.

Owns: `GUIDES`. Always holds: there is one for each event of the catalogue. Sources: the seed; platform.md §4 to §8,
§10.7, §12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Guide:
    """`when`: its cause, and where it stands among the others. `use`: what to do with it."""

    when: str
    use: str


_RECORDED = (
    "The file exists and can be read when the event is sent: fetch it by the signed URL, or keep the path and sign a"
    " new URL by the REST API when the old one has expired."
)
_BILLED = "It ends the run, failed or not: bill by `duration`, once for each `beam_id`."

GUIDES: Mapping[str, Guide] = MappingProxyType(
    {
        "session.open.success": Guide(
            "The first event of its session: the first peer (or beam, or ingestion) came into an empty, enabled room."
            " The join that opened it follows.",
            "Mark the meeting as live. Key what follows by `session_id`: a room has many sessions, one after the"
            " other.",
        ),
        "session.close.success": Guide(
            "After the last leave of the session. Recordings and transcriptions of it may still report afterwards."
            " While a beam or an ingestion is in the room the session stays open, up to 5 minutes after the last"
            " person.",
            "Close the books of the session: attendance (`GET /v2/sessions/{session_id}` has every peer with its times,"
            " complete by now) and minutes. Wait for the recording's own event before you look for a file.",
        ),
        "peer.join.success": Guide(
            "A peer was admitted: it has a role, a place and its first media connection. A reconnection within the"
            " grace time (60 s by default) is no new join.",
            "Count people by `user_id`, connections by `peer_id`, which is new with every join. REST already knows the"
            " peer, so a handler may act on it at once: start a recording, send a message.",
        ),
        "peer.leave.success": Guide(
            "Exactly once for each `peer.join.success`, before the session closes, even if the server was killed"
            " meanwhile: a survivor reports it then (`server removed peer`).",
            "Attendance and minutes: add `duration` up by `user_id`. `reason` tells a leaver from a lost connection,"
            " and `message` has what was said with a removal.",
        ),
        "peer.join.failure": Guide(
            "A join was refused or broke off after it was known who wanted to join which room. Bad tokens and disabled"
            " rooms are refused before that, and make no event.",
            "Show it to support: this user could not get in, and `error_message` says why. No leave follows.",
        ),
        "peer.leave.failure": Guide(
            "A leave came from a peer that is not in the room: sent twice, before the join, or after a removal.",
            "Nothing, usually: it is a trace of a client that asks for what has happened. Do not subtract anybody.",
        ),
        "room.end.success": Guide(
            "Somebody ended the room, by SDK or REST. The leaves that it causes follow, then `session.close.success`.",
            "Keep who ended it and why. Wait for the close before you settle minutes; with `lock_room` nobody can join"
            " again until the room is enabled.",
        ),
        "room.end.failure": Guide(
            "Ending the room was refused: nobody is in it, or the peer's role may not.",
            "Look at the role's permissions (403), or take the room as over already (404). Nothing has changed.",
        ),
        "role.change.success": Guide(
            "The role is in force: what the peer may publish and see is that of the new role from now on.",
            "Update what your application shows and allows for the peer. Nobody asked (no `role_change_requested_by`)"
            " means: the REST API did.",
        ),
        "role.change.failure": Guide(
            "A change was refused, because the role has as many peers as its template allows. The peer keeps its role.",
            "Tell who asked, or raise `maxPeerCount` of the role.",
        ),
        "track.recording.started.success": Guide(
            "The recorder writes the track's first packets. Templates with track recording only.",
            "Note which `track_id` of which peer is on record, and expect one success or failure for it.",
        ),
        "track.recording.success": Guide(
            "The track's file is complete and uploaded; after the session has closed, possibly.",
            f"{_RECORDED} Pair sound and picture of a peer by `stream_id`.",
        ),
        "track.recording.failure": Guide(
            "Instead of the success: the recorder or the upload failed for good.",
            "Look at the storage's settings. With `recording_path` the file may still lie there; without, it is lost.",
        ),
        "stream.recording.success": Guide(
            "A stream (camera and microphone, a screen, or sound alone), muxed into one file, is uploaded.",
            _RECORDED,
        ),
        "stream.recording.failure": Guide(
            "Instead of the success: muxing or uploading failed for good.",
            "Look at the storage's settings; the tracks' own files, if they are recorded too, are not concerned.",
        ),
        "recording.success": Guide(
            "After `session.close.success`: the session was composed from what the SFU captured, and uploaded.",
            f"{_RECORDED} This is the file for people: one per session.",
        ),
        "recording.failed": Guide(
            "Instead of `recording.success`, after the session has closed.",
            "`INPUT_ERROR` is no fault: nobody published anything. For `CLOUD_ACCESS_ERROR` mend the storage's"
            " settings; the captured tracks are kept until a composition is uploaded.",
        ),
        "beam.started.success": Guide(
            "The page has joined and the output runs. At most once for each `beam_id`.",
            "Show `live` or `recording`; pair what follows by `beam_id`, REST calls by `job_id`.",
        ),
        "beam.stopped.success": Guide(
            "Exactly once for each run that had begun, at the end of its output, whatever ended it. The recording's"
            " event follows when its file is uploaded.",
            _BILLED,
        ),
        "beam.recording.success": Guide(
            "After `beam.stopped.success`: the file is uploaded.",
            _RECORDED,
        ),
        "beam.failure": Guide(
            "Beside `beam.stopped.success` of the same `beam_id`, whose reason names the same error; or after it, if"
            " only the upload failed.",
            "`MAX_RETRIES_REACHED`: can the meeting URL be opened from the server? `UPLOAD_ERROR`: mend the storage's"
            " settings. `BEAM_STOPPED`: it was stopped before it had begun; there is nothing to keep.",
        ),
        "hls.started.success": Guide(
            "The playlist can be played: viewers may be sent to `url` now. At most once for each `beam_id`.",
            "Publish `url` to your viewers, not earlier than this.",
        ),
        "hls.stopped.success": Guide(
            "Exactly once for each run that had begun, when the stream has ended, whatever ended it.",
            f"Tell viewers that it is over. {_BILLED}",
        ),
        "hls.failure": Guide(
            "Beside `hls.stopped.success` of the same `beam_id`, or after it, if only the upload failed.",
            "`error_type` as for `beam.failure`. If people are still in the room, start the stream anew.",
        ),
        "hls.recording.success": Guide(
            "After `hls.stopped.success`: video on demand, the files of each layer, or both are uploaded.",
            f"{_RECORDED} What was not asked for is empty, so look which of the two is there.",
        ),
        "transcription.started.success": Guide(
            "After the recording's own event (same `recording_id`): the job has begun.",
            "Show that a transcript is coming. The ids of its files are known from now on.",
        ),
        "transcription.success": Guide(
            "Once for each `transcription_id`, when everything that was asked for is uploaded.",
            "Fetch what you asked for. Empty paths are outputs that nobody wanted.",
        ),
        "transcription.failure": Guide(
            "Instead of the success: at least one output that was asked for is missing.",
            "Use what is there (paths that are not empty), and start the transcription again for the rest.",
        ),
        "ingest.start.success": Guide(
            "An encoder's media is coming in. Exactly one `ingest.end.success` follows; an encoder that comes back"
            " within the window makes neither.",
            "Show that the encoder is on air. Viewers follow `hls.started.success`.",
        ),
        "ingest.end.success": Guide(
            "Once for each `ingest_id`: stopped, or the encoder went and did not come back in time.",
            "Bill by `duration`. `reconnection window expired` and `publish error` are worth a call to whoever runs the"
            " encoder.",
        ),
        "ingest.start.failure": Guide(
            "An encoder with a known stream key was refused, or its live stream could not start. With an unknown key no"
            " room is known, and there is no event.",
            "`error_message` says what to mend: enable the key, give the template an HLS destination, stop the other"
            " encoder.",
        ),
        "ingest.failure": Guide(
            "A running ingestion broke. `ingest.end.success` of the same `ingest_id` follows.",
            "Alert: the live stream is down until the encoder comes back.",
        ),
    }
)
