-- A room may have a webhook of its own. Whether it has is decided with a session's first event, for all of its events.
-- What goes to the webhooks of rooms has one mark, beginning now: "rooms" in the place of an endpoint's id.

ALTER TABLE stream ADD COLUMN hook {text} NOT NULL DEFAULT '';
INSERT INTO delivery_mark (endpoint_id, position) SELECT 'rooms', COALESCE(MAX(position), 0) FROM event;
