-- What REST v2 keeps besides rooms and sessions: room codes, polls, analytics, answers to requests that may be sent
-- twice. Instants are nanoseconds since the epoch (UTC); no column is nullable.

CREATE TABLE room_code (
    code        {text}  NOT NULL PRIMARY KEY,
    room_id     {text}  NOT NULL,
    role        {text}  NOT NULL,
    enabled     boolean NOT NULL,
    created_at  bigint  NOT NULL,
    updated_at  bigint  NOT NULL
);
CREATE INDEX room_code_room ON room_code (room_id);

CREATE TABLE poll (
    id          {text} NOT NULL PRIMARY KEY,
    document    {text} NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);

CREATE TABLE poll_session (
    id            {text} NOT NULL PRIMARY KEY,
    poll_id       {text} NOT NULL,
    session_id    {text} NOT NULL,
    room_id       {text} NOT NULL,
    document      {text} NOT NULL,
    created_at    bigint NOT NULL,
    created_by    {text} NOT NULL,
    started_at    bigint NOT NULL,
    started_by    {text} NOT NULL,
    stopped_at    bigint NOT NULL,
    stopped_by    {text} NOT NULL,
    responses     bigint NOT NULL,
    participants  bigint NOT NULL
);
CREATE INDEX poll_session_poll ON poll_session (poll_id, id);
CREATE INDEX poll_session_session ON poll_session (session_id, id);

CREATE TABLE poll_response (
    id           {text}  NOT NULL PRIMARY KEY,
    poll_id      {text}  NOT NULL,
    session_id   {text}  NOT NULL,
    question     bigint  NOT NULL,
    participant  {text}  NOT NULL,
    peer_id      {text}  NOT NULL,
    user_id      {text}  NOT NULL,
    user_name    {text}  NOT NULL,
    role         {text}  NOT NULL,
    answer       {text}  NOT NULL,
    duration     bigint  NOT NULL,
    retries      bigint  NOT NULL,
    original     {text}  NOT NULL,
    final        boolean NOT NULL,
    correct      boolean NOT NULL,
    score        bigint  NOT NULL,
    sent_at      bigint  NOT NULL
);
CREATE INDEX poll_response_poll ON poll_response (poll_id, id);
CREATE INDEX poll_response_session ON poll_response (session_id, poll_id);

-- An event of the ledger stands here by its id alone (`body` is empty then): its text is in one place only.
CREATE TABLE analytics_event (
    id          {text}  NOT NULL PRIMARY KEY,
    room_id     {text}  NOT NULL,
    session_id  {text}  NOT NULL,
    peer_id     {text}  NOT NULL,
    user_id     {text}  NOT NULL,
    beam_id     {text}  NOT NULL,
    type        {text}  NOT NULL,
    error       boolean NOT NULL,
    at          bigint  NOT NULL,
    body        {text}  NOT NULL
){without_rowid};
CREATE INDEX analytics_event_room ON analytics_event (room_id, at, id);

CREATE TABLE peer_stats (
    session_id  {text} NOT NULL,
    peer_id     {text} NOT NULL,
    at          bigint NOT NULL,
    room_id     {text} NOT NULL,
    document    {text} NOT NULL,
    PRIMARY KEY (session_id, peer_id, at)
){without_rowid};

CREATE TABLE idempotent_answer (
    access_key  {text} NOT NULL,
    path        {text} NOT NULL,
    key         {text} NOT NULL,
    digest      {text} NOT NULL,
    status      bigint NOT NULL,
    body        {text} NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (access_key, path, key)
);
CREATE INDEX idempotent_answer_age ON idempotent_answer (created_at);
