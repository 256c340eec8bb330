-- The log of attempts in pages, newest first: the next page begins after (at, event_id, number) of the last row.
-- The columns are those of `attempts_of_event`, and the event's type ('': retention took the event away).

-- By the index on (endpoint_id, at).
-- name: attempt_page
SELECT attempt.event_id, attempt.endpoint_id, number, attempt.at, status, error, seconds, next_at, attempt.version,
    bytes, remote, dns, connect, tls, first_byte, answer, coalesce(head, ''), coalesce(event.type, '')
FROM attempt
LEFT JOIN request_head
    ON request_head.endpoint_id = attempt.endpoint_id AND request_head.version = attempt.version
LEFT JOIN event ON event.id = attempt.event_id
WHERE attempt.endpoint_id = :endpoint_id
  AND attempt.at >= :since
  AND attempt.at <= :at
  AND (attempt.at, attempt.event_id, number) < (:at, :event_id, :number)
  AND (:accepted = 0 OR error = '')
ORDER BY attempt.at DESC, attempt.event_id DESC, number DESC
LIMIT :limit

-- By the index on (endpoint_id, at) WHERE error <> ''. `:failure` is '' for every one.
-- name: failed_attempt_page
SELECT attempt.event_id, attempt.endpoint_id, number, attempt.at, status, error, seconds, next_at, attempt.version,
    bytes, remote, dns, connect, tls, first_byte, answer, coalesce(head, ''), coalesce(event.type, '')
FROM attempt
LEFT JOIN request_head
    ON request_head.endpoint_id = attempt.endpoint_id AND request_head.version = attempt.version
LEFT JOIN event ON event.id = attempt.event_id
WHERE attempt.endpoint_id = :endpoint_id
  AND attempt.error <> ''
  AND attempt.at >= :since
  AND attempt.at <= :at
  AND (attempt.at, attempt.event_id, number) < (:at, :event_id, :number)
  AND (:failure = '' OR error IN (:failure, 'given_up:' || :failure))
  AND (:given_up = 0 OR error LIKE 'given_up:%')
ORDER BY attempt.at DESC, attempt.event_id DESC, number DESC
LIMIT :limit

-- By the primary key.
-- name: event_attempt_page
SELECT attempt.event_id, attempt.endpoint_id, number, attempt.at, status, error, seconds, next_at, attempt.version,
    bytes, remote, dns, connect, tls, first_byte, answer, coalesce(head, ''), coalesce(event.type, '')
FROM attempt
LEFT JOIN request_head
    ON request_head.endpoint_id = attempt.endpoint_id AND request_head.version = attempt.version
LEFT JOIN event ON event.id = attempt.event_id
WHERE attempt.event_id = :event_id
  AND (attempt.endpoint_id, number) > (:endpoint_id, :number)
ORDER BY attempt.endpoint_id, number
LIMIT :limit
