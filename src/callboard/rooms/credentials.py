"""Secrets of templates and rooms at rest: keys of customers' buckets, and values of headers of rooms' own webhooks.

Owns: `sealed_template`, `sealed_room`, their opposites, `sealed_with`, and finding out whether anything is sealed.

Always holds: they are sealed before they are stored, and opened when something is uploaded or sent. A sealed secret is
bound to the id of its access key, or to its room and header: nothing is gained by exchanging rows. What was stored
before there was sealing, or with another master key, is sealed anew at a start (`callboard.resealing`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from callboard.database import Database
from callboard.errors import Invalid
from callboard.rooms.models import Room, Template

SEALED: Final = re.compile(r"A256GCM\.([0-9a-f]{16})\.[A-Za-z0-9+/]+={0,2}")
"""A secret as it is stored (`webhooks.vault`)."""

SEVERAL: Final = "several"
"""In the place of a master key's id: there is more than one, or it is not known."""

Seal = Callable[[str, str], str]
"""What it is, and the secret → the secret as it is stored."""


class Vault(Protocol):
    """Of `webhooks.vault`, what is needed here."""

    @property
    def current(self) -> str: ...

    def seal(self, secret: bytes, what: str) -> str: ...

    def open(self, sealed: str, what: str) -> bytes: ...


def refuse_sealed(place: str, secret: str) -> None:
    """Raises `Invalid` for a secret that could be taken for one that is sealed already."""
    if SEALED.fullmatch(secret):
        raise Invalid("Invalid body param", (f"{place}: must not look like a secret of this server's database",))


def sealing(vault: Vault) -> Seal:
    """How secrets are sealed with this vault; what is sealed stays as it is."""

    def seal(what: str, secret: str) -> str:
        return secret if not secret or SEALED.fullmatch(secret) else vault.seal(secret.encode(), what)

    return seal


def opening(vault: Vault) -> Seal:
    """The opposite. What it returns raises `VaultError`."""
    return lambda what, stored: vault.open(stored, what).decode() if SEALED.fullmatch(stored) else stored


def opened(vault: Vault, key: str, stored: str) -> str:
    """The secret of the access key `key`. Raises `VaultError`."""
    return opening(vault)(_bucket(key), stored)


def opened_headers(vault: Vault, room_id: str, stored: Mapping[str, str]) -> dict[str, str]:
    """The headers of the room's own webhook. Raises `VaultError`."""
    return _headers(room_id, stored, opening(vault))


def sealed_template(template: Template, seal: Seal) -> Template:
    """The template with its bucket's secret sealed (or, with `opening`, opened)."""
    recording = template.settings.recording
    if recording is None or recording.upload is None:
        return template
    credentials = recording.upload.credentials
    kept = replace(credentials, secret_key=seal(_bucket(credentials.key), credentials.secret_key))
    upload = replace(recording.upload, credentials=kept)
    return replace(template, settings=replace(template.settings, recording=replace(recording, upload=upload)))


def sealed_room(room: Room, seal: Seal) -> Room:
    """The room with its bucket's secret and its webhook's headers sealed (or, with `opening`, opened)."""
    if room.webhook is not None:
        headers = _headers(room.id, room.webhook.headers, seal)
        room = replace(room, webhook=replace(room.webhook, headers=headers))
    info = room.recording_info
    if info is None or info.upload_info is None:
        return room
    credentials = info.upload_info.credentials
    kept = replace(credentials, secret=seal(_bucket(credentials.key), credentials.secret))
    return replace(room, recording_info=replace(info, upload_info=replace(info.upload_info, credentials=kept)))


def sealed_with(room: Room) -> str:
    """The id of the master key with which the room's secrets are sealed; '' if none are, or `SEVERAL`."""
    ids = {match[1] for secret in _secrets(room) if (match := SEALED.fullmatch(secret))}
    return ids.pop() if len(ids) == 1 else SEVERAL if ids else ""


def _secrets(room: Room) -> list[str]:
    upload = room.recording_info.upload_info if room.recording_info else None
    return [*(room.webhook.headers.values() if room.webhook else ()), *([upload.credentials.secret] if upload else ())]


async def sealed_secret(database: Database) -> str:
    """Which template or room there is that has a secret that only a master key opens; "" if there is none."""
    for kind in ("template", "room"):
        if rows := await database.fetch(f"sealed_{kind}"):
            return f"{kind} {rows[0][0]!s}"
    return ""


def _headers(room_id: str, headers: Mapping[str, str], seal: Seal) -> dict[str, str]:
    return {name: seal(f"the header {name.lower()} of room {room_id}", value) for name, value in headers.items()}


def _bucket(key: str) -> str:
    return f"the secret of bucket key {key}"
