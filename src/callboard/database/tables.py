"""The tables whose rows are written whole, as the writer sees them.

Owns: one `Table` per table that rooms, webhooks and jobs put rows into. `stream` is not among them, and `event` not for
this: only the writer touches those, when it appends events.

Always holds: names, types and keys here are those of the migrated schema, on both back ends (a test compares them).
No column is ever null: what is absent is `''`, `0` or `False`, and what that means is said here.
"""

from __future__ import annotations

from callboard.database.units import Column, Kind, Table

TEXT, BIGINT, BYTES, REAL, BOOLEAN = Kind.TEXT, Kind.BIGINT, Kind.BYTES, Kind.REAL, Kind.BOOLEAN


def _table(name: str, key: int, /, **columns: Kind) -> Table:
    """A table with these columns, in this order; the first `key` of them are its primary key."""
    return Table(name, tuple(Column(column, kind) for column, kind in columns.items()), key)


WORKSPACE = _table(
    "workspace",
    1,
    id=TEXT,
    app_id=TEXT,
    access_key=TEXT,
    secret=TEXT,
    created_at=BIGINT,
)
"""The account that owns everything here, and its credentials."""

TEMPLATE = _table(
    "template",
    1,
    id=TEXT,
    name=TEXT,
    name_key=TEXT,
    document=TEXT,
    created_at=BIGINT,
    updated_at=BIGINT,
)
"""`name_key` is the name as it is looked up (its normal form is the rooms' business); `document` is JSON."""

ROOM = _table(
    "room",
    1,
    id=TEXT,
    name=TEXT,
    name_key=TEXT,
    template_id=TEXT,
    enabled=BOOLEAN,
    document=TEXT,
    created_at=BIGINT,
    updated_at=BIGINT,
    sealed_with=TEXT,
)
"""`document` is JSON: what is not looked up by. `sealed_with` is the master key of the secrets in it, '' without any
(`rooms/credentials.py`)."""

SESSION = _table(
    "session",
    1,
    id=TEXT,
    room_id=TEXT,
    template_id=TEXT,
    opened_at=BIGINT,
    closed_at=BIGINT,
)
"""`closed_at` is 0 while the session is open."""

PEER = _table(
    "peer",
    3,
    session_id=TEXT,
    peer_id=TEXT,
    joined_at=BIGINT,
    room_id=TEXT,
    user_id=TEXT,
    name=TEXT,
    data=TEXT,
    role=TEXT,
    kind=TEXT,
    left_at=BIGINT,
    reason=TEXT,
    message=TEXT,
)
"""One row per join (a peer id can come back): `left_at` is 0 while the peer is in the room."""

ENDPOINT = _table(
    "endpoint",
    1,
    id=TEXT,
    document=TEXT,
    created_at=BIGINT,
    updated_at=BIGINT,
)
"""A webhook endpoint; `document` is JSON."""

DELIVERY_MARK = _table(
    "delivery_mark",
    1,
    endpoint_id=TEXT,
    position=BIGINT,
)
"""Every event up to `position` has been delivered to the endpoint (or given up for it)."""

DELIVERY_CURSOR = _table(
    "delivery_cursor",
    2,
    endpoint_id=TEXT,
    stream=TEXT,
    seq=BIGINT,
    position=BIGINT,
)
"""How far one lane has come: the last `seq` of the stream that is done with, and that event's position."""

ENDPOINT_HEALTH = _table(
    "endpoint_health",
    1,
    endpoint_id=TEXT,
    phase=TEXT,
    failing_since=BIGINT,
    opened_at=BIGINT,
    closed_at=BIGINT,
    due_at=BIGINT,
    probes=BIGINT,
    warned=BIGINT,
    parked=BOOLEAN,
)
"""What `webhooks/health.py` must know of an endpoint after a restart. No row: it has been well all the time."""

PARKED_EVENT = _table(
    "parked_event",
    2,
    endpoint_id=TEXT,
    event_id=TEXT,
    stream=TEXT,
    seq=BIGINT,
    type=TEXT,
    at=BIGINT,
    attempts=BIGINT,
    status=BIGINT,
    error=TEXT,
)
"""An event that was given up for an endpoint (`webhooks/parking.py`), until it is replayed."""

DELIVERY_GAP = _table(
    "delivery_gap",
    3,
    endpoint_id=TEXT,
    stream=TEXT,
    seq=BIGINT,
)
"""That one was left out, until a later delivery of the stream has told the endpoint."""

DELIVERY_NODE = _table(
    "delivery_node",
    1,
    id=TEXT,
    joined_at=BIGINT,
    beat=BIGINT,
    at=BIGINT,
)
"""A dispatcher among several: while it lives it changes `beat` (and `at`, for people). Without its row it may write
nothing: it is written only under a guard of `joined_at`, as is everything that the dispatcher writes."""

DELIVERY_SHARD = _table(
    "delivery_shard",
    1,
    shard=BIGINT,
    owner=TEXT,
    epoch=BIGINT,
)
"""Who delivers the streams of a shard: a `DELIVERY_NODE`, or '' for nobody. `epoch` counts the changes of that."""

SHARD_MARK = _table(
    "shard_mark",
    2,
    endpoint_id=TEXT,
    shard=BIGINT,
    position=BIGINT,
)
"""As `DELIVERY_MARK`, for the streams of one shard: the further of both counts."""

OPERATIONAL_EVENT = _table(
    "operational_event",
    1,
    id=TEXT,
    at=BIGINT,
    type=TEXT,
    endpoint_id=TEXT,
    body=TEXT,
)
"""What happened to an endpoint (`webhooks/operational.py`); `body` is JSON, as it is sent."""

NOTICE = _table(
    "notice",
    2,
    endpoint_id=TEXT,
    event_id=TEXT,
)
"""An operational event that is to be sent to an endpoint, until it has been."""

ATTEMPT = _table(
    "attempt",
    3,
    event_id=TEXT,
    endpoint_id=TEXT,
    number=BIGINT,
    at=BIGINT,
    status=BIGINT,
    error=TEXT,
    seconds=REAL,
    next_at=BIGINT,
    version=BIGINT,
    bytes=BIGINT,
    remote=TEXT,
    dns=REAL,
    connect=REAL,
    tls=REAL,
    first_byte=REAL,
    answer=TEXT,
)
"""One try to deliver one event: `number` is 1, 2, …; `status` is the HTTP status, 0 if there was no answer.

`next_at` is 0 when no other follows, `version` says which `REQUEST_HEAD` was sent, with `bytes` of body; `answer` is
JSON ("": none), the numbers from `dns` on are seconds.
"""

REQUEST_HEAD = _table(
    "request_head",
    2,
    endpoint_id=TEXT,
    version=BIGINT,
    head=TEXT,
)
"""What all requests to an endpoint had in common while it was as it was at `version`: JSON, without what is secret."""

ROOM_CODE = _table(
    "room_code",
    1,
    code=TEXT,
    room_id=TEXT,
    role=TEXT,
    enabled=BOOLEAN,
    created_at=BIGINT,
    updated_at=BIGINT,
)
"""`updated_at` is when `enabled` changed last."""

POLL = _table(
    "poll",
    1,
    id=TEXT,
    document=TEXT,
    created_at=BIGINT,
    updated_at=BIGINT,
)
"""A poll as it was written; `document` is JSON."""

POLL_SESSION = _table(
    "poll_session",
    1,
    id=TEXT,
    poll_id=TEXT,
    session_id=TEXT,
    room_id=TEXT,
    document=TEXT,
    created_at=BIGINT,
    created_by=TEXT,
    started_at=BIGINT,
    started_by=TEXT,
    stopped_at=BIGINT,
    stopped_by=TEXT,
    responses=BIGINT,
    participants=BIGINT,
)
"""A poll in a session: `started_at` and `stopped_at` are 0 before; `document` is the poll as it was when it started."""

POLL_RESPONSE = _table(
    "poll_response",
    1,
    id=TEXT,
    poll_id=TEXT,
    session_id=TEXT,
    question=BIGINT,
    participant=TEXT,
    peer_id=TEXT,
    user_id=TEXT,
    user_name=TEXT,
    role=TEXT,
    answer=TEXT,
    duration=BIGINT,
    retries=BIGINT,
    original=TEXT,
    final=BOOLEAN,
    correct=BOOLEAN,
    score=BIGINT,
    sent_at=BIGINT,
)
"""One answer to one question; `original` is the id of the first answer that it updates, '' for a first one. `final` is
false once another one updates it. `duration` is in milliseconds, as the client says it."""

ANALYTICS_EVENT = _table(
    "analytics_event",
    1,
    id=TEXT,
    room_id=TEXT,
    session_id=TEXT,
    peer_id=TEXT,
    user_id=TEXT,
    beam_id=TEXT,
    type=TEXT,
    error=BOOLEAN,
    at=BIGINT,
    body=TEXT,
)
"""`body` is the JSON of the event's `data`, or '' for an event of the ledger with the same id."""

PEER_STATS = _table(
    "peer_stats",
    3,
    session_id=TEXT,
    peer_id=TEXT,
    at=BIGINT,
    room_id=TEXT,
    document=TEXT,
)
"""What a peer told of its connection at one time; `document` is JSON."""

IDEMPOTENT_ANSWER = _table(
    "idempotent_answer",
    3,
    access_key=TEXT,
    path=TEXT,
    key=TEXT,
    digest=TEXT,
    status=BIGINT,
    body=TEXT,
    created_at=BIGINT,
)
"""What a POST was answered with; `digest` is that of its body, `body` (the answer's) may be sealed."""

JOB = _table(
    "job",
    1,
    id=TEXT,
    kind=TEXT,
    subject=TEXT,
    payload=BYTES,
    priority=BIGINT,
    created_at=BIGINT,
    deadline_at=BIGINT,
    state=TEXT,
    due_at=BIGINT,
    fence=BIGINT,
    owner=TEXT,
    attempt=BIGINT,
    losses=BIGINT,
    progress=REAL,
    error_code=TEXT,
    error=TEXT,
    started_at=BIGINT,
    ended_at=BIGINT,
)
"""A background job (`jobs/job.py` says what the columns mean). Once there, written only under a guard of `fence`."""

JOB_STEP = _table(
    "job_step",
    2,
    job_id=TEXT,
    position=BIGINT,
    name=TEXT,
    output=BYTES,
    at=BIGINT,
)
"""What a finished step of a job answered: `output` is JSON. Forgotten with the job."""

CAPTURE = _table(
    "capture",
    1,
    session_id=TEXT,
    room_id=TEXT,
    template_id=TEXT,
    started_at=BIGINT,
    ended_at=BIGINT,
    state=TEXT,
    wanted=TEXT,
    recording_id=TEXT,
    folder=TEXT,
)
"""That a session is recorded (`recording/timeline.py` says what the columns mean). `wanted` is JSON."""

CAPTURED_TRACK = _table(
    "captured_track",
    3,
    session_id=TEXT,
    peer_id=TEXT,
    track_id=TEXT,
    stream_id=TEXT,
    user_id=TEXT,
    peer_name=TEXT,
    kind=TEXT,
    source=TEXT,
    recording_id=TEXT,
    started_at=BIGINT,
    ended_at=BIGINT,
    refused=TEXT,
)
"""A track of it; `ended_at` is 0 while it is published."""

CAPTURED_SEGMENT = _table(
    "captured_segment",
    4,
    session_id=TEXT,
    peer_id=TEXT,
    track_id=TEXT,
    number=BIGINT,
    file=TEXT,
    started_at=BIGINT,
    ended_at=BIGINT,
    mutes=TEXT,
)
"""A stretch of such a track in one file; `mutes` is JSON."""

RECORDING = _table(
    "recording",
    1,
    id=TEXT,
    room_id=TEXT,
    session_id=TEXT,
    kind=TEXT,
    status=TEXT,
    document=TEXT,
    created_at=BIGINT,
    started_at=BIGINT,
    stopped_at=BIGINT,
    updated_at=BIGINT,
)
"""A recorder's run (platform.md §2.6). `kind` is `sfu` for what is captured of a session; `document` is JSON: what else
REST shows of it. `started_at` and `stopped_at` are 0 before."""

RECORDING_ASSET = _table(
    "recording_asset",
    1,
    id=TEXT,
    recording_id=TEXT,
    room_id=TEXT,
    session_id=TEXT,
    template_id=TEXT,
    type=TEXT,
    status=TEXT,
    path=TEXT,
    key=TEXT,
    size=BIGINT,
    duration=REAL,
    metadata=TEXT,
    error_code=TEXT,
    error=TEXT,
    created_at=BIGINT,
    updated_at=BIGINT,
)
"""A file that is made of a recording (`recording/assets.py` says what the columns mean). `metadata` is JSON."""

REPLAY = _table(
    "replay",
    1,
    id=TEXT,
    digest=TEXT,
    document=TEXT,
    upto=BIGINT,
    created_at=BIGINT,
    number=BIGINT,
)
"""Deliveries that are asked for again: `document` is JSON, `digest` that of the request, `upto` the last position.
`number` is no other's."""

REPLAY_PART = _table(
    "replay_part",
    2,
    replay_id=TEXT,
    endpoint_id=TEXT,
    job_id=TEXT,
    state=TEXT,
    total=BIGINT,
    completed=BIGINT,
    failed=BIGINT,
    streak=BIGINT,
    failed_events=TEXT,
    message=TEXT,
    started_at=BIGINT,
    ended_at=BIGINT,
)
"""Those for one endpoint (`webhooks/replays/part.py` says what the columns mean), written by the holder of its job."""

REPLAY_CHUNK = _table(
    "replay_chunk",
    3,
    replay_id=TEXT,
    endpoint_id=TEXT,
    number=BIGINT,
    positions=BYTES,
)
"""Some of the events of such a part, in order: `positions` is a JSON array."""

IDEMPOTENCY_GATE = _table(
    "idempotency_gate",
    1,
    bucket=BIGINT,
    fence=BIGINT,
)
"""Rows 0 to 255: who begins a request that may be sent twice is guarded by the fence of its key's, so none overlooks
another (`api/idempotency.py`)."""

EXPUNGED = _table(
    "expunged",
    1,
    event_id=TEXT,
    at=BIGINT,
)
"""An event that lost its content at that instant; for a day, so that every node learns of it."""

REPLAY_GATE = _table(
    "replay_gate",
    1,
    id=BIGINT,
    fence=BIGINT,
)
"""One row, 0: starts of replays are guarded by its fence, so that none overlooks another."""

EVENT = _table(
    "event",
    1,
    position=BIGINT,
    id=TEXT,
    stream=TEXT,
    seq=BIGINT,
    type=TEXT,
    room_id=TEXT,
    session_id=TEXT,
    peer_id=TEXT,
    at=BIGINT,
    committed_at=BIGINT,
    actor=TEXT,
    cause=TEXT,
    body=BYTES,
    template_id=TEXT,
    hook=TEXT,
)
"""The log of events. Only the writer appends to it (`Append`); this is for retention, which deletes what is old, and
for expunging, which puts an event's row back with another body."""

CHAT_MESSAGE = _table(
    "chat_message",
    3,
    session_id=TEXT,
    sent_at=BIGINT,
    id=TEXT,
    peer_id=TEXT,
    name=TEXT,
    user_id=TEXT,
    roles=TEXT,
    message=TEXT,
)
"""What was said to more than one in a session that is composed (`recording/chat.py`). `roles` is JSON."""

TABLES = (
    *(WORKSPACE, TEMPLATE, ROOM, SESSION, PEER),
    *(ENDPOINT, DELIVERY_MARK, DELIVERY_CURSOR, ATTEMPT, REQUEST_HEAD),
    *(ENDPOINT_HEALTH, PARKED_EVENT, DELIVERY_GAP, OPERATIONAL_EVENT, NOTICE),
    *(DELIVERY_NODE, DELIVERY_SHARD, SHARD_MARK),
    *(ROOM_CODE, POLL, POLL_SESSION, POLL_RESPONSE, ANALYTICS_EVENT, PEER_STATS, IDEMPOTENT_ANSWER),
    *(JOB, JOB_STEP),
    *(CAPTURE, CAPTURED_TRACK, CAPTURED_SEGMENT, RECORDING, RECORDING_ASSET, CHAT_MESSAGE),
    *(REPLAY, REPLAY_PART, REPLAY_CHUNK, REPLAY_GATE, EXPUNGED, IDEMPOTENCY_GATE),
)
"""All of the above."""
