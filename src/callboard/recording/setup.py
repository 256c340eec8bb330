"""Recordings, put together: the capture folder, storages, jobs, and the recorder that feeds them.

Owns: `Recordings` and what it makes out of settings.

Always holds: a process that serves rooms and one that only does jobs have the same handlers, made here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from callboard.clock import Clock, Ids
from callboard.config import Recording as RecordingSettings
from callboard.config import Settings
from callboard.database import Database
from callboard.jobs import Handlers
from callboard.ledger import Ledger
from callboard.recording.capture.folder import CaptureFolder, open_folder
from callboard.recording.capture.recorder import Medias, Recorder
from callboard.recording.chat import ChatKeeper, Chats
from callboard.recording.composite.job import CompositeRecordings, CompositeSettings
from callboard.recording.composite.look import Look
from callboard.recording.delivery import Delivery, DeliverySettings
from callboard.recording.depot import Depot
from callboard.recording.desk import Desk
from callboard.recording.http import FILES
from callboard.recording.making import Making
from callboard.recording.streams import StreamRecordings
from callboard.recording.tracks import TrackRecordings
from callboard.rooms.credentials import opened
from callboard.rooms.live import Directory, LiveRooms
from callboard.rooms.models import Workspace
from callboard.storage import Destination, Folder, SettingsError
from callboard.webhooks.vault import Vault, VaultError

NAME: Final = "recordings"
"""The location in their URIs: `local://recordings/…`."""


class House(Protocol):
    """What is needed of whoever puts the parts together."""

    settings: Settings
    clock: Clock
    ids: Ids
    database: Database
    ledger: Ledger
    handlers: Handlers
    workspace: Workspace
    vault: Vault

    @property
    def store(self) -> Directory: ...

    @property
    def url(self) -> str: ...


class Serving(House, Protocol):
    """And of one that serves rooms."""

    rooms: LiveRooms


@dataclass(frozen=True, slots=True)
class Workshop:
    """What jobs need: the same in every process that does them."""

    folder: CaptureFolder
    local: Folder
    depot: Depot
    delivery: Delivery
    making: Making
    tracks: TrackRecordings
    streams: StreamRecordings
    composites: CompositeRecordings


@dataclass(frozen=True, slots=True)
class Recordings:
    """A server's."""

    workshop: Workshop
    recorder: Recorder
    chat: ChatKeeper
    desk: Desk

    @property
    def local(self) -> Folder:
        """The storage of templates that name no bucket."""
        return self.workshop.local

    @classmethod
    async def open(cls, house: Serving, medias: Medias) -> Recordings:
        """Make the parts; start the recorder afterwards. Raises `OSError`, `ValueError` (the folder's path is too
        long)."""
        workshop = await open_workshop(house)
        recorder = Recorder(
            database=house.database,
            ledger=house.ledger,
            rooms=house.rooms,
            medias=medias,
            folder=workshop.folder,
            clock=house.clock,
            ids=house.ids,
            floor=house.settings.recording.min_free_bytes,
        )
        recorder.makers += [workshop.tracks.make, workshop.streams.make, workshop.composites.make]
        chat = ChatKeeper(house.ledger, house.ids, recorder.keeps_chat)
        return cls(workshop, recorder, chat, new_desk(house, workshop))


async def open_workshop(house: House, composite: CompositeSettings | None = None) -> Workshop:
    """Make what jobs need and register its handlers. Raises as `Recordings.open`."""
    settings, data = house.settings.recording, await asyncio.to_thread(Path(house.settings.data_dir).absolute)
    folder = await asyncio.to_thread(open_folder, capture_path(settings, data), house.ids.uuid)
    local = await _local(house, data / (settings.folder or "recordings"))
    depot = Depot(house.store, local, house.workspace.id, _opener(house.vault, settings.s3_endpoint))
    delivery = Delivery(
        house.database,
        depot,
        folder,
        house.clock,
        house.ids,
        DeliverySettings(
            give_up=settings.upload_give_up_seconds,
            refused=settings.upload_refused_seconds,
            keep=settings.keep_failed_seconds,
            most_delay=settings.upload_most_delay_seconds,
        ),
    )
    making = Making(house.database, delivery, folder, house.clock, house.ids)
    tracks, streams = TrackRecordings(making), StreamRecordings(making)
    chats = Chats(house.database, house.ledger, house.clock, house.ids)
    composites = CompositeRecordings(making, house.store, chats, composite or composite_settings(settings))
    for part in (delivery, tracks, streams, chats, composites):
        part.register(house.handlers)
    return Workshop(folder, local, depot, delivery, making, tracks, streams, composites)


def new_desk(house: House, workshop: Workshop) -> Desk:
    """What the REST API asks."""
    return Desk(house.database, house.ledger, workshop.depot, workshop.composites, house.clock)


def composite_settings(settings: RecordingSettings) -> CompositeSettings:
    """How sessions are composed, out of our settings."""
    look = Look(
        width=settings.composite_width,
        height=settings.composite_height,
        rate=settings.composite_rate,
        tiles=settings.composite_tiles,
        font=settings.composite_font,
    )
    return CompositeSettings(look, settings.composite_memory_bytes, deprecated=settings.deprecated_fields)


def capture_path(settings: RecordingSettings, data: Path) -> Path:
    """The capture folder; `data` is the data folder."""
    return data / (settings.capture_dir or "capture")


async def _local(house: House, path: Path) -> Folder:
    await asyncio.to_thread(path.mkdir, parents=True, exist_ok=True)
    secret = hmac.digest(house.workspace.secret.encode(), b"callboard links to recordings", hashlib.sha256)
    local = Folder(path, NAME, house.url + FILES, (secret,), house.clock)
    await local.remove_leftovers()
    return local


def _opener(vault: Vault, s3_endpoint: str) -> Callable[[Destination], Destination]:
    def open_secret(destination: Destination) -> Destination:
        endpoint = s3_endpoint if destination.type == "s3" else ""
        try:
            secret = opened(vault, destination.key, destination.secret)
        except VaultError as error:
            raise SettingsError("open", f"{destination.type}://{destination.location}", str(error)) from None
        return replace(destination, secret=secret, endpoint=endpoint)

    return open_secret
