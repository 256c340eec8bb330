-- Which master key sealed the secrets of a room, so that at a start nobody reads through all rooms. Of rooms that have
-- secrets by now, it is found out at the next start, and what is not sealed is sealed then.

ALTER TABLE room ADD COLUMN sealed_with {text} NOT NULL DEFAULT '';
UPDATE room SET sealed_with = 'several' WHERE document LIKE '%"headers":_"%' OR document LIKE '%"upload_info":_"%';
CREATE INDEX room_sealed ON room (sealed_with, id) WHERE sealed_with <> '';
