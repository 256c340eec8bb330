"""The job that composes a session's recording, and the events that tell of it (seed "SFU Recording Events").

Owns: the job `recording.composite`, `recording.success` and `recording.failed`.

Always holds: each session whose settings want a composed recording ends in one `recording.success` or
`recording.failed`. A step is a chunk of the plan; what a step made is on the disk, so whoever goes on makes only what
is missing. The chat lies beside the recording as CSV, also when nothing was said, and is delivered by itself when the
session could not be composed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from callboard.events import RecordingFailed, RecordingSuccess, timestamps
from callboard.jobs import Backoff, Failure, Handlers, Job, JobError, Kind, Result, Run, job_row
from callboard.ledger import Changes
from callboard.recording.assets import Asset, AssetType, asset_row, load_asset, load_assets
from callboard.recording.capture.derive import Captured, prepare
from callboard.recording.chat import Chats
from callboard.recording.chat_alone import ChatAlone
from callboard.recording.composite.compose import MEMORY, Composed, Composer
from callboard.recording.composite.faults import ELSEWHERE, error_type, fault_of
from callboard.recording.composite.look import Look
from callboard.recording.composite.plan import plan_of
from callboard.recording.delivery import Item, Parcel, metadata, told_of
from callboard.recording.faults import DISK_ERROR
from callboard.recording.making import Making, new_asset, whole_seconds
from callboard.rooms.live import Directory
from callboard.storage import paths


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: of which session, for which assets."""

    session_id: str
    asset_id: str
    chat_id: str


WAITED_FOR = frozenset({DISK_ERROR, ELSEWHERE})
"""What may be so for a while and is nobody's fault: it is tried again until the job's deadline."""
GIVE_UP_SECONDS = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class CompositeSettings:
    """`look`: what recordings look like; a template may say another size. `memory`: bytes of address space that FFmpeg
    gets, 0 for any. `tries`: of what fails each time, until it is given up, at most `most_delay` seconds apart.
    `deprecated`: whether `recording.success` has `location` and `URL` for old consumers (seed, its attributes)."""

    look: Look = field(default_factory=Look)
    memory: int = MEMORY
    tries: int = 12
    most_delay: float = 600.0
    deprecated: bool = True


class CompositeRecordings:
    """Makes them, and tells of them."""

    def __init__(self, making: Making, directory: Directory, chats: Chats, settings: CompositeSettings) -> None:
        self._making = making
        self._directory = directory
        self._chats = chats
        self._chat = ChatAlone(making, chats)
        self._settings = settings
        self.kind = Kind(
            "recording.composite",
            Order,
            weight=2.0,
            priority=2,
            give_up_after=GIVE_UP_SECONDS,
            backoff=Backoff(first=min(2.0, settings.most_delay), most=settings.most_delay),
        )

    def register(self, handlers: Handlers) -> None:
        handlers.add(self.kind, self._perform, self._give_up, self._again)
        self._making.delivery.tell(AssetType.COMPOSITE, self)
        self._chat.register(handlers)

    def make(self, captured: Captured, now: int) -> Changes:
        """What is enqueued of a complete capture (`recorder.Maker`)."""
        return self.enqueued(captured, now) if captured.capture.wanted.composite else Changes()

    def enqueued(self, captured: Captured, now: int) -> Changes:
        """New assets, and the job that makes them."""
        capture, ids = captured.capture, self._making.ids
        composed = new_asset(capture, ids.object_id(now), AssetType.COMPOSITE, metadata({}), now)
        chat = new_asset(capture, ids.object_id(now), AssetType.CHAT, metadata({}), now)
        order = Order(session_id=capture.session_id, asset_id=composed.id, chat_id=chat.id)
        job = job_row(self.kind, order, now=now, ids=ids, subject=composed.id)
        return Changes(rows=(asset_row(composed), asset_row(chat), job))

    # The job.

    async def _perform(self, run: Run, order: Order) -> Result:
        try:
            return await self._compose(run, order)
        except Exception as error:
            fault = fault_of(error)
            tried = run.job.tries >= self._settings.tries and fault.code not in WAITED_FOR
            raise JobError(fault.code, fault.message, final=fault.final or tried) from error

    async def _compose(self, run: Run, order: Order) -> Result:
        making = self._making
        captured = await self._captured(order)
        timeline = await prepare(making.database, making.folder.path, order.session_id)
        plan = await asyncio.to_thread(plan_of, timeline, self._look_of(captured))
        folder = making.folder.derived(order.session_id) / f"composite-{order.asset_id}"
        composer = Composer(plan, folder, run.process, run.progress, self._settings.memory)
        for number in range(len(plan.chunks)):
            await run.step(f"chunk {number} of {plan.digest}", composer.chunk, number)
        composed = await run.step(f"join {plan.digest}", composer.join)
        chat = await run.step("chat", self._chats.write, order.session_id, str(folder / "chat.csv"))
        await asyncio.to_thread(composer.tidy)
        return await self._handed_over(captured, order, composed, chat)

    async def _captured(self, order: Order) -> Captured:
        """Raises `JobError`."""
        try:
            return await self._making.captured(order.session_id)
        except JobError as error:
            raise error if error.final else JobError(ELSEWHERE, error.message) from error

    def _look_of(self, captured: Captured) -> Look:
        wanted = captured.capture.wanted
        if not wanted.composite_width or not wanted.composite_height:
            return self._settings.look
        return msgspec.structs.replace(
            self._settings.look, width=wanted.composite_width, height=wanted.composite_height
        )

    async def _handed_over(self, captured: Captured, order: Order, composed: Composed, chat: str) -> Result:
        making, capture = self._making, captured.capture
        asset, beside = await self._assets(order)
        place = await making.place(capture)
        now = making.clock.now()
        after = asset._replace(size=composed.size, duration=composed.seconds, updated_at=now)
        again = await self._again_of(order)
        items = (
            Item(
                asset_id=asset.id,
                file=composed.file,
                key=paths.named(paths.composite(place, capture.started_at), again),
            ),
            Item(asset_id=beside.id, file=chat, key=paths.named(paths.chat(place, capture.started_at), again)),
        )
        parcel = Parcel(session_id=capture.session_id, presign_seconds=capture.wanted.presign_seconds, items=items)
        return Result(Changes(rows=(asset_row(after), making.delivery.parcel(parcel))))

    async def _again_of(self, order: Order) -> str:
        """What the files' names have besides: a second run of the same session has the same start, and overwrites
        nothing."""
        assets = await load_assets(self._making.database, order.session_id)
        mine = [asset.id for asset in assets if asset.type == AssetType.COMPOSITE]
        return "" if not mine or min(mine) == order.asset_id else f"-{order.asset_id}"

    async def _assets(self, order: Order) -> tuple[Asset, Asset]:
        found = [await load_asset(self._making.database, one) for one in (order.asset_id, order.chat_id)]
        asset, chat = found
        if asset is None or chat is None:
            raise JobError("INPUT_ERROR", f"there are no assets {order.asset_id} and {order.chat_id}", final=True)
        return asset, chat

    async def _give_up(self, job: Job, failure: Failure) -> Changes:
        order = self.kind.payload_of(job)
        composed, chat = await self._assets(order)
        told = await self._making.delivery.failed((composed,), error_type(failure.code), told_of(failure))
        return told + self._chat.enqueued(chat, await self._again_of(order), self._making.clock.now())

    async def _again(self, job: Job) -> Changes:
        return await self._making.delivery.again(self.kind.payload_of(job).asset_id)

    # Telling.

    def again(self, captured: Captured, asset: Asset, now: int) -> Changes:  # noqa: ARG002 - there is one of a session
        return self.enqueued(captured, now)

    async def delivered(self, assets: Sequence[Asset], urls: Sequence[str]) -> Changes:
        (asset, chat), (url, chat_url) = assets, urls
        name, opened_at, closed_at = await self._session(asset)
        payload = RecordingSuccess(
            room_id=asset.room_id,
            room_name=name,
            template_id=asset.template_id,
            session_id=asset.session_id,
            session_started_at=timestamps.precise(opened_at),
            session_stopped_at=timestamps.precise(closed_at),
            duration=whole_seconds(asset.duration),
            size=asset.size,
            recording_path=asset.path,
            recording_presigned_url=url,
            chat_recording_path=chat.path,
            chat_recording_presigned_url=chat_url,
            location=asset.path if self._settings.deprecated else msgspec.UNSET,
            URL=url if self._settings.deprecated else msgspec.UNSET,
        )
        told = self._making.fact(asset, payload, "", "composed recording delivered")
        return told + self._chats.forgotten(asset.session_id)

    async def failed(self, assets: Sequence[Asset]) -> Changes:
        asset = assets[0]
        kind = error_type(asset.error_code)
        name, opened_at, closed_at = await self._session(asset)
        payload = RecordingFailed(
            room_id=asset.room_id,
            room_name=name,
            template_id=asset.template_id,
            session_id=asset.session_id,
            session_started_at=timestamps.precise(opened_at),
            session_stopped_at=timestamps.precise(closed_at),
            error=kind.message,
            error_type=kind,
        )
        told = self._making.fact(asset, payload, "", f"{asset.error_code}: {asset.error}")
        return told + self._chats.forgotten(asset.session_id, self._making.delivery.settings.keep)

    async def _session(self, asset: Asset) -> tuple[str, int, int]:
        """The room's name, and the instants of the session's opening and closing."""
        rows = await self._making.database.fetch("session_times", id=asset.session_id)
        if not rows:
            raise JobError("INPUT_ERROR", f"there is no session {asset.session_id}", final=True)
        opened_at, closed_at = rows[0]
        room = await self._directory.room(asset.room_id)
        return room.name, int(opened_at or 0), int(closed_at or 0)
