"""Keys of customers' buckets at rest: sealed before they are stored, opened when something is uploaded.

Owns: `sealed_template`, `sealed_room`, `opened`, their opposite, and finding out whether anything is sealed.

Always holds: a sealed secret is bound to the id of its access key, so exchanging rows gains nothing. What was stored
before there was sealing is used as it is, and sealed with its next change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Protocol

from msgspec.structs import replace

from callboard.database import Database
from callboard.rooms.models import Room, Template

SEALED: Final = re.compile(r"A256GCM\.[0-9a-f]{16}\.[A-Za-z0-9+/]+={0,2}")
"""A secret as it is stored (`webhooks.vault`)."""

Seal = Callable[[str, str], str]
"""A key's id and its secret → the secret as it is stored."""


class Vault(Protocol):
    """Of `webhooks.vault`, what is needed here."""

    def seal(self, secret: bytes, what: str) -> str: ...

    def open(self, sealed: str, what: str) -> bytes: ...


def sealing(vault: Vault) -> Seal:
    """How secrets are sealed with this vault; what is sealed stays as it is."""

    def seal(key: str, secret: str) -> str:
        return secret if not secret or SEALED.fullmatch(secret) else vault.seal(secret.encode(), _what(key))

    return seal


def opened(vault: Vault, key: str, stored: str) -> str:
    """The secret of the access key `key`. Raises `VaultError`."""
    return vault.open(stored, _what(key)).decode() if SEALED.fullmatch(stored) else stored


def sealed_template(template: Template, seal: Seal) -> Template:
    """The template with its bucket's secret sealed."""
    recording = template.settings.recording
    if recording is None or recording.upload is None:
        return template
    credentials = recording.upload.credentials
    kept = replace(credentials, secret_key=seal(credentials.key, credentials.secret_key))
    upload = replace(recording.upload, credentials=kept)
    return replace(template, settings=replace(template.settings, recording=replace(recording, upload=upload)))


def sealed_room(room: Room, seal: Seal) -> Room:
    """The room with its bucket's secret sealed."""
    info = room.recording_info
    if info is None or info.upload_info is None:
        return room
    credentials = info.upload_info.credentials
    kept = replace(credentials, secret=seal(credentials.key, credentials.secret))
    return replace(room, recording_info=replace(info, upload_info=replace(info.upload_info, credentials=kept)))


async def sealed_bucket(database: Database) -> str:
    """Which template there is whose bucket's secret only a master key opens; "" if there is none."""
    rows = await database.fetch("sealed_template")
    return f"template {rows[0][0]!s}" if rows else ""


def _what(key: str) -> str:
    return f"the secret of bucket key {key}"
