-- What was captured of sessions: their tracks, and the files that hold them.

CREATE TABLE capture (
    session_id   {text} NOT NULL PRIMARY KEY,
    room_id      {text} NOT NULL,
    template_id  {text} NOT NULL,
    started_at   bigint NOT NULL,
    ended_at     bigint NOT NULL,
    state        {text} NOT NULL,
    wanted       {text} NOT NULL
);
CREATE INDEX capture_unfinished ON capture (session_id) WHERE state <> 'complete';

CREATE TABLE captured_track (
    session_id    {text} NOT NULL,
    peer_id       {text} NOT NULL,
    track_id      {text} NOT NULL,
    stream_id     {text} NOT NULL,
    user_id       {text} NOT NULL,
    peer_name     {text} NOT NULL,
    kind          {text} NOT NULL,
    source        {text} NOT NULL,
    recording_id  {text} NOT NULL,
    started_at    bigint NOT NULL,
    ended_at      bigint NOT NULL,
    refused       {text} NOT NULL,
    PRIMARY KEY (session_id, peer_id, track_id)
){without_rowid};

CREATE TABLE captured_segment (
    session_id  {text} NOT NULL,
    peer_id     {text} NOT NULL,
    track_id    {text} NOT NULL,
    number      bigint NOT NULL,
    file        {text} NOT NULL,
    started_at  bigint NOT NULL,
    ended_at    bigint NOT NULL,
    mutes       {text} NOT NULL,
    PRIMARY KEY (session_id, peer_id, track_id, number)
){without_rowid};
