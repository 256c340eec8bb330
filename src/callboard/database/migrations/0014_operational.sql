-- What happens to endpoints, as events of their own, and to whom they are still to be sent.

CREATE TABLE operational_event (
    id           {text} NOT NULL PRIMARY KEY,
    at           bigint NOT NULL,
    type         {text} NOT NULL,
    endpoint_id  {text} NOT NULL,
    body         {text} NOT NULL
);

CREATE TABLE notice (
    endpoint_id  {text} NOT NULL,
    event_id     {text} NOT NULL,
    PRIMARY KEY (endpoint_id, event_id)
){without_rowid};
