-- Where an event goes: webhook endpoints may be for one template, and a room may have a webhook of its own. Events that
-- were committed before say neither; they belonged to endpoints of the whole workspace.

ALTER TABLE event ADD COLUMN template_id {text} NOT NULL DEFAULT '';
ALTER TABLE event ADD COLUMN hook {text} NOT NULL DEFAULT '';
