-- What the log of attempts knows of a request and its answer. The headers that an endpoint's requests have in common are
-- stored once for each version of the endpoint, not with every attempt.

ALTER TABLE attempt ADD COLUMN next_at bigint NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN remote {text} NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN dns double precision NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN connect double precision NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN tls double precision NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN first_byte double precision NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN answer {text} NOT NULL DEFAULT '';

CREATE TABLE request_head (
    endpoint_id  {text} NOT NULL,
    version      bigint NOT NULL,
    head         {text} NOT NULL,
    PRIMARY KEY (endpoint_id, version)
){without_rowid};
