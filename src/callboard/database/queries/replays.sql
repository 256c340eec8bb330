-- Deliveries that have ended, as they are listed and chosen for replays, and the replays.
-- An event that was given up for an endpoint and accepted by it later (a replay) is no failure any more.
-- CROSS JOIN keeps SQLite from beginning with the events: it reads the attempts of the endpoint, by `attempt_endpoint`
-- or, of those that failed, by `attempt_failed`. Every endpoint that was ever sent anything has a `request_head`.

-- name: replay_by_id
SELECT id, digest, document, upto, created_at, number
FROM replay
WHERE id = :id

-- name: replay_gate
SELECT fence
FROM replay_gate
WHERE id = 0

-- name: replay_page
SELECT id, digest, document, upto, created_at, number
FROM replay
WHERE created_at < :before
ORDER BY created_at DESC, id
LIMIT :limit

-- name: open_replays
SELECT DISTINCT replay.id, replay.digest
FROM replay_part CROSS JOIN replay
WHERE replay_part.ended_at = 0
  AND replay.id = replay_part.replay_id
ORDER BY replay.id

-- name: replay_parts
SELECT replay_id, endpoint_id, job_id, state, total, completed, failed, streak, failed_events, message, started_at,
    ended_at
FROM replay_part
WHERE replay_id = :replay_id
ORDER BY endpoint_id

-- name: replay_part
SELECT replay_id, endpoint_id, job_id, state, total, completed, failed, streak, failed_events, message, started_at,
    ended_at
FROM replay_part
WHERE replay_id = :replay_id
  AND endpoint_id = :endpoint_id

-- name: replay_chunk
SELECT positions
FROM replay_chunk
WHERE replay_id = :replay_id
  AND endpoint_id = :endpoint_id
  AND number = :number

-- name: replays_begun_before
SELECT id, digest, document, upto, created_at, number
FROM replay
WHERE created_at < :before
ORDER BY created_at, id
LIMIT :limit

-- name: last_attempt_number
SELECT COALESCE(MAX(number), :after)
FROM attempt
WHERE event_id = :event_id
  AND endpoint_id = :endpoint_id
  AND number > :after
  AND number < :before

-- The events that were given up for an endpoint, and happened or were given up in the time from `:since` to `:until`.
-- name: failed_for_endpoint
SELECT DISTINCT event.position
FROM attempt CROSS JOIN event
WHERE attempt.endpoint_id = :endpoint_id
  AND attempt.error <> ''
  AND attempt.error LIKE 'given_up:%'
  AND attempt.at >= :since
  AND event.id = attempt.event_id
  AND (attempt.at < :until OR (event.committed_at >= :since AND event.committed_at < :until))
  AND event.position <= :upto
  AND (:room_id = '' OR event.room_id = :room_id)
  AND (:session_id = '' OR event.session_id = :session_id)
  AND (:peer_id = '' OR event.peer_id = :peer_id)
  AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
  AND NOT EXISTS (
    SELECT 1
    FROM attempt AS accepted
    WHERE accepted.event_id = attempt.event_id
      AND accepted.endpoint_id = attempt.endpoint_id
      AND accepted.error = ''
  )
ORDER BY event.position
LIMIT :limit

-- name: parked_for_endpoint
SELECT event.position
FROM parked_event CROSS JOIN event
WHERE parked_event.endpoint_id = :endpoint_id
  AND parked_event.at >= :since
  AND event.id = parked_event.event_id
  AND (parked_event.at < :until OR (event.committed_at >= :since AND event.committed_at < :until))
  AND event.position <= :upto
  AND (:room_id = '' OR event.room_id = :room_id)
  AND (:session_id = '' OR event.session_id = :session_id)
  AND (:peer_id = '' OR event.peer_id = :peer_id)
  AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
ORDER BY event.position
LIMIT :limit

-- name: accepted_by_endpoint
SELECT DISTINCT event.position
FROM attempt CROSS JOIN event
WHERE attempt.endpoint_id = :endpoint_id
  AND attempt.error = ''
  AND attempt.at >= :since
  AND event.id = attempt.event_id
  AND (attempt.at < :until OR (event.committed_at >= :since AND event.committed_at < :until))
  AND event.position <= :upto
  AND (:room_id = '' OR event.room_id = :room_id)
  AND (:session_id = '' OR event.session_id = :session_id)
  AND (:peer_id = '' OR event.peer_id = :peer_id)
  AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
ORDER BY event.position
LIMIT :limit

-- Deliveries that ended in the time from `:since` to `:until`: accepted ones, and, unless `:accepted` is 1, those that
-- were given up; then those that were given up alone, of which there are few, so that nobody reads through the others.
-- What is on the page is settled first, without the bodies.
-- name: delivery_page
SELECT event.id, event.type, event.room_id, event.body, page.endpoint_id, page.at, page.status, page.error
FROM (
    SELECT attempt.event_id, attempt.endpoint_id, attempt.at, attempt.status, attempt.error
    FROM (SELECT DISTINCT endpoint_id FROM request_head) AS known CROSS JOIN attempt CROSS JOIN event
    WHERE attempt.endpoint_id = known.endpoint_id
      AND attempt.at >= :since
      AND attempt.at < :until
      AND (
        attempt.error = ''
        OR (
          :accepted <> 1
          AND attempt.error LIKE 'given_up:%'
          AND NOT EXISTS (
            SELECT 1
            FROM attempt AS accepted
            WHERE accepted.event_id = attempt.event_id
              AND accepted.endpoint_id = attempt.endpoint_id
              AND accepted.error = ''
          )
        )
      )
      AND event.id = attempt.event_id
      AND (:room_id = '' OR event.room_id = :room_id)
      AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
    ORDER BY attempt.at DESC, attempt.event_id DESC, attempt.endpoint_id
    LIMIT :limit OFFSET :offset
) AS page CROSS JOIN event
WHERE event.id = page.event_id
ORDER BY page.at DESC, page.event_id DESC, page.endpoint_id

-- name: delivery_count
SELECT COUNT(*)
FROM (SELECT DISTINCT endpoint_id FROM request_head) AS known CROSS JOIN attempt CROSS JOIN event
WHERE attempt.endpoint_id = known.endpoint_id
  AND attempt.at >= :since
  AND attempt.at < :until
  AND (
    attempt.error = ''
    OR (
      :accepted <> 1
      AND attempt.error LIKE 'given_up:%'
      AND NOT EXISTS (
        SELECT 1
        FROM attempt AS accepted
        WHERE accepted.event_id = attempt.event_id
          AND accepted.endpoint_id = attempt.endpoint_id
          AND accepted.error = ''
      )
    )
  )
  AND event.id = attempt.event_id
  AND (:room_id = '' OR event.room_id = :room_id)
  AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)

-- name: failed_delivery_page
SELECT event.id, event.type, event.room_id, event.body, page.endpoint_id, page.at, page.status, page.error
FROM (
    SELECT attempt.event_id, attempt.endpoint_id, attempt.at, attempt.status, attempt.error
    FROM (SELECT DISTINCT endpoint_id FROM request_head) AS known CROSS JOIN attempt CROSS JOIN event
    WHERE attempt.endpoint_id = known.endpoint_id
      AND attempt.at >= :since
      AND attempt.at < :until
      AND attempt.error <> ''
      AND attempt.error LIKE 'given_up:%'
      AND NOT EXISTS (
        SELECT 1
        FROM attempt AS accepted
        WHERE accepted.event_id = attempt.event_id
          AND accepted.endpoint_id = attempt.endpoint_id
          AND accepted.error = ''
      )
      AND event.id = attempt.event_id
      AND (:room_id = '' OR event.room_id = :room_id)
      AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
    ORDER BY attempt.at DESC, attempt.event_id DESC, attempt.endpoint_id
    LIMIT :limit OFFSET :offset
) AS page CROSS JOIN event
WHERE event.id = page.event_id
ORDER BY page.at DESC, page.event_id DESC, page.endpoint_id

-- name: failed_delivery_count
SELECT COUNT(*)
FROM (SELECT DISTINCT endpoint_id FROM request_head) AS known CROSS JOIN attempt CROSS JOIN event
WHERE attempt.endpoint_id = known.endpoint_id
  AND attempt.at >= :since
  AND attempt.at < :until
  AND attempt.error <> ''
  AND attempt.error LIKE 'given_up:%'
  AND NOT EXISTS (
    SELECT 1
    FROM attempt AS accepted
    WHERE accepted.event_id = attempt.event_id
      AND accepted.endpoint_id = attempt.endpoint_id
      AND accepted.error = ''
  )
  AND event.id = attempt.event_id
  AND (:room_id = '' OR event.room_id = :room_id)
  AND (:types = '' OR replace(:types, ',' || event.type || ',', '') <> :types)
