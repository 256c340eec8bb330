"""Rooms: from a request to a valid room, and to and from its row. Pure.

Owns: what a request for a room may say, and the checks that need more than one field (platform.md §2.1).

Always holds: what comes out of here is valid. Names of rooms are compared without regard to case and kept as
given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from callboard.database import Put, Row
from callboard.database.tables import ROOM
from callboard.errors import Invalid
from callboard.rooms.credentials import refuse_sealed, sealed_with
from callboard.rooms.models import (
    MAX_DURATION_SECONDS,
    MAX_LARGE_ROOM_SIZE,
    MAX_ROOM_SIZE,
    MIN_DURATION_SECONDS,
    RecordingInfo,
    Region,
    Room,
    RoomWebhook,
)
from callboard.rooms.shapes import Snake
from callboard.rooms.templates import MASK

RoomName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9._:-]+$(?!\n)",
        extra={"allowed": "1 to 255 letters, digits and . _ : -"},
    ),
]
Text = Annotated[str, Meta(max_length=2048)]

_SAID: Final = (
    "name",
    "description",
    "enabled",
    "template_id",
    "region",
    "size",
    "large_room",
    "max_duration_seconds",
    "webhook",
    "recording_info",
    "polls",
)
_MAX_HEADERS: Final = 50
_HEADER_NAME: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


class RoomRequest(Snake, frozen=True):
    """What a room is to be. What answers have besides (ids, times, older names) is taken and ignored.

    `webhook` null removes the room's own webhook, `recording_info` null lets the template's settings hold
    again.
    """

    name: RoomName | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    template_id: str | UnsetType = UNSET
    region: Region | Literal[""] | UnsetType = UNSET
    size: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    large_room: bool | UnsetType = UNSET
    max_duration_seconds: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    webhook: RoomWebhook | UnsetType | None = UNSET
    recording_info: RecordingInfo | UnsetType | None = UNSET
    polls: Annotated[tuple[str, ...], Meta(max_length=100)] | UnsetType = UNSET
    template: Any = UNSET
    id: Any = UNSET
    customer_id: Any = UNSET
    customer: Any = UNSET
    app_id: Any = UNSET
    recording: Any = UNSET
    recording_source_template: Any = UNSET
    enabled_source_template: Any = UNSET
    key: Any = UNSET
    created_at: Any = UNSET
    updated_at: Any = UNSET


def new_room(request: RoomRequest, room_id: str, name: str, template_id: str, now: int) -> Room:
    """A room that does not exist yet. `name` is for a request that names none. Raises `Invalid`."""
    blank = Room(id=room_id, name=name, template_id=template_id, created_at=now, updated_at=now)
    return changed_room(blank, request, now)


def changed_room(old: Room, request: RoomRequest, now: int) -> Room:
    """`old` with what the request says. Raises `Invalid`."""
    if request.template is not UNSET:
        raise Invalid("Invalid body param: template. Use template_id")
    changes = {name: getattr(request, name) for name in _SAID if getattr(request, name) is not UNSET}
    room: Room = msgspec.structs.replace(old, **changes, updated_at=now)
    wrong = list(_room_problems(room))
    if wrong:
        raise Invalid("Invalid body param", wrong)
    return msgspec.structs.replace(
        room,
        recording_info=_with_secret(room.recording_info, old.recording_info),
        webhook=_with_headers(room.webhook, old.webhook),
    )


def _room_problems(room: Room) -> Iterator[str]:
    if room.size > MAX_LARGE_ROOM_SIZE:
        yield f"Invalid body param: room size greater than {MAX_LARGE_ROOM_SIZE}"
    elif room.size > MAX_ROOM_SIZE and not room.large_room:
        yield f"Invalid body param: room size greater than {MAX_ROOM_SIZE}, set large_room flag as true"
    if room.max_duration_seconds and not (MIN_DURATION_SECONDS <= room.max_duration_seconds <= MAX_DURATION_SECONDS):
        yield (
            f"max_duration_seconds: must be an integer from {MIN_DURATION_SECONDS} to {MAX_DURATION_SECONDS},"
            " or 0 for the server's limit"
        )
    if room.webhook is not None:
        yield from _webhook_problems(room.webhook)


def _webhook_problems(webhook: RoomWebhook) -> Iterator[str]:
    if not _is_web_address(webhook.url):
        yield "webhook.url: must be an absolute http or https URL without a user name or password"
    if len(webhook.headers) > _MAX_HEADERS:
        yield f"webhook.headers: must be at most {_MAX_HEADERS}"
    for name, value in webhook.headers.items():
        if not name or not set(name.lower()) <= _HEADER_NAME:
            yield "webhook.headers: a name must be a token (RFC 9110 §5.6.2)"
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            yield "webhook.headers: a value must be printable ASCII"


def _is_web_address(url: str) -> bool:
    if not url.isascii() or not url.isprintable() or " " in url:
        return False
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises ValueError if it is no number
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _with_secret(new: RecordingInfo | None, old: RecordingInfo | None) -> RecordingInfo | None:
    """`new`, with the old secret where it has the mask that answers show instead (read, edit, write back).

    Raises `Invalid`.
    """
    if new is None or new is old or new.upload_info is None:
        return new
    refuse_sealed("recording_info.upload_info.credentials.secret", new.upload_info.credentials.secret)
    if new.upload_info.credentials.secret != MASK:
        return new
    before = old.upload_info if old else None
    return _with(new, before.credentials.secret if before else "")


def _with_headers(new: RoomWebhook | None, old: RoomWebhook | None) -> RoomWebhook | None:
    """`new`, with the old values of headers where it has the mask. Raises `Invalid` if there are none."""
    if new is None or new is old:
        return new
    before = old.headers if old else {}
    wrong = [
        f"webhook.headers.{name!r}: {MASK} stands for a value that was set before, and there is none: say it"
        for name, value in new.headers.items()
        if value == MASK and name not in before
    ]
    if wrong:
        raise Invalid("Invalid body param", wrong)
    for name, value in new.headers.items():
        refuse_sealed(f"webhook.headers.{name!r}", value)
    headers = {name: before[name] if value == MASK else value for name, value in new.headers.items()}
    return msgspec.structs.replace(new, headers=headers)


def masked_webhook(webhook: RoomWebhook | None) -> RoomWebhook | None:
    """`webhook` as it may be shown."""
    return webhook and msgspec.structs.replace(webhook, headers=dict.fromkeys(webhook.headers, MASK))


def masked(info: RecordingInfo | None) -> RecordingInfo | None:
    """`info` as it may be shown."""
    if info is None or info.upload_info is None or not info.upload_info.credentials.secret:
        return info
    return _with(info, MASK)


def _with(info: RecordingInfo, secret: str) -> RecordingInfo:
    replace = msgspec.structs.replace
    assert info.upload_info is not None
    credentials = replace(info.upload_info.credentials, secret=secret)
    return replace(info, upload_info=replace(info.upload_info, credentials=credentials))


_COLUMNS: Final = ("id", "name", "template_id", "enabled", "created_at", "updated_at")


def room_row(room: Room) -> Put:
    """The room's row. Whoever commits it calls `RoomStore.refresh` once it is durable."""
    document: dict[str, Any] = msgspec.to_builtins(room)
    id_, name, template_id, enabled, created_at, updated_at = (document.pop(column) for column in _COLUMNS)
    text = msgspec.json.encode(document).decode()
    return Put(ROOM, (id_, name, room_key(name), template_id, enabled, text, created_at, updated_at, sealed_with(room)))


def room_of(row: Row) -> Room:
    """The room that a row (columns as in `ROOM`, but the last) describes."""
    values = dict(zip((column.name for column in ROOM.columns[:-1]), row, strict=True))
    document = values["document"]
    assert isinstance(document, str)
    contents: Mapping[str, Any] = msgspec.json.decode(document)
    columns = {name: values[name] for name in _COLUMNS}
    # SQLite has no booleans of its own: strictness ends here.
    return msgspec.convert({**contents, **columns, "enabled": bool(columns["enabled"])}, Room)


def room_key(name: str) -> str:
    """What the name is looked up by: names that differ only in case are the same (platform.md §11.4 D8)."""
    return name.lower()
