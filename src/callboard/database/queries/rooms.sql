-- Templates, rooms, sessions and peers. Pages run backwards from `:start` (newest first, ids begin with their time):
-- pass an id beyond every other, such as 'g' for hexadecimal ids, for the first page. A filter that is not wanted is
-- '' for text, -1 for yes (1) or no (0); instants are exclusive bounds, 0 and 9223372036854775807 to have none.

-- name: workspace
SELECT id, app_id, access_key, secret, created_at
FROM workspace
ORDER BY created_at, id
LIMIT 1

-- name: template_by_id
SELECT id, name, name_key, document, created_at, updated_at
FROM template
WHERE id = :id

-- name: template_by_name
SELECT id, name, name_key, document, created_at, updated_at
FROM template
WHERE name_key = :name_key
ORDER BY id
LIMIT 1

-- name: template_page
SELECT id, name, name_key, document, created_at, updated_at
FROM template
WHERE id < :start
ORDER BY id DESC
LIMIT :limit

-- name: room_by_id
SELECT id, name, name_key, template_id, enabled, document, created_at, updated_at
FROM room
WHERE id = :id

-- name: room_by_name
SELECT id, name, name_key, template_id, enabled, document, created_at, updated_at
FROM room
WHERE name_key = :name_key
ORDER BY id
LIMIT 1

-- name: room_page
SELECT id, name, name_key, template_id, enabled, document, created_at, updated_at
FROM room
WHERE id < :start
  AND (:name_key = '' OR name_key = :name_key)
  AND (:template_id = '' OR template_id = :template_id)
  AND (:enabled = -1 OR enabled = (:enabled = 1))
  AND created_at > :after
  AND created_at < :before
ORDER BY id DESC
LIMIT :limit

-- name: open_sessions
SELECT id, room_id, template_id, opened_at, closed_at
FROM session
WHERE closed_at = 0
ORDER BY id

-- One row for each stay of a peer in it, and one (without a peer) for a session that nobody was in.
-- name: session_with_peers
SELECT session.id, session.room_id, session.opened_at, session.closed_at,
       peer.peer_id, peer.joined_at, peer.user_id, peer.name, peer.role, peer.left_at
FROM session LEFT JOIN peer ON peer.session_id = session.id
WHERE session.id = :id
ORDER BY peer.joined_at, peer.peer_id

-- As session_with_peers, for `:limit` sessions.
-- name: session_page
SELECT page.id, page.room_id, page.opened_at, page.closed_at,
       peer.peer_id, peer.joined_at, peer.user_id, peer.name, peer.role, peer.left_at
FROM (
    SELECT id, room_id, opened_at, closed_at
    FROM session
    WHERE id < :start
      AND (:active = -1 OR (closed_at = 0) = (:active = 1))
      AND opened_at > :after
      AND opened_at < :before
    ORDER BY id DESC
    LIMIT :limit
) AS page LEFT JOIN peer ON peer.session_id = page.id
ORDER BY page.id DESC, peer.joined_at, peer.peer_id

-- As session_page. A query of its own, because it walks another index.
-- name: session_page_of_room
SELECT page.id, page.room_id, page.opened_at, page.closed_at,
       peer.peer_id, peer.joined_at, peer.user_id, peer.name, peer.role, peer.left_at
FROM (
    SELECT id, room_id, opened_at, closed_at
    FROM session
    WHERE room_id = :room_id
      AND id < :start
      AND (:active = -1 OR (closed_at = 0) = (:active = 1))
      AND opened_at > :after
      AND opened_at < :before
    ORDER BY id DESC
    LIMIT :limit
) AS page LEFT JOIN peer ON peer.session_id = page.id
ORDER BY page.id DESC, peer.joined_at, peer.peer_id

-- name: peers_of_session
SELECT session_id, peer_id, joined_at, room_id, user_id, name, data, role, kind, left_at, reason, message
FROM peer
WHERE session_id = :session_id
ORDER BY joined_at, peer_id

-- name: present_peers
SELECT session_id, peer_id, joined_at, room_id, user_id, name, data, role, kind, left_at, reason, message
FROM peer
WHERE session_id = :session_id
  AND left_at = 0
ORDER BY joined_at, peer_id

-- Only asked at the start, and only of templates: there are few.
-- name: sealed_template
SELECT id
FROM template
WHERE document LIKE '%"A256GCM.%'
LIMIT 1

-- Only asked at the start.
-- name: templates_with_secrets
SELECT id, name, name_key, document, created_at, updated_at
FROM template
WHERE document LIKE '%"upload":{%'

-- By the index on (sealed_with) WHERE sealed_with <> ''.
-- name: sealed_room
SELECT id
FROM room
WHERE sealed_with <> ''
LIMIT 1

-- name: rooms_sealed_otherwise
SELECT id, name, name_key, template_id, enabled, document, created_at, updated_at
FROM room
WHERE id IN (
    SELECT id FROM room WHERE sealed_with <> '' AND sealed_with < :key_id
    UNION ALL
    SELECT id FROM room WHERE sealed_with <> '' AND sealed_with > :key_id
  )
  AND id > :start
ORDER BY id
LIMIT :limit
