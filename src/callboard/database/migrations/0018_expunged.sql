-- Which events were expunged lately, so that every node that shares the database lets go of what it holds of them.

CREATE TABLE expunged (
    event_id  {text} NOT NULL PRIMARY KEY,
    at        bigint NOT NULL
);
CREATE INDEX expunged_at ON expunged (at);
