-- Who begins a request that may be sent twice passes a gate, whichever node it is at: the fence of one of these rows.

CREATE TABLE idempotency_gate (
    bucket  bigint NOT NULL PRIMARY KEY,
    fence   bigint NOT NULL
);
WITH RECURSIVE numbers (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM numbers WHERE number < 255)
INSERT INTO idempotency_gate (bucket, fence) SELECT number, 0 FROM numbers;
