"""Recordings and the files that are made of them (platform.md §3.6, §2.6, §2.7).

Owns: recordings and assets as REST shows them, and their routes. What is recorded, templates and rooms say; recordings
that are started and stopped need a browser, and are in `not_here.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, Struct, UnsetType

from callboard.api import pages
from callboard.api.deps import Deps
from callboard.api.errors import Unavailable, errors
from callboard.api.pages import Limit, Start
from callboard.errors import Invalid
from callboard.events import timestamps
from callboard.recording.assets import Asset, AssetStatus, AssetType, Recording, RecordingStatus
from callboard.recording.desk import Desk, Wanted
from callboard.rooms.store import is_object_id

TAG = "Recordings"


class EmbeddedAsset(Struct, frozen=True, kw_only=True):
    """A file of a recording. `duration` in seconds, `size` in bytes; `path` is "" until it is there.

    `error` says why there is none (of ours, not of the platform's API).
    """

    id: str
    type: str
    status: str
    path: str
    size: int
    duration: int
    thumbnails: list[str] | None
    metadata: dict[str, Any]
    created_at: str
    error: str | UnsetType = UNSET


class AssetResponse(EmbeddedAsset, frozen=True, kw_only=True):
    """A file of a recording, and which one's it is."""

    job_id: str
    room_id: str
    session_id: str


class RecordingResponse(Struct, frozen=True, kw_only=True):
    """A recording: of what is captured of a session, until all of its files are there or given up."""

    id: str
    room_id: str
    session_id: str
    status: str
    meeting_url: str
    destination: str
    asset_types: list[str] | None
    created_at: str
    started_at: str | None
    stopped_at: str | None
    updated_at: str
    started_by: str
    stopped_by: str
    recording_assets: list[EmbeddedAsset] | UnsetType | None = UNSET


class RecordingPage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[RecordingResponse]
    last: str


class AssetPage(Struct, frozen=True, kw_only=True):
    limit: int
    data: list[AssetResponse]
    last: str


class Link(Struct, frozen=True, kw_only=True):
    """A URL with which anybody may get the file for `expiry` seconds."""

    id: str
    path: str
    url: str
    expiry: int


class _Document(Struct, frozen=True):
    started_by: str = ""
    stopped_by: str = ""


def shown(recording: Recording, assets: Sequence[Asset] | None) -> RecordingResponse:
    """The recording; with its files unless `assets` is None."""
    about = msgspec.json.decode(recording.document, type=_Document)
    types = list(dict.fromkeys(str(asset.type) for asset in assets or ()))
    return RecordingResponse(
        id=recording.id,
        room_id=recording.room_id,
        session_id=recording.session_id,
        status=str(recording.status),
        meeting_url="",
        destination="",
        asset_types=types or None,
        created_at=timestamps.stored(recording.created_at),
        started_at=timestamps.stored(recording.started_at) if recording.started_at else None,
        stopped_at=timestamps.stored(recording.stopped_at) if recording.stopped_at else None,
        updated_at=timestamps.stored(recording.updated_at),
        started_by=about.started_by,
        stopped_by=about.stopped_by,
        recording_assets=UNSET if assets is None else [embedded(asset) for asset in assets] or None,
    )


def embedded(asset: Asset) -> EmbeddedAsset:
    return EmbeddedAsset(**_common(asset))


def shown_asset(asset: Asset) -> AssetResponse:
    """The file by itself."""
    return AssetResponse(
        job_id=asset.recording_id, room_id=asset.room_id, session_id=asset.session_id, **_common(asset)
    )


def _common(asset: Asset) -> dict[str, Any]:
    failed = asset.status is AssetStatus.FAILED
    return {
        "id": asset.id,
        "type": str(asset.type),
        "status": str(asset.status),
        "path": asset.path,
        "size": asset.size,
        "duration": int(asset.duration),
        "thumbnails": None,
        "metadata": msgspec.json.decode(asset.metadata),
        "created_at": timestamps.stored(asset.created_at),
        "error": ": ".join(filter(None, (asset.error_code, asset.error))) if failed else UNSET,
    }


Room = Annotated[str, QueryParameter(description="Only those of this room.")]
State = Annotated[str, QueryParameter(description="Only those in this state.")]
Session = Annotated[str, QueryParameter(description="Only those of this session.")]


def recordings_routes(deps: Deps) -> Router:
    """The routes below `/v2/recordings` and `/v2/recording-assets`."""

    @get("/recordings", operation_id="list_recordings", summary="List recordings", responses=errors())
    async def list_recordings(
        limit: Limit = pages.MIN_LIMIT,
        start: Start = "",
        room_id: Room = "",
        session_id: Session = "",
        status: State = "",
    ) -> RecordingPage:
        """Recordings, newest first, without their files."""
        applied = pages.clamped(limit)
        wanted = _wanted(room_id, session_id, status, RecordingStatus)
        found = await _desk(deps).recordings(applied + 1, pages.cursor(start), wanted)
        page, more = pages.cut(found, applied)
        return RecordingPage(limit=applied, data=[shown(one, None) for one in page], last=page[-1].id if more else "")

    @get(
        "/recordings/{recording_id:str}", operation_id="get_recording", summary="Get a recording", responses=errors(404)
    )
    async def get_recording(recording_id: FromPath[str]) -> RecordingResponse:
        """The recording with its files. The id of one of these does too."""
        return shown(*await _desk(deps).recording(recording_id))

    @post(
        "/recordings/{recording_id:str}/compose",
        status_code=200,
        operation_id="compose_recording_again",
        summary="Compose a session again",
        responses=errors(404),
    )
    async def compose_again(recording_id: FromPath[str]) -> RecordingResponse:
        """Compose the session anew, as long as its captures are kept: after a failure, or with other settings.

        The files are new ones; another `recording.success` or `recording.failed` tells how it ended.
        """
        return shown(*await _desk(deps).compose_again(recording_id))

    @get("/recording-assets", operation_id="list_recording_assets", summary="List recording assets", responses=errors())
    async def list_assets(
        limit: Limit = pages.MIN_LIMIT,
        start: Start = "",
        room_id: Room = "",
        session_id: Session = "",
        status: State = "",
        type: Annotated[str, QueryParameter(description="Only those of this type.")] = "",  # noqa: A002 - its name
    ) -> AssetPage:
        """Files of recordings, newest first."""
        applied = pages.clamped(limit)
        wanted = _wanted(room_id, session_id, status, AssetStatus, type)
        found = await _desk(deps).assets(applied + 1, pages.cursor(start), wanted)
        page, more = pages.cut(found, applied)
        return AssetPage(limit=applied, data=[shown_asset(one) for one in page], last=page[-1].id if more else "")

    @get(
        "/recording-assets/{asset_id:str}",
        operation_id="get_recording_asset",
        summary="Get a recording asset",
        responses=errors(404),
    )
    async def get_asset(asset_id: FromPath[str]) -> AssetResponse:
        """The file. The id of its recording does too: then it is the first one."""
        return shown_asset(await _desk(deps).asset(asset_id))

    @get(
        "/recording-assets/{asset_id:str}/presigned-url",
        operation_id="presign_recording_asset",
        summary="Get a link to a recording asset",
        responses=errors(404),
    )
    async def presign(
        asset_id: FromPath[str],
        presign_duration: Annotated[
            int | None, QueryParameter(description="Seconds that the link is valid: 1 to 604800; 3 days without.")
        ] = None,
    ) -> Link:
        """A link to the file, for whoever has it."""
        asset = await _desk(deps).asset(asset_id)
        url, expiry = await _desk(deps).url(asset, presign_duration)
        return Link(id=asset.id, path=asset.path, url=url, expiry=expiry)

    handlers = [list_recordings, get_recording, compose_again, list_assets, get_asset, presign]
    return Router("/", route_handlers=handlers, tags=[TAG])


def _desk(deps: Deps) -> Desk:
    if deps.recordings is None:
        raise Unavailable("this server has no recordings")
    return deps.recordings


def _wanted(room_id: str, session_id: str, status: str, states: type[StrEnum], kind: str = "") -> Wanted:
    for name, value in (("room_id", room_id), ("session_id", session_id)):
        if value and not is_object_id(value):
            raise Invalid("Invalid query parameter", (f"{name}: must be 24 hexadecimal digits",))
    for name, value, allowed in (("status", status, states), ("type", kind, AssetType)):
        if value and value not in set(allowed):
            raise Invalid("Invalid query parameter", (f"{name}: must be one of {', '.join(allowed)}",))
    return Wanted(room_id, session_id, status, kind)
