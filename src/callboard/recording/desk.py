"""Recordings as a backend asks for them: lists, one, its files, a link to one, another try.

Owns: `Desk`.

Always holds: what is shown is durable. A link is only made to a file that is there. Composing again makes new assets
beside the old ones; nothing that was delivered is overwritten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from callboard.clock import Clock
from callboard.database import Database, Row
from callboard.errors import Conflict, Invalid, NotFound
from callboard.ledger import Changes, Ledger
from callboard.recording.assets import (
    Asset,
    AssetStatus,
    AssetType,
    Recording,
    RecordingStatus,
    asset_of,
    load_asset,
    load_recording,
    recording_of,
    recording_row,
)
from callboard.recording.capture.derive import load_capture
from callboard.recording.composite.job import CompositeRecordings
from callboard.recording.depot import Depot
from callboard.storage import MAXIMUM_URL_SECONDS, StorageError, api_url_seconds


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which ones a list has; "" is all. `type` is an asset's."""

    room_id: str = ""
    session_id: str = ""
    status: str = ""
    type: str = ""


class Desk:
    """See the module. All raise as `Database.fetch`."""

    def __init__(
        self, database: Database, ledger: Ledger, depot: Depot, composites: CompositeRecordings, clock: Clock
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._depot = depot
        self._composites = composites
        self._clock = clock

    async def recordings(self, limit: int, start: str, wanted: Wanted) -> list[Recording]:
        """Newest first, below the id `start`."""
        found = [recording_of(row) for row in await self._page("recording_page", limit, start, wanted)]
        return [one for one in found if wanted.room_id in {"", one.room_id}]

    async def assets(self, limit: int, start: str, wanted: Wanted) -> list[Asset]:
        """Newest first, below the id `start`."""
        found = [asset_of(row) for row in await self._page("asset_page", limit, start, wanted, type=wanted.type)]
        return [one for one in found if wanted.room_id in {"", one.room_id}]

    async def recording(self, id_: str) -> tuple[Recording, list[Asset]]:
        """The recording with this id, or that has this asset (platform.md §11.3 C2), with its assets.

        Raises `NotFound`.
        """
        found = await load_recording(self._database, id_)
        if found is None and (asset := await load_asset(self._database, id_)) is not None:
            found = await load_recording(self._database, asset.recording_id)
        if found is None:
            raise NotFound("recording not found")
        return found, await self._assets_of(found.id)

    async def asset(self, id_: str) -> Asset:
        """The asset with this id, or the first one of the recording with this id. Raises `NotFound`."""
        found = await load_asset(self._database, id_)
        if found is None:
            found = next(iter(await self._assets_of(id_)), None)
        if found is None:
            raise NotFound("recording asset not found")
        return found

    async def url(self, asset: Asset, seconds: int | None) -> tuple[str, int]:
        """A signed URL of the file, and how long it is valid. Raises `Conflict` if there is no file, `Invalid`."""
        if asset.status is not AssetStatus.COMPLETED:
            raise Conflict("there is no file", (f"the asset is {asset.status}",))
        valid = api_url_seconds(self._depot.scheme(asset.path)) if seconds is None else seconds
        if not 1 <= valid <= MAXIMUM_URL_SECONDS:
            raise Invalid("Invalid query parameter", (f"presign_duration: must be 1 to {MAXIMUM_URL_SECONDS} seconds",))
        try:
            return await self._depot.url(asset.path, asset.key, asset.room_id, asset.template_id, valid), valid
        except StorageError as error:
            raise Conflict("no link can be made", (str(error),)) from error

    async def compose_again(self, id_: str) -> tuple[Recording, list[Asset]]:
        """Enqueue another composition of the recording's session; return it with the new assets.

        Raises `NotFound`, and `Conflict` while one is being made, and when the captures are gone.
        """
        recording, assets = await self.recording(id_)
        if any(one.type == AssetType.COMPOSITE and one.status is AssetStatus.PROCESSING for one in assets):
            raise Conflict("the session is being composed")
        captured = await load_capture(self._database, recording.session_id)
        if captured is None or captured.capture.state != "complete":
            raise Conflict("the captures of this session are not here any more", ("recording.keep_failed_seconds",))
        now = self._clock.now()
        again = recording._replace(status=RecordingStatus.POST_PROCESSING, updated_at=now)
        rows = Changes(rows=(recording_row(again),))
        await self._ledger.commit(self._composites.enqueued(captured, now) + rows)
        return await self.recording(recording.id)

    async def _assets_of(self, recording_id: str) -> list[Asset]:
        rows = await self._database.fetch("recording_assets_of_recording", recording_id=recording_id)
        return [asset_of(row) for row in rows]

    async def _page(self, query: str, limit: int, start: str, wanted: Wanted, **more: str) -> Sequence[Row]:
        fetch, common = self._database.fetch, {"status": wanted.status, **more}
        if wanted.session_id:
            return await fetch(f"{query}_of_session", session_id=wanted.session_id, start=start, limit=limit, **common)
        if wanted.room_id:
            return await fetch(f"{query}_of_room", room_id=wanted.room_id, start=start, limit=limit, **common)
        return await fetch(query, start=start, limit=limit, **common)
