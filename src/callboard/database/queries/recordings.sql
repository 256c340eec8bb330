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

-- name: recording_page
SELECT id, room_id, session_id, kind, status, document, created_at, started_at, stopped_at, updated_at
FROM recording
WHERE id < :start AND (:status = '' OR status = :status)
ORDER BY id DESC
LIMIT :limit

-- name: recording_page_of_room
SELECT id, room_id, session_id, kind, status, document, created_at, started_at, stopped_at, updated_at
FROM recording
WHERE room_id = :room_id AND id < :start AND (:status = '' OR status = :status)
ORDER BY id DESC
LIMIT :limit

-- name: recording_page_of_session
SELECT id, room_id, session_id, kind, status, document, created_at, started_at, stopped_at, updated_at
FROM recording
WHERE session_id = :session_id AND id < :start AND (:status = '' OR status = :status)
ORDER BY id DESC
LIMIT :limit

-- name: asset_page
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE id < :start AND (:status = '' OR status = :status) AND (:type = '' OR type = :type)
ORDER BY id DESC
LIMIT :limit

-- name: asset_page_of_room
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE room_id = :room_id AND id < :start AND (:status = '' OR status = :status) AND (:type = '' OR type = :type)
ORDER BY id DESC
LIMIT :limit

-- name: asset_page_of_session
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE session_id = :session_id AND id < :start AND (:status = '' OR status = :status) AND (:type = '' OR type = :type)
ORDER BY id DESC
LIMIT :limit

-- name: recording_assets_of_recording
SELECT id, recording_id, room_id, session_id, template_id, type, status, path, key, size, duration, metadata,
    error_code, error, created_at, updated_at
FROM recording_asset
WHERE recording_id = :recording_id
ORDER BY id
