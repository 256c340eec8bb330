-- Several dispatchers on one database: who is there, who holds which shard of the streams, how far each shard has come.
-- A row of delivery_shard is there for every shard, always: guards name it.

CREATE TABLE delivery_node (
    id         {text} NOT NULL PRIMARY KEY,
    joined_at  bigint NOT NULL,
    beat       bigint NOT NULL,
    at         bigint NOT NULL
);

CREATE TABLE delivery_shard (
    shard  bigint NOT NULL PRIMARY KEY,
    owner  {text} NOT NULL,
    epoch  bigint NOT NULL
);
WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 63)
INSERT INTO delivery_shard (shard, owner, epoch) SELECT number, '', 0 FROM numbers;

CREATE TABLE shard_mark (
    endpoint_id  {text} NOT NULL,
    shard        bigint NOT NULL,
    position     bigint NOT NULL,
    PRIMARY KEY (endpoint_id, shard)
){without_rowid};
