-- Recordings and their assets. The columns are the fields of `recording.assets`, in their order.

-- name: recording_by_id
SELECT id, room_id, session_id, kind, status, document, created_at, started_at, stopped_at, updated_at
FROM recording
WHERE id = :id

-- name: recording_asset_by_id
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE id = :id

-- name: recording_assets_of_session
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE session_id = :session_id
ORDER BY id

-- name: session_times
SELECT opened_at, closed_at
FROM session
WHERE id = :id
