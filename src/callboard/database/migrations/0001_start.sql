-- The first schema. One text for both back ends: the type words are PostgreSQL's, and SQLite reads its affinities
-- out of them. What differs stands in braces, and `sql.py` says what each back end puts there.
-- No column is nullable: absent is '', 0 or false. Instants are nanoseconds since the epoch (UTC).

CREATE TABLE workspace (
    id          {text} NOT NULL PRIMARY KEY,
    app_id      {text} NOT NULL,
    access_key  {text} NOT NULL,
    secret      {text} NOT NULL,
    created_at  bigint NOT NULL
);

CREATE TABLE template (
    id          {text} NOT NULL PRIMARY KEY,
    name        {text} NOT NULL,
    name_key    {text} NOT NULL,
    document    {text} NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);
CREATE INDEX template_name_key ON template (name_key);

CREATE TABLE room (
    id           {text}  NOT NULL PRIMARY KEY,
    name         {text}  NOT NULL,
    name_key     {text}  NOT NULL,
    template_id  {text}  NOT NULL,
    enabled      boolean NOT NULL,
    document     {text}  NOT NULL,
    created_at   bigint  NOT NULL,
    updated_at   bigint  NOT NULL
);
CREATE INDEX room_name_key ON room (name_key);

CREATE TABLE session (
    id           {text} NOT NULL PRIMARY KEY,
    room_id      {text} NOT NULL,
    template_id  {text} NOT NULL,
    opened_at    bigint NOT NULL,
    closed_at    bigint NOT NULL
);
CREATE INDEX session_open ON session (id) WHERE closed_at = 0;
CREATE INDEX session_room ON session (room_id, id);

CREATE TABLE peer (
    session_id  {text} NOT NULL,
    peer_id     {text} NOT NULL,
    joined_at   bigint NOT NULL,
    room_id     {text} NOT NULL,
    user_id     {text} NOT NULL,
    name        {text} NOT NULL,
    data        {text} NOT NULL,
    role        {text} NOT NULL,
    kind        {text} NOT NULL,
    left_at     bigint NOT NULL,
    reason      {text} NOT NULL,
    message     {text} NOT NULL,
    PRIMARY KEY (session_id, peer_id, joined_at)
);
CREATE INDEX peer_present ON peer (session_id) WHERE left_at = 0;

-- The last seq of each stream. It outlives its events, so that a seq is never given twice. A stream belongs to one
-- room, so a room's events are found by its streams and the event table needs no index for them.
CREATE TABLE stream (
    id       {text} NOT NULL PRIMARY KEY,
    room_id  {text} NOT NULL,
    seq      bigint NOT NULL
){without_rowid};
CREATE INDEX stream_room ON stream (room_id);

-- Every index here is paid for by every commit (one more costs about a quarter of the throughput), so there are two.
-- A session's events are its stream's: the ledger sees to it that they are in no other.
CREATE TABLE event (
    position      {position},
    id            {text} NOT NULL,
    stream        {text} NOT NULL,
    seq           bigint NOT NULL,
    type          {text} NOT NULL,
    room_id       {text} NOT NULL,
    session_id    {text} NOT NULL,
    peer_id       {text} NOT NULL,
    at            bigint NOT NULL,
    committed_at  bigint NOT NULL,
    actor         {text} NOT NULL,
    cause         {text} NOT NULL,
    body          bytea  NOT NULL
);
CREATE UNIQUE INDEX event_id ON event (id);
CREATE UNIQUE INDEX event_stream ON event (stream, seq);

CREATE TABLE endpoint (
    id          {text} NOT NULL PRIMARY KEY,
    document    {text} NOT NULL,
    created_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);

CREATE TABLE delivery_mark (
    endpoint_id  {text} NOT NULL PRIMARY KEY,
    position     bigint NOT NULL
){without_rowid};

CREATE TABLE delivery_cursor (
    endpoint_id  {text} NOT NULL,
    stream       {text} NOT NULL,
    seq          bigint NOT NULL,
    position     bigint NOT NULL,
    PRIMARY KEY (endpoint_id, stream)
){without_rowid};
CREATE INDEX delivery_cursor_position ON delivery_cursor (endpoint_id, position);

CREATE TABLE attempt (
    event_id     {text}           NOT NULL,
    endpoint_id  {text}           NOT NULL,
    number       bigint           NOT NULL,
    at           bigint           NOT NULL,
    status       bigint           NOT NULL,
    error        {text}           NOT NULL,
    seconds      double precision NOT NULL,
    PRIMARY KEY (event_id, endpoint_id, number)
){without_rowid};
CREATE INDEX attempt_endpoint ON attempt (endpoint_id, at);
