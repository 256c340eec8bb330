"""Recordings and the files that are made of them, as rows: what REST lists, and what is still to be delivered.

Owns: `Recording`, `Asset`, their states, and the mapping to and from the database.

Always holds: an asset is `processing` from the commit that enqueues its making until the one that tells of its end: it
is then `completed` (it lies at `path`, verified) or `failed` (`error_code`, `error` say why), and stays so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from callboard.database import Database, Put, Row
from callboard.database.tables import RECORDING, RECORDING_ASSET


class RecordingStatus(StrEnum):
    """platform.md §2.6."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    POST_PROCESSING = "post_processing"
    COMPLETED = "completed"
    FAILED = "failed"


class AssetStatus(StrEnum):
    """platform.md §2.7."""

    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class AssetType(StrEnum):
    """platform.md §2.7."""

    TRACK = "track"
    STREAM = "stream"
    COMPOSITE = "room-composite-legacy"
    CHAT = "chat"


class Recording(NamedTuple):
    """A recorder's run. `kind` is `sfu` for what is captured of a session: it has one such recording, from its opening
    until all of its assets are completed or failed. Instants are nanoseconds; 0 is "not yet"."""

    id: str
    room_id: str
    session_id: str
    kind: str
    status: RecordingStatus
    document: str
    created_at: int
    started_at: int
    stopped_at: int
    updated_at: int


class Asset(NamedTuple):
    """A file. `key` is its name in its storage, `path` the whole of it (`s3://bucket/key`), both "" before it is there.

    `size` in bytes, `duration` in seconds (0 for a chat). `metadata` is the JSON that REST shows (platform.md §2.7).
    `template_id` is the session's: with the room it says which bucket it goes to.
    """

    id: str
    recording_id: str
    room_id: str
    session_id: str
    template_id: str
    type: str
    status: AssetStatus
    path: str
    key: str
    size: int
    duration: float
    metadata: str
    error_code: str
    error: str
    created_at: int
    updated_at: int


def recording_row(recording: Recording) -> Put:
    return Put(RECORDING, recording)


def recording_of(row: Row) -> Recording:
    """The recording in a row of the table."""
    found = Recording(*row)  # type: ignore[arg-type]  # the schema's types
    return found._replace(status=RecordingStatus(found.status))


def asset_row(asset: Asset) -> Put:
    return Put(RECORDING_ASSET, asset)


def asset_of(row: Row) -> Asset:
    """The asset in a row of the table."""
    found = Asset(*row)  # type: ignore[arg-type]  # the schema's types
    return found._replace(status=AssetStatus(found.status))


async def load_asset(database: Database, asset_id: str) -> Asset | None:
    """Raises as `Database.fetch`."""
    rows = await database.fetch("recording_asset_by_id", id=asset_id)
    return asset_of(rows[0]) if rows else None


async def load_assets(database: Database, session_id: str) -> list[Asset]:
    """All assets of a session. Raises as `Database.fetch`."""
    return [asset_of(row) for row in await database.fetch("recording_assets_of_session", session_id=session_id)]


async def load_recording(database: Database, recording_id: str) -> Recording | None:
    """Raises as `Database.fetch`."""
    rows = await database.fetch("recording_by_id", id=recording_id)
    return recording_of(rows[0]) if rows else None
