"""Where a session's files go: the storage of its template or room, and URLs of what lies there.

Owns: `Depot`: from a room and a template to a `Storage`, the prefix of keys, signed URLs of assets.

Always holds: the settings are looked up when they are needed, not remembered from the session: whoever corrects a
bucket's credentials in the template while uploads are being retried has them arrive. A room's `upload_info` goes
before its template's `upload` (platform.md §2.1); without either it is the local folder. Secrets are opened here, in
memory, and nowhere written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args
from urllib.parse import urlsplit

from callboard.rooms.live import Directory
from callboard.rooms.models import Room, Template
from callboard.storage import Bucket, Destination, Folder, Scheme, SettingsError, Storage
from callboard.storage.errors import InvalidKeyError
from callboard.storage.paths import Place, expand_prefix, start_date

MOST_BUCKETS = 1_000
"""Clients of buckets that are kept."""

Opener = Callable[[Destination], Destination]
"""Gives a destination whose secret is sealed as one whose secret can be used. Raises `SettingsError`."""


class Depot:
    """`local` is the folder for who names no bucket; `customer_id` is what `{customer_id}` means in prefixes."""

    def __init__(
        self, directory: Directory, local: Folder, customer_id: str, opened: Opener = lambda given: given
    ) -> None:
        self.local = local
        self._directory = directory
        self._customer_id = customer_id
        self._opened = opened
        self._buckets: dict[Destination, Storage] = {}

    async def storage(self, room_id: str, template_id: str) -> Storage:
        """Where the files of this room's sessions go now. Raises `NotFound`, `SettingsError`."""
        room, template = await self._found(room_id, template_id)
        destination = destination_of(room, template)
        return self.local if destination is None else self._bucket(destination)

    async def place(self, room_id: str, template_id: str, session_id: str, session_started_at: int) -> Place:
        """What the keys of a session's assets begin with (`storage.paths`).

        Raises `NotFound`, and `SettingsError` for a prefix that is none.
        """
        room, template = await self._found(room_id, template_id)
        values = {
            "customer_id": self._customer_id,
            "template_id": template_id,
            "room_id": room_id,
            "room_name": room.name.replace("/", "-"),
            "session_id": session_id,
            "date": start_date(session_started_at),
        }
        try:
            prefix = expand_prefix(prefix_of(room, template), values)
        except (ValueError, InvalidKeyError) as error:
            raise SettingsError("prefix", f"template {template_id}", str(error)) from error
        return Place(prefix, room_id, session_id, session_started_at)

    async def url(self, path: str, key: str, room_id: str, template_id: str, seconds: int) -> str:
        """A URL with which anybody may GET the asset at `path` for `seconds` (1 to 604,800, else `ValueError`).

        Raises `NotFound`, and `SettingsError` when it lies in a bucket that room and template no longer name: then
        nobody here has its credentials.
        """
        if urlsplit(path).scheme == self.local.scheme:
            return await self.local.presigned_url(key, seconds)
        storage = await self.storage(room_id, template_id)
        if storage.uri(key) != path:
            raise SettingsError("presigned_url", path, "neither the room nor its template names this bucket any more")
        return await storage.presigned_url(key, seconds)

    def scheme(self, path: str) -> Scheme:
        """Of an asset's path."""
        return next((one for one in get_args(Scheme) if path.startswith(f"{one}://")), self.local.scheme)

    async def _found(self, room_id: str, template_id: str) -> tuple[Room, Template]:
        return await self._directory.room(room_id), await self._directory.template(template_id)

    def _bucket(self, destination: Destination) -> Storage:
        bucket = self._buckets.get(destination)
        if bucket is None:
            while len(self._buckets) >= MOST_BUCKETS:
                del self._buckets[next(iter(self._buckets))]
            bucket = self._buckets[destination] = Bucket(self._opened(destination))
        return bucket


def destination_of(room: Room, template: Template) -> Destination | None:
    """The bucket that the room or else its template names; None for the local folder. Its secret is as stored."""
    if room.recording_info is not None and (info := room.recording_info.upload_info) is not None:
        key, secret = info.credentials.key, info.credentials.secret
        return Destination(info.type, info.location, key, secret, info.options.region)
    recording = template.settings.recording
    if recording is None or (upload := recording.upload) is None:
        return None
    key, secret = upload.credentials.key, upload.credentials.secret_key
    return Destination(upload.type, upload.location, key, secret, upload.options.region)


def prefix_of(room: Room, template: Template) -> str:
    """The template of the prefix that holds for this room's files."""
    if room.recording_info is not None and room.recording_info.upload_info is not None:
        return room.recording_info.upload_info.prefix
    recording = template.settings.recording
    return recording.upload.prefix if recording is not None and recording.upload is not None else ""
