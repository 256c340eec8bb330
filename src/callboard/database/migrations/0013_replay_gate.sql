-- What every start of a replay passes through, one after the other, whichever node it is asked of: the one row's fence.

CREATE TABLE replay_gate (
    id     bigint NOT NULL PRIMARY KEY,
    fence  bigint NOT NULL
);
INSERT INTO replay_gate (id, fence) VALUES (0, 0);
