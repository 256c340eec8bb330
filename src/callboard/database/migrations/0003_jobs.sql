-- Background jobs, and what their steps have answered.

CREATE TABLE job (
    id           {text} NOT NULL PRIMARY KEY,
    kind         {text} NOT NULL,
    subject      {text} NOT NULL,
    payload      bytea  NOT NULL,
    priority     bigint NOT NULL,
    created_at   bigint NOT NULL,
    deadline_at  bigint NOT NULL,
    state        {text} NOT NULL,
    due_at       bigint NOT NULL,
    fence        bigint NOT NULL,
    owner        {text} NOT NULL,
    attempt      bigint NOT NULL,
    losses       bigint NOT NULL,
    progress     double precision NOT NULL,
    error_code   {text} NOT NULL,
    error        {text} NOT NULL,
    started_at   bigint NOT NULL,
    ended_at     bigint NOT NULL
);
CREATE INDEX job_due ON job (kind, priority DESC, due_at, id) WHERE ended_at = 0;
CREATE INDEX job_subject ON job (subject, id);
CREATE INDEX job_ended ON job (ended_at) WHERE ended_at > 0;

CREATE TABLE job_step (
    job_id    {text} NOT NULL,
    position  bigint NOT NULL,
    name      {text} NOT NULL,
    output    bytea  NOT NULL,
    at        bigint NOT NULL,
    PRIMARY KEY (job_id, position)
){without_rowid};
