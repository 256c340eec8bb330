-- Deliveries that are made again because somebody asked for it: what was asked for, which events those are for each
-- endpoint, and how far that has come.

CREATE TABLE replay (
    id          {text} NOT NULL PRIMARY KEY,
    digest      {text} NOT NULL,
    document    {text} NOT NULL,
    upto        bigint NOT NULL,
    created_at  bigint NOT NULL
);
CREATE INDEX replay_age ON replay (created_at, id);

CREATE TABLE replay_part (
    replay_id      {text} NOT NULL,
    endpoint_id    {text} NOT NULL,
    job_id         {text} NOT NULL,
    state          {text} NOT NULL,
    total          bigint NOT NULL,
    completed      bigint NOT NULL,
    failed         bigint NOT NULL,
    streak         bigint NOT NULL,
    failed_events  {text} NOT NULL,
    message        {text} NOT NULL,
    started_at     bigint NOT NULL,
    ended_at       bigint NOT NULL,
    PRIMARY KEY (replay_id, endpoint_id)
){without_rowid};
CREATE INDEX replay_part_open ON replay_part (replay_id) WHERE ended_at = 0;

CREATE TABLE replay_chunk (
    replay_id    {text} NOT NULL,
    endpoint_id  {text} NOT NULL,
    number       bigint NOT NULL,
    positions    bytea  NOT NULL,
    PRIMARY KEY (replay_id, endpoint_id, number)
){without_rowid};
