-- Recordings and the files that are made of them, as REST lists them; to which recording a capture belongs, and where
-- its files are.

ALTER TABLE capture ADD COLUMN recording_id {text} NOT NULL DEFAULT '';
ALTER TABLE capture ADD COLUMN folder {text} NOT NULL DEFAULT '';

DROP INDEX capture_unfinished;
CREATE INDEX capture_kept ON capture (session_id) WHERE state <> 'released';

CREATE TABLE recording (
    id          {text} NOT NULL PRIMARY KEY,
    room_id     {text} NOT NULL,
    session_id  {text} NOT NULL,
    kind        {text} NOT NULL,
    status      {text} NOT NULL,
    document    {text} NOT NULL,
    created_at  bigint NOT NULL,
    started_at  bigint NOT NULL,
    stopped_at  bigint NOT NULL,
    updated_at  bigint NOT NULL
);
CREATE INDEX recording_room ON recording (room_id, id);
CREATE INDEX recording_session ON recording (session_id, id);

CREATE TABLE recording_asset (
    id            {text} NOT NULL PRIMARY KEY,
    recording_id  {text} NOT NULL,
    room_id       {text} NOT NULL,
    session_id    {text} NOT NULL,
    template_id   {text} NOT NULL,
    type          {text} NOT NULL,
    status        {text} NOT NULL,
    path          {text} NOT NULL,
    key           {text} NOT NULL,
    size          bigint NOT NULL,
    duration      double precision NOT NULL,
    metadata      {text} NOT NULL,
    error_code    {text} NOT NULL,
    error         {text} NOT NULL,
    created_at    bigint NOT NULL,
    updated_at    bigint NOT NULL
);
CREATE INDEX recording_asset_recording ON recording_asset (recording_id, id);
CREATE INDEX recording_asset_room ON recording_asset (room_id, id);
CREATE INDEX recording_asset_session ON recording_asset (session_id, id);
