-- Replays reach the webhooks that rooms have of their own, so these rooms are looked up. And each replay has a number,
-- from which its attempts are counted, so that two that overlap never take each other's place in the log.

CREATE INDEX stream_hook ON stream (hook) WHERE hook <> '';
ALTER TABLE replay ADD COLUMN number bigint NOT NULL DEFAULT 1;
