"""From a complete capture to a finished file on the disk: what track and stream recordings have in common.

Owns: `Making`: the payload of such jobs, loading what they need, rendering, handing over to `delivery`; the names of
files, and assets that can be nothing but failures.

Always holds: a job's end is either the commit that enqueues its asset's delivery, or the one that tells that it failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database
from callboard.errors import Refusal
from callboard.events import Payload
from callboard.jobs import Failure, Job, JobError, Kind, Result, Run, job_row
from callboard.ledger import Changes, Fact
from callboard.recording.assets import Asset, AssetStatus, asset_row, load_asset
from callboard.recording.capture.derive import (
    Captured,
    load_capture,
    parts_of,
    run_render,
)
from callboard.recording.capture.folder import CaptureFolder
from callboard.recording.capture.render import Order, Rendered
from callboard.recording.delivery import Delivery, Item, Parcel, told_of
from callboard.recording.faults import CONFIG_ERROR, INPUT_ERROR, PROCESSING_ERROR, tried
from callboard.recording.timeline import Capture, Segment
from callboard.storage import SettingsError
from callboard.storage.paths import Place

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: of which session, for which asset. `id` is the track's or the stream's, of this peer."""

    session_id: str
    asset_id: str
    peer_id: str
    id: str


@dataclass(slots=True)
class Made:
    """What this process has made of captures: seconds of media, and the packets that are missing in them because they
    never came."""

    seconds: float = 0.0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Making:
    """What handlers need. `give_up` is the same for all of them."""

    database: Database
    delivery: Delivery
    folder: CaptureFolder
    clock: Clock
    ids: Ids
    made: Made = field(default_factory=Made)

    def enqueued(self, kind: Kind[Task], asset: Asset, peer_id: str, id_: str, now: int) -> Changes:
        """The asset, and the job that makes it of this peer's track or stream `id_`."""
        task = Task(session_id=asset.session_id, asset_id=asset.id, peer_id=peer_id, id=id_)
        return Changes(rows=(asset_row(asset), job_row(kind, task, now=now, ids=self.ids, subject=asset.id)))

    def anew(self, captured: Captured, asset: Asset, now: int) -> Asset:
        """Another asset of the same kind, of the same matter."""
        return new_asset(captured.capture, self.ids.object_id(now), asset.type, asset.metadata, now)

    async def captured(self, session_id: str) -> Captured:
        """The capture, which must be reachable here. Raises `JobError`."""
        found = await load_capture(self.database, session_id)
        if found is None:
            raise JobError(INPUT_ERROR, f"session {session_id} was not captured", final=True)
        if found.capture.folder != self.folder.id:
            raise JobError(INPUT_ERROR, "the capture folder of this session is not reachable here")
        return found

    async def asset(self, order: Task) -> Asset:
        found = await load_asset(self.database, order.asset_id)
        if found is None:
            raise JobError(INPUT_ERROR, f"there is no asset {order.asset_id}", final=True)
        return found

    async def render(self, run: Run, captured: Captured, target: Path, tracks: Iterable[Iterable[Segment]]) -> Rendered:
        """The step that makes one file of these tracks' segments (`target` has no ending). Raises `JobError`."""
        parts = parts_of(self.folder.path, captured.segments)
        order = Order(str(target), tuple(tuple(parts[one] for one in segments) for segments in tracks))
        with tried(run):
            rendered = await run.step("render", self._render, order)
        if rendered is None:
            raise JobError(INPUT_ERROR, "nothing arrived of it", final=True)
        return rendered

    async def _render(self, order: Order) -> Rendered | None:
        rendered = await run_render(order)
        if rendered is not None:
            self.made.seconds += seconds(rendered)
            self.made.lost += sum(track.lost for track in rendered.tracks if track is not None)
        return rendered

    async def place(self, capture: Capture) -> Place:
        """Where the files of this session go. Raises `JobError`."""
        depot = self.delivery.depot
        try:
            return await depot.place(capture.room_id, capture.template_id, capture.session_id, capture.started_at)
        except (SettingsError, Refusal) as error:
            raise JobError(CONFIG_ERROR, str(error)) from error

    def handed_over(self, capture: Capture, asset: Asset, file: str, key: str, seconds: float, size: int) -> Result:
        """The file is there: the asset's next state, and the job that delivers it."""
        after = asset._replace(size=size, duration=seconds, updated_at=self.clock.now())
        item = Item(asset_id=asset.id, file=file, key=key)
        parcel = Parcel(session_id=capture.session_id, presign_seconds=capture.wanted.presign_seconds, items=(item,))
        return Result(Changes(rows=(asset_row(after), self.delivery.parcel(parcel))))

    async def give_up(self, job: Job, failure: Failure) -> Changes:
        """A handler's `give_up`."""
        order = msgspec.json.decode(job.payload, type=Task)
        asset = await load_asset(self.database, order.asset_id)
        if asset is None:
            return Changes()
        return await self.delivery.failed((asset,), failure.code or PROCESSING_ERROR, told_of(failure))

    async def again(self, job: Job) -> Changes:
        """A handler's `again`."""
        return await self.delivery.again(msgspec.json.decode(job.payload, type=Task).asset_id)

    def fact(self, asset: Asset, payload: Payload, peer_id: str, cause: str) -> Changes:
        """An event of this asset's session."""
        now = self.clock.now()
        fact = Fact(
            id=self.ids.time_uuid(now),
            payload=payload,
            stream=asset.session_id,
            at=now,
            template_id=asset.template_id,
            room_id=asset.room_id,
            session_id=asset.session_id,
            peer_id=peer_id,
            cause=cause,
        )
        return Changes(facts=(fact,))


def new_asset(capture: Capture, asset_id: str, kind: str, metadata: str, now: int) -> Asset:
    """An asset that is to be made of a capture."""
    return Asset(
        id=asset_id,
        recording_id=capture.recording_id,
        room_id=capture.room_id,
        session_id=capture.session_id,
        template_id=capture.template_id,
        type=kind,
        status=AssetStatus.PROCESSING,
        path="",
        key="",
        size=0,
        duration=0.0,
        metadata=metadata,
        error_code="",
        error="",
        created_at=now,
        updated_at=now,
    )


def in_key(asset_id: str, *ids: str) -> tuple[str, ...]:
    """Ids that clients chose, as segments of a key: an unusual one gets the asset's id added, to stay unique."""
    return tuple(_segment(one, asset_id) for one in ids)


def _segment(text: str, asset_id: str) -> str:
    safe = _UNSAFE.sub("_", text)
    return safe if safe == text and not text.startswith(".") else f"{safe.lstrip('.')}-{asset_id}"


def whole_seconds(seconds: float) -> int:
    return max(0, int(seconds))


def seconds(rendered: Rendered) -> float:
    """How long a made file lasts."""
    return (rendered.last_at - rendered.first_at) / NANOSECONDS


def lost(asset: Asset, message: str) -> Asset:
    """The asset as it is when there is nothing to make it of."""
    return asset._replace(status=AssetStatus.FAILED, error_code=INPUT_ERROR, error=message)
