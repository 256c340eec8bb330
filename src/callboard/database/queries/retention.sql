-- What is to be forgotten: keys of rows, the oldest first, as many as one transaction deletes.

-- name: event_positions_up_to
SELECT position
FROM event
WHERE position <= :position
ORDER BY position
LIMIT :limit

-- name: endpoints_ever_sent_to
SELECT DISTINCT endpoint_id
FROM request_head
ORDER BY endpoint_id

-- By the index on (endpoint_id, at).
-- name: attempts_begun_before
SELECT event_id, endpoint_id, number
FROM attempt
WHERE endpoint_id = :endpoint_id
  AND at < :before
ORDER BY at
LIMIT :limit

-- name: parked_events_gone
SELECT endpoint_id, event_id
FROM parked_event
WHERE NOT EXISTS (SELECT 1 FROM event WHERE event.id = parked_event.event_id)
ORDER BY endpoint_id, event_id
LIMIT :limit
