"""Bringing finished files to where their recordings are kept, and telling so: the same for every kind of recording.

Owns: the jobs `recording.deliver` (upload, verify, tell) and `recording.release` (delete what is not needed any more),
and the end of an asset, good or bad.

Always holds: an asset's end (`completed` or `failed`), the event that tells of it and the job that frees its place on
the disk are one commit. A local file is deleted only after its upload was verified or everything was given up. Uploads
are tried again for days: what refuses for good (a wrong key, no such bucket) is given up earlier than what does not
answer, but not at once, since somebody may correct the template meanwhile.

Use: whoever makes a file enqueues `Delivery.parcel(...)` in the commit that ends its own job, and says with
`Delivery.tell(type, teller)` what is told of assets of this type. Whoever fails before commits `await failed(...)`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import msgspec

from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database, Put
from callboard.errors import Conflict, Refusal
from callboard.jobs import Backoff, Failure, Handlers, Job, JobError, Kind, Result, Run, job_row
from callboard.ledger import Changes
from callboard.recording.assets import (
    Asset,
    AssetStatus,
    AssetType,
    RecordingStatus,
    asset_row,
    load_asset,
    load_assets,
    load_recording,
    recording_row,
)
from callboard.recording.capture.derive import Captured, load_capture
from callboard.recording.capture.folder import CaptureFolder
from callboard.recording.depot import Depot
from callboard.recording.faults import CONFIG_ERROR, INPUT_ERROR
from callboard.recording.timeline import capture_row
from callboard.storage import SettingsError, StorageError
from callboard.storage.errors import InvalidKeyError, SourceError

CLOUD_ERROR = "CLOUD_ACCESS_ERROR"

log = logging.getLogger("callboard.recording")


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be delivered. `file` is an absolute path; `key` its name in the storage (`storage.paths`)."""

    asset_id: str
    file: str
    key: str


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """Files that are delivered, and told of, together; the first is what the recording is about."""

    session_id: str
    presign_seconds: int
    items: tuple[Item, ...]


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """Free what the session's files take: `files` (absolute paths) at once, the rest when nothing is left to do."""

    session_id: str
    files: tuple[str, ...] = ()


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """What an upload's step answers."""

    uri: str
    size: int
    checksum: str


class Teller(Protocol):
    """What is committed with the end of assets of one type: the event that tells of it, above all."""

    async def delivered(self, assets: Sequence[Asset], urls: Sequence[str]) -> Changes:
        """All files of the parcel are there; `urls` are signed, in the order of `assets`."""
        ...

    def again(self, captured: Captured, asset: Asset, now: int) -> Changes:
        """New assets in the place of a failed one, and the job that makes them."""
        ...

    async def failed(self, assets: Sequence[Asset]) -> Changes:
        """There will be no such recording; each asset says why (`error_code`, `error`)."""
        ...


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """Seconds. `give_up`: how long an upload is tried again. `refused`: how long a storage that refuses is. `keep`: how
    long captures are kept when something of their session failed, for a second try."""

    give_up: float = 259_200.0
    refused: float = 3_600.0
    keep: float = 604_800.0
    most_delay: float = 600.0


class Delivery:
    """See the module."""

    def __init__(
        self,
        database: Database,
        depot: Depot,
        folder: CaptureFolder,
        clock: Clock,
        ids: Ids,
        settings: DeliverySettings,
    ) -> None:
        self.depot = depot
        self.settings = settings
        self.kind = Kind(
            "recording.deliver",
            Parcel,
            weight=0.0,
            concurrency=8,
            priority=10,
            give_up_after=settings.give_up,
            backoff=Backoff(first=min(2.0, settings.most_delay), most=settings.most_delay),
        )
        self.release_kind = Kind(
            "recording.release", Release, weight=0.0, concurrency=4, give_up_after=30 * 86_400.0, upkeep=True
        )
        self._database = database
        self._folder = folder
        self._clock = clock
        self._ids = ids
        self._tellers: dict[str, Teller] = {}

    def register(self, handlers: Handlers) -> None:
        """Have a worker do the jobs of this module."""
        handlers.add(self.kind, self._deliver, self._give_up, self._again)
        handlers.add(self.release_kind, self._release, self._keep_all)

    def tell(self, asset_type: str, teller: Teller) -> None:
        """What is told of parcels whose first asset is of this type."""
        self._tellers[asset_type] = teller

    def parcel(self, parcel: Parcel) -> Put:
        """The row that enqueues the delivery."""
        first = parcel.items[0].asset_id
        return job_row(self.kind, parcel, now=self._clock.now(), ids=self._ids, subject=first)

    async def failed(self, assets: Sequence[Asset], code: str, message: str) -> Changes:
        """These assets (whose first says what it is about) will never be: what is to be committed with that."""
        now = self._clock.now()
        ended = [
            asset._replace(status=AssetStatus.FAILED, error_code=code, error=message, updated_at=now)
            for asset in assets
            if asset.status is AssetStatus.PROCESSING
        ]
        if not ended:
            return Changes()
        log.error("recording %s (%s) has failed: %s %s", ended[0].id, ended[0].type, code, message)
        told = await self._teller(ended[0]).failed(ended)
        return Changes(rows=tuple(asset_row(asset) for asset in ended)) + told + self._freed(ended[0].session_id, ())

    async def again(self, asset_id: str) -> Changes:
        """What makes a failed asset anew out of its session's captures. Raises `Conflict`."""
        asset = await load_asset(self._database, asset_id)
        if asset is None or asset.status is not AssetStatus.FAILED:
            raise Conflict("the recording has not failed", (f"asset {asset_id}",))
        for other in await load_assets(self._database, asset.session_id):
            alike = (other.type, other.metadata) == (asset.type, asset.metadata)
            if alike and other.status is not AssetStatus.FAILED:
                raise Conflict("the recording is made again already", (f"asset {other.id} is {other.status}",))
        captured = await load_capture(self._database, asset.session_id)
        if captured is None or captured.capture.state != "complete":
            raise Conflict("the captures of this session are not here any more", ("recording.keep_failed_seconds",))
        now = self._clock.now()
        made = self._teller(asset).again(captured, asset, now)
        recording = await load_recording(self._database, asset.recording_id)
        if recording is None:
            return made
        reopened = recording._replace(status=RecordingStatus.POST_PROCESSING, updated_at=now)
        return made + Changes(rows=(recording_row(reopened),))

    # The jobs.

    async def _deliver(self, run: Run, parcel: Parcel) -> Result:
        assets = await self._assets(parcel)
        done = []
        for number, (asset, item) in enumerate(zip(assets, parcel.items, strict=True), start=1):
            stored = await run.step(f"upload {number}", self._upload, run, asset, item)
            done.append(
                asset._replace(
                    status=AssetStatus.COMPLETED,
                    path=stored.uri,
                    key=item.key,
                    size=stored.size,
                    updated_at=self._clock.now(),
                )
            )
        urls = [await self._url(asset, parcel.presign_seconds) for asset in done]
        told = await self._teller(done[0]).delivered(done, urls)
        freed = self._freed(parcel.session_id, tuple(item.file for item in parcel.items))
        return Result(Changes(rows=tuple(asset_row(asset) for asset in done)) + told + freed)

    async def _upload(self, run: Run, asset: Asset, item: Item) -> Stored:
        try:
            storage = await self.depot.storage(asset.room_id, asset.template_id)
            stored = await storage.put_file(
                Path(item.file), item.key, progress=lambda sent, size: run.progress(sent / max(1, size))
            )
        except SourceError as error:
            raise await self._source_lost(asset, error) from error
        except StorageError as error:
            raise self._refused(run.job, error) from error
        except Refusal as error:
            raise JobError(CONFIG_ERROR, error.message, final=True) from error
        return Stored(uri=stored.uri, size=stored.size, checksum=stored.checksum)

    async def _source_lost(self, asset: Asset, error: StorageError) -> JobError:
        captured = await load_capture(self._database, asset.session_id)
        elsewhere = captured is not None and captured.capture.folder != self._folder.id
        what = "the capture folder of this session is not reachable here" if elsewhere else str(error)
        return JobError(INPUT_ERROR, what, final=not elsewhere)

    def _refused(self, job: Job, error: StorageError) -> JobError:
        code = CONFIG_ERROR if isinstance(error, SettingsError | InvalidKeyError) else CLOUD_ERROR
        waited = (self._clock.now() - job.created_at) / NANOSECONDS
        return JobError(code, str(error), final=not error.retryable and waited >= self.settings.refused)

    async def _url(self, asset: Asset, seconds: int) -> str:
        try:
            return await self.depot.url(asset.path, asset.key, asset.room_id, asset.template_id, seconds)
        except StorageError as error:
            raise JobError(CLOUD_ERROR, str(error)) from error

    async def _give_up(self, job: Job, failure: Failure) -> Changes:
        parcel = self.kind.payload_of(job)
        assets = await self._assets(parcel)
        placed = [asset._replace(key=item.key) for asset, item in zip(assets, parcel.items, strict=True)]
        return await self.failed(placed, failure.code or CLOUD_ERROR, told_of(failure))

    async def _again(self, job: Job) -> Changes:
        return await self.again(self.kind.payload_of(job).items[0].asset_id)

    async def _assets(self, parcel: Parcel) -> list[Asset]:
        found = [await load_asset(self._database, item.asset_id) for item in parcel.items]
        assets = [asset for asset in found if asset is not None]
        if len(assets) < len(found):
            raise JobError(INPUT_ERROR, "an asset of the parcel is not in the database", final=True)
        return assets

    def _teller(self, asset: Asset) -> Teller:
        return self._tellers[asset.type]

    # Freeing the disk.

    def _freed(self, session_id: str, files: tuple[str, ...], delay: float = 0.0) -> Changes:
        release = Release(session_id=session_id, files=files)
        now = self._clock.now()
        row = job_row(self.release_kind, release, now=now, ids=self._ids, subject=session_id, delay=delay)
        return Changes(rows=(row,))

    async def _release(self, run: Run, release: Release) -> Result:
        """Each end of an asset enqueues one of these in its commit, so the one of the last end finds nothing left."""
        captured = await load_capture(self._database, release.session_id)
        if captured is not None and captured.capture.folder != self._folder.id:
            raise JobError(INPUT_ERROR, "the capture folder of this session is not reachable here")
        await asyncio.to_thread(_remove, release.files)
        assets = await load_assets(self._database, release.session_id)
        if captured is None or any(asset.status is AssetStatus.PROCESSING for asset in assets):
            return Result()
        changes = await self._ended(captured.capture.recording_id, assets)
        if captured.capture.state != "complete":
            return Result(changes)
        failed = any(asset.status is AssetStatus.FAILED for asset in assets)
        kept_until = captured.capture.ended_at + int(self.settings.keep * NANOSECONDS)
        if failed and run.clock.now() < kept_until:
            left = (kept_until - run.clock.now()) / NANOSECONDS
            return Result(changes + self._freed(release.session_id, (), delay=left))
        files = {segment.file for segment in captured.segments}
        await asyncio.to_thread(self._folder.remove, release.session_id, files)
        row = capture_row(replace(captured.capture, state="released"))
        return Result(changes + Changes(rows=(row,)))

    async def _ended(self, recording_id: str, assets: Sequence[Asset]) -> Changes:
        """The recording, as REST shows it, is over when all of its assets are. A chat alone is no recording."""
        recording = await load_recording(self._database, recording_id)
        if recording is None or recording.status is not RecordingStatus.POST_PROCESSING:
            return Changes()
        good = not assets or any(
            asset.status is AssetStatus.COMPLETED and asset.type != AssetType.CHAT for asset in assets
        )
        status = RecordingStatus.COMPLETED if good else RecordingStatus.FAILED
        return Changes(rows=(recording_row(recording._replace(status=status, updated_at=self._clock.now())),))

    async def _keep_all(self, job: Job, failure: Failure) -> Changes:
        log.error("files of session %s stay on the disk: %s", job.subject, told_of(failure))
        return Changes()


def told_of(failure: Failure) -> str:
    """Why a job was given up, for people."""
    return f"{failure.message} (given up: {failure.cause})" if failure.message else f"given up: {failure.cause}"


def metadata(values: Mapping[str, Any]) -> str:
    """What REST shows as an asset's `metadata`, as the row has it."""
    return msgspec.json.encode(values).decode()


def _remove(files: Sequence[str]) -> None:
    for file in files:
        Path(file).unlink(missing_ok=True)
