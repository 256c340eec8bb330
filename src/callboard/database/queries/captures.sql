-- What was captured of sessions.

-- name: capture_of_session
SELECT session_id, room_id, template_id, started_at, ended_at, state, wanted, recording_id, folder
FROM capture
WHERE session_id = :session_id

-- Those whose files are still kept; how many there are does not grow with history.
-- name: kept_captures
SELECT session_id, room_id, template_id, started_at, ended_at, state, wanted, recording_id, folder
FROM capture
WHERE state <> 'released'
ORDER BY session_id

-- name: captured_tracks
SELECT session_id, peer_id, track_id, stream_id, user_id, peer_name, kind, source, recording_id,
    started_at, ended_at, refused
FROM captured_track
WHERE session_id = :session_id
ORDER BY started_at, track_id

-- name: captured_segments
SELECT session_id, peer_id, track_id, number, file, started_at, ended_at, mutes
FROM captured_segment
WHERE session_id = :session_id
ORDER BY peer_id, track_id, number
