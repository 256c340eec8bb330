-- Room codes, polls, analytics and idempotent answers. Pages run backwards from `:start` unless said otherwise, as in
-- rooms.sql; filters that are not wanted are as there.

-- name: room_code
SELECT code, room_id, role, enabled, created_at, updated_at
FROM room_code
WHERE code = :code

-- At most a hundred.
-- name: room_codes_of_room
SELECT code, room_id, role, enabled, created_at, updated_at
FROM room_code
WHERE room_id = :room_id
ORDER BY created_at DESC, code

-- name: poll_by_id
SELECT id, document, created_at, updated_at
FROM poll
WHERE id = :id

-- name: poll_session_page
SELECT id, poll_id, session_id, room_id, document, created_at, created_by,
       started_at, started_by, stopped_at, stopped_by, responses, participants
FROM poll_session
WHERE poll_id = :poll_id
  AND id < :start
  AND started_at > 0
ORDER BY id DESC
LIMIT :limit

-- name: poll_sessions_of_session
SELECT id, poll_id, session_id, room_id, document, created_at, created_by,
       started_at, started_by, stopped_at, stopped_by, responses, participants
FROM poll_session
WHERE session_id = :session_id
ORDER BY id

-- Started, never stopped, in a session that is closed: with the instant of its end.
-- name: poll_sessions_left_open
SELECT run.id, run.poll_id, run.session_id, run.room_id, run.document, run.created_at, run.created_by,
       run.started_at, run.started_by, run.stopped_at, run.stopped_by, run.responses, run.participants,
       session.closed_at
FROM poll_session AS run JOIN session ON session.id = run.session_id
WHERE run.started_at > 0
  AND run.stopped_at = 0
  AND session.closed_at > 0
ORDER BY run.id

-- name: poll_response
SELECT id, poll_id, session_id, question, participant, peer_id, user_id, user_name, role, answer,
       duration, retries, original, final, correct, score, sent_at
FROM poll_response
WHERE id = :id

-- `:final` is 1 for only those that nothing updated, -1 for all; `:question` 0 for all.
-- name: poll_response_page
SELECT id, poll_id, session_id, question, participant, peer_id, user_id, user_name, role, answer,
       duration, retries, original, final, correct, score, sent_at
FROM poll_response
WHERE poll_id = :poll_id
  AND id < :start
  AND (:question = 0 OR question = :question)
  AND (:final = -1 OR final = (:final = 1))
ORDER BY id DESC
LIMIT :limit

-- name: poll_responses_of_session
SELECT id, poll_id, session_id, question, participant, peer_id, user_id, user_name, role, answer,
       duration, retries, original, final, correct, score, sent_at
FROM poll_response
WHERE session_id = :session_id
  AND poll_id = :poll_id
  AND final = (1 = 1)
ORDER BY id

-- Oldest first, those after the event `:id` at the instant `:after`, up to the instant `:before`. `:types` as in
-- events.sql; `:error` is 1 for errors only, -1 for all.
-- name: analytics_event_page
SELECT found.id, found.type, found.at, found.body, event.body
FROM analytics_event AS found LEFT JOIN event ON found.body = '' AND event.id = found.id
WHERE found.room_id = :room_id
  AND found.at >= :after
  AND (found.at > :after OR found.id > :id)
  AND found.at <= :before
  AND (:types = '' OR replace(:types, ',' || found.type || ',', '') <> :types)
  AND (:session_id = '' OR found.session_id = :session_id)
  AND (:peer_id = '' OR found.peer_id = :peer_id)
  AND (:user_id = '' OR found.user_id = :user_id)
  AND (:beam_id = '' OR found.beam_id = :beam_id)
  AND (:error = -1 OR found.error = (:error = 1))
ORDER BY found.at, found.id
LIMIT :limit

-- As analytics_event_page. No row when there are none.
-- name: analytics_event_count
SELECT COUNT(*)
FROM analytics_event
WHERE room_id = :room_id
  AND at >= :after
  AND at <= :before
  AND (:types = '' OR replace(:types, ',' || type || ',', '') <> :types)
  AND (:session_id = '' OR session_id = :session_id)
  AND (:peer_id = '' OR peer_id = :peer_id)
  AND (:user_id = '' OR user_id = :user_id)
  AND (:beam_id = '' OR beam_id = :beam_id)
  AND (:error = -1 OR error = (:error = 1))
GROUP BY room_id

-- name: peer_stats_of_peer
SELECT session_id, peer_id, at, room_id, document
FROM peer_stats
WHERE session_id = :session_id
  AND peer_id = :peer_id
ORDER BY at
LIMIT :limit

-- The ids of analytics events begin with their time: those less than `:below`, which is the first digits of one.
-- name: old_analytics_events
SELECT id
FROM analytics_event
WHERE id < :below
ORDER BY id
LIMIT :limit

-- As old_analytics_events, by the ids of sessions.
-- name: old_peer_stats
SELECT session_id, peer_id, at
FROM peer_stats
WHERE session_id < :below
ORDER BY session_id
LIMIT :limit

-- name: idempotency_gate
SELECT fence
FROM idempotency_gate
WHERE bucket = :number

-- name: idempotent_answer
SELECT access_key, path, key, digest, status, body, created_at
FROM idempotent_answer
WHERE access_key = :access_key
  AND path = :path
  AND key = :key

-- Those that nobody needs any more: created up to the instant `:before`, the oldest first.
-- name: old_operational_events
SELECT id
FROM operational_event
WHERE id < :below
ORDER BY id
LIMIT :limit

-- name: old_notices
SELECT endpoint_id, event_id
FROM notice
WHERE event_id < :below
ORDER BY event_id
LIMIT :limit

-- name: old_expunged
SELECT event_id
FROM expunged
WHERE at <= :before
ORDER BY at
LIMIT :limit

-- name: old_idempotent_answers
SELECT access_key, path, key
FROM idempotent_answer
WHERE created_at <= :before
ORDER BY created_at
LIMIT :limit
