-- Reading the log. `:types` is '' for all, or the wanted types each between commas (',peer.join.success,'): removing
-- ',type,' from it changes it exactly when the type is among them, which both back ends can say in the same words.
-- The columns are the fields of `ledger.Recorded`, in their order. `:upto` is the last position that is of interest,
-- `:since` and `:until` bound `committed_at` (the second is excluded); `:peer_id` is '' for all.

-- name: events_after
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE position > :position
  AND (:types = '' OR replace(:types, ',' || type || ',', '') <> :types)
ORDER BY position
LIMIT :limit

-- name: events_between
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE position > :position
  AND position <= :upto
  AND (:types = '' OR replace(:types, ',' || type || ',', '') <> :types)
  AND (:peer_id = '' OR peer_id = :peer_id)
  AND committed_at >= :since
  AND committed_at < :until
ORDER BY position
LIMIT :limit

-- A session's events are those of its stream, and within a stream seq and position rise together.
-- name: events_of_session
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE stream = :session_id
  AND (:room_id = '' OR room_id = :room_id)
  AND position > :position
  AND position <= :upto
  AND (:types = '' OR replace(:types, ',' || type || ',', '') <> :types)
  AND (:peer_id = '' OR peer_id = :peer_id)
  AND committed_at >= :since
  AND committed_at < :until
ORDER BY seq
LIMIT :limit

-- CROSS JOIN keeps SQLite from walking the whole log in search of the room: it reads the streams first.
-- name: events_of_room
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE position IN (
    SELECT found.position
    FROM stream CROSS JOIN event AS found
    WHERE stream.room_id = :room_id
      AND found.stream = stream.id
      AND found.position > :position
      AND found.position <= :upto
      AND (:types = '' OR replace(:types, ',' || found.type || ',', '') <> :types)
      AND (:peer_id = '' OR found.peer_id = :peer_id)
      AND found.committed_at >= :since
      AND found.committed_at < :until
    ORDER BY found.position
    LIMIT :limit
)
ORDER BY position

-- Of the stream, or of one of `:width` parts of it.
-- name: events_of_stream
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE stream = :stream
  AND seq > :seq
  AND seq % :width = :part
ORDER BY seq
LIMIT :limit

-- name: event_by_id
SELECT position, id, stream, seq, type, room_id, session_id, peer_id, at, committed_at, actor, cause, body,
    template_id, hook
FROM event
WHERE id = :id

-- name: expunged_since
SELECT position, event.id, stream, seq, type, room_id, session_id, peer_id, event.at, committed_at, actor, cause, body,
    template_id, hook
FROM expunged CROSS JOIN event
WHERE expunged.at >= :since
  AND event.id = expunged.event_id

-- The first event at or after a position: what a search by time looks at.
-- name: event_from
SELECT position, committed_at
FROM event
WHERE position >= :position
ORDER BY position
LIMIT 1

-- name: highest_position
SELECT COALESCE(MAX(position), 0)
FROM event

-- The streams that have events in a stretch of positions, and the last seq that each has, wherever that lies.
-- name: stream_heads
SELECT head.stream, first_seq, last_seq, first_position, last_position, stream.seq
FROM (
    SELECT stream, MIN(seq) AS first_seq, MAX(seq) AS last_seq, MIN(position) AS first_position, MAX(position) AS last_position
    FROM event
    WHERE position > :position
      AND position <= :upto
    GROUP BY stream
) AS head
JOIN stream ON stream.id = head.stream
ORDER BY first_position

-- Within a stream seq and position rise together.
-- name: stream_head_after
SELECT seq, position
FROM event
WHERE stream = :stream
  AND position > :position
ORDER BY seq
LIMIT 1
