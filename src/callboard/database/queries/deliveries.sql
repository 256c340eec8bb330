-- Endpoints, how far each has come, and what was tried.

-- name: endpoints
SELECT id, document, created_at, updated_at
FROM endpoint
ORDER BY id

-- name: delivery_marks
SELECT endpoint_id, position
FROM delivery_mark
ORDER BY endpoint_id

-- name: delivery_cursors
SELECT endpoint_id, stream, seq, position
FROM delivery_cursor
WHERE endpoint_id = :endpoint_id
  AND position > :position
ORDER BY position

-- name: shard_marks
SELECT shard, position
FROM shard_mark
WHERE endpoint_id = :endpoint_id

-- name: delivery_nodes
SELECT id, joined_at, beat
FROM delivery_node
ORDER BY id

-- name: delivery_shards
SELECT shard, owner, epoch
FROM delivery_shard
ORDER BY shard

-- For the events of a stream, or of one of `:width` parts of it, between two seqs: what a lane has to know of them.
-- name: attempts_of_stretch
SELECT event.id, attempt.number, attempt.at, attempt.error
FROM event
JOIN attempt
    ON attempt.event_id = event.id AND attempt.endpoint_id = :endpoint_id
WHERE event.stream = :stream
  AND event.seq > :after
  AND event.seq <= :upto
  AND event.seq % :width = :part
ORDER BY event.seq, attempt.number

-- name: attempts_of_event
SELECT attempt.event_id, attempt.endpoint_id, number, at, status, error, seconds, next_at, attempt.version, bytes,
    remote, dns, connect, tls, first_byte, answer, coalesce(head, '')
FROM attempt
LEFT JOIN request_head
    ON request_head.endpoint_id = attempt.endpoint_id AND request_head.version = attempt.version
WHERE event_id = :event_id
ORDER BY attempt.endpoint_id, number

-- Newest first, before the instant `:before`.
-- name: attempts_of_endpoint
SELECT attempt.event_id, attempt.endpoint_id, number, at, status, error, seconds, next_at, attempt.version, bytes,
    remote, dns, connect, tls, first_byte, answer, coalesce(head, '')
FROM attempt
LEFT JOIN request_head
    ON request_head.endpoint_id = attempt.endpoint_id AND request_head.version = attempt.version
WHERE attempt.endpoint_id = :endpoint_id
  AND at < :before
ORDER BY at DESC, event_id, number
LIMIT :limit

-- name: endpoint_health
SELECT endpoint_id, phase, failing_since, opened_at, closed_at, due_at, probes, warned, parked
FROM endpoint_health
WHERE endpoint_id = :endpoint_id

-- By the index on (endpoint_id, at).
-- name: parked_events
SELECT endpoint_id, event_id, stream, seq, type, at, attempts, status, error
FROM parked_event
WHERE endpoint_id = :endpoint_id
  AND (at > :at OR (at = :at AND event_id > :event_id))
ORDER BY at, event_id
LIMIT :limit

-- name: delivery_gaps
SELECT stream, seq
FROM delivery_gap
WHERE endpoint_id = :endpoint_id
ORDER BY stream, seq
LIMIT :limit

-- What is to be sent to an endpoint, in order.
-- name: notices
SELECT operational_event.id, at, type, operational_event.endpoint_id, body
FROM notice
JOIN operational_event ON operational_event.id = notice.event_id
WHERE notice.endpoint_id = :endpoint_id
ORDER BY notice.event_id
LIMIT :limit

-- name: operational_events
SELECT id, at, type, endpoint_id, body
FROM operational_event
WHERE id > :id
ORDER BY id
LIMIT :limit

-- Rooms whose events went to a webhook of their own: by the index on (hook) WHERE hook <> '', and, of what happened
-- outside sessions, by what was sent to.
-- name: hooked_rooms
SELECT hook
FROM stream
WHERE hook <> ''
  AND hook > :start
UNION
SELECT room.id
FROM request_head CROSS JOIN room
WHERE request_head.endpoint_id > :start
  AND room.id = request_head.endpoint_id
ORDER BY hook
LIMIT :limit

-- name: hooked_room
SELECT hook
FROM stream
WHERE hook <> ''
  AND hook = :room_id
UNION
SELECT room.id
FROM request_head CROSS JOIN room
WHERE request_head.endpoint_id = :room_id
  AND room.id = request_head.endpoint_id
LIMIT 1
