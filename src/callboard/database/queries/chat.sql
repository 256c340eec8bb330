-- The chat of recorded sessions.

-- name: chat_page
SELECT session_id, sent_at, id, peer_id, name, user_id, roles, message
FROM chat_message
WHERE session_id = :session_id AND (sent_at > :after OR (sent_at = :after AND id > :id))
ORDER BY sent_at, id
LIMIT :limit
