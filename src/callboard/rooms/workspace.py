"""The workspace: made once, when the database is new; its keys can be set from outside.

Owns: making a workspace and its way to and from its row. Pure.

Always holds: a secret has at least the 32 bytes that HS256 needs (RFC 7518 §3.2).
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable

import msgspec

from callboard.clock import Ids
from callboard.database import Put, Row
from callboard.database.tables import WORKSPACE
from callboard.rooms.models import Workspace

_SECRET_BYTES = 48


def new_workspace(ids: Ids, random_bytes: Callable[[int], bytes], now: int) -> Workspace:
    """A workspace with new keys; `random_bytes(n)` must be unpredictable (`secrets.token_bytes`)."""
    return Workspace(
        id=ids.object_id(now),
        app_id=ids.object_id(now),
        access_key=random_bytes(12).hex(),
        secret=urlsafe_b64encode(random_bytes(_SECRET_BYTES)).decode(),
        created_at=now,
    )


def with_keys(workspace: Workspace, access_key: str, secret: str) -> Workspace:
    """The workspace with these keys; one that is empty stays as it was."""
    return msgspec.structs.replace(
        workspace, access_key=access_key or workspace.access_key, secret=secret or workspace.secret
    )


def workspace_row(workspace: Workspace) -> Put:
    """The workspace's row."""
    return Put(WORKSPACE, tuple(getattr(workspace, column.name) for column in WORKSPACE.columns))


def workspace_of(row: Row) -> Workspace:
    """The workspace that a row (columns as in `WORKSPACE`) describes."""
    names = (column.name for column in WORKSPACE.columns)
    return msgspec.convert(dict(zip(names, row, strict=True)), Workspace)
