"""The chat of a session whose composition has failed: delivered all the same, by itself.

Owns: the job `recording.chat`.

Always holds: what was said does not depend on what was shown. No event of the contract tells of a chat alone (that of a
failed recording has no place for it): REST lists it, and the recording has failed none the less.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from callboard.jobs import Failure, Handlers, Job, JobError, Kind, Result, Run, job_row
from callboard.ledger import Changes
from callboard.recording.assets import Asset, AssetType, asset_row, load_asset
from callboard.recording.capture.derive import Captured
from callboard.recording.chat import Chats
from callboard.recording.delivery import Item, Parcel, told_of
from callboard.recording.faults import DISK_ERROR, INPUT_ERROR, PROCESSING_ERROR
from callboard.recording.making import Making
from callboard.storage import paths


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The payload. `again` is what its name has besides, when another chat of this session has that name already."""

    session_id: str
    asset_id: str
    again: str = ""


KIND = Kind("recording.chat", Order, weight=0.0, concurrency=4, priority=2, give_up_after=3 * 86_400.0)


class ChatAlone:
    """Makes them."""

    def __init__(self, making: Making, chats: Chats) -> None:
        self._making = making
        self._chats = chats

    def register(self, handlers: Handlers) -> None:
        handlers.add(KIND, self._perform, self._give_up, self._again)
        self._making.delivery.tell(AssetType.CHAT, self)

    def enqueued(self, asset: Asset, again: str, now: int) -> Changes:
        """The job that delivers this chat."""
        order = Order(session_id=asset.session_id, asset_id=asset.id, again=again)
        return Changes(rows=(job_row(KIND, order, now=now, ids=self._making.ids, subject=asset.id),))

    async def _perform(self, run: Run, order: Order) -> Result:
        making = self._making
        captured, asset = await making.captured(order.session_id), await load_asset(making.database, order.asset_id)
        if asset is None:
            raise JobError(INPUT_ERROR, f"there is no asset {order.asset_id}", final=True)
        file = making.folder.derived(order.session_id) / f"chat-{asset.id}.csv"
        try:
            await run.step("chat", self._chats.write, order.session_id, str(file))
        except OSError as error:
            raise JobError(DISK_ERROR, str(error)) from error
        key = paths.chat(await making.place(captured.capture), captured.capture.started_at)
        item = Item(asset_id=asset.id, file=str(file), key=paths.named(key, order.again))
        presign = captured.capture.wanted.presign_seconds
        parcel = Parcel(session_id=order.session_id, presign_seconds=presign, items=(item,))
        return Result(Changes(rows=(making.delivery.parcel(parcel),)))

    async def _give_up(self, job: Job, failure: Failure) -> Changes:
        asset = await load_asset(self._making.database, KIND.payload_of(job).asset_id)
        if asset is None:
            return Changes()
        return await self._making.delivery.failed((asset,), failure.code or PROCESSING_ERROR, told_of(failure))

    async def _again(self, job: Job) -> Changes:
        return await self._making.delivery.again(KIND.payload_of(job).asset_id)

    # Telling: nothing.

    async def delivered(self, assets: Sequence[Asset], urls: Sequence[str]) -> Changes:  # noqa: ARG002
        return Changes()

    async def failed(self, assets: Sequence[Asset]) -> Changes:  # noqa: ARG002
        return Changes()

    def again(self, captured: Captured, asset: Asset, now: int) -> Changes:
        anew = self._making.anew(captured, asset, now)
        return Changes(rows=(asset_row(anew),)) + self.enqueued(anew, f"-{anew.id}", now)
