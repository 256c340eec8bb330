-- How endpoints are doing, and the events that were given up for one.

CREATE TABLE endpoint_health (
    endpoint_id    {text}  NOT NULL PRIMARY KEY,
    phase          {text}  NOT NULL,
    failing_since  bigint  NOT NULL,
    opened_at      bigint  NOT NULL,
    closed_at      bigint  NOT NULL,
    due_at         bigint  NOT NULL,
    probes         bigint  NOT NULL,
    warned         bigint  NOT NULL,
    parked         boolean NOT NULL
){without_rowid};

CREATE TABLE parked_event (
    endpoint_id  {text}  NOT NULL,
    event_id     {text}  NOT NULL,
    stream       {text}  NOT NULL,
    seq          bigint  NOT NULL,
    type         {text}  NOT NULL,
    at           bigint  NOT NULL,
    attempts     bigint  NOT NULL,
    status       bigint  NOT NULL,
    error        {text}  NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
){without_rowid};
CREATE INDEX parked_event_at ON parked_event (endpoint_id, at);

CREATE TABLE delivery_gap (
    endpoint_id  {text}  NOT NULL,
    stream       {text}  NOT NULL,
    seq          bigint  NOT NULL,
    PRIMARY KEY (endpoint_id, stream, seq)
){without_rowid};
