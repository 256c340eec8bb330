-- What was said to more than one in sessions of which a composed recording is made, until its chat file is delivered.

CREATE TABLE chat_message (
    session_id  {text} NOT NULL,
    sent_at     bigint NOT NULL,
    id          {text} NOT NULL,
    peer_id     {text} NOT NULL,
    name        {text} NOT NULL,
    user_id     {text} NOT NULL,
    roles       {text} NOT NULL,
    message     {text} NOT NULL,
    PRIMARY KEY (session_id, sent_at, id)
){without_rowid};
