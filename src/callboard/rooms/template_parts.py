"""The parts of a template that can be changed alone: a role, the settings, the destinations, the recordings. Pure.

Owns: what a request for such a part may say, and the template that comes of it (platform.md §3.10).

Always holds: a part that the request names is replaced whole, what it leaves out stays; a new role's parts that are
left out have their defaults. What comes out is valid, as in `templates.py`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from callboard.errors import Conflict, Invalid, NotFound
from callboard.rooms.destinations import (
    BrowserRecording,
    Destinations,
    HlsDestination,
    Name,
    RtmpOutput,
    Transcription,
    each,
    with_role_renamed,
)
from callboard.rooms.models import (
    Permissions,
    PublishParams,
    Recording,
    RecordingSettings,
    Region,
    Role,
    RoomState,
    Settings,
    SubscribeParams,
    Template,
)
from callboard.rooms.shapes import Camel, RoleName
from callboard.rooms.templates import checked, require_shallow, simulcast_problems, with_secrets

MAX_ROLES = 100

Recordings = tuple[Recording, ...]
"""At most one element; an array because the platform's is."""


class RoleEdit(Camel, frozen=True):
    """What a role is to be. `name` renames it."""

    name: RoleName | UnsetType = UNSET
    publish_params: PublishParams | UnsetType = UNSET
    subscribe_params: SubscribeParams | UnsetType = UNSET
    permissions: Permissions | UnsetType = UNSET
    priority: Annotated[int, Meta(ge=1, le=5)] | UnsetType = UNSET
    max_peer_count: Annotated[int, Meta(ge=-1)] | UnsetType = UNSET


class SettingsEdit(Camel, frozen=True):
    """What a template's settings are to be. `recording` null: nothing is uploaded to a bucket of its own."""

    region: Region | UnsetType = UNSET
    recording: RecordingSettings | UnsetType | None = UNSET
    room_state: RoomState | UnsetType = UNSET
    retry: dict[str, Any] | UnsetType = UNSET


class DestinationsEdit(Camel, frozen=True):
    """What a template's destinations are to be, by kind: all of a kind that is named are replaced."""

    browser_recordings: Annotated[dict[Name, BrowserRecording], Meta(max_length=20)] | UnsetType = UNSET
    rtmp_destinations: Annotated[dict[Name, RtmpOutput], Meta(max_length=20)] | UnsetType = UNSET
    hls_destinations: Annotated[dict[Name, HlsDestination], Meta(max_length=20)] | UnsetType = UNSET
    transcriptions: Annotated[dict[Name, Transcription], Meta(max_length=20)] | UnsetType = UNSET


def said(request: Camel) -> dict[str, Any]:
    """The fields that a request names."""
    found = {name: getattr(request, name) for name in request.__struct_fields__}
    return {name: value for name, value in found.items() if value is not UNSET}


def role_named(template: Template, name: str) -> Role:
    """The role. Raises `NotFound`."""
    if name not in template.roles:
        raise NotFound("role not found")
    return template.roles[name]


def with_role(old: Template, name: str, request: RoleEdit, now: int) -> Template:
    """The template with this role made or changed. Raises `Invalid` (also for a name that no role can have), `Conflict`
    (a name that another role has; too many)."""
    changes = {"name": name, **said(request)}
    before = msgspec.to_builtins(old.roles[name]) if name in old.roles else {}
    try:
        role = msgspec.convert(before | msgspec.to_builtins(_encoded(changes)), Role)
    except msgspec.ValidationError:
        raise Invalid(
            "Invalid path param", ("the role's name: 1 to 100 letters, digits, spaces and . _ : -",)
        ) from None
    if wrong := list(simulcast_problems("role", role)):
        raise Invalid("Invalid body param", [problem.removeprefix("role.") for problem in wrong])
    if role.name != name and role.name in old.roles:
        raise Conflict("role name already exists", (f"name: {role.name} is another role of this template",))
    if name not in old.roles and len(old.roles) >= MAX_ROLES:
        raise Conflict("too many roles", (f"a template has at most {MAX_ROLES} roles",))
    roles = {role.name if key == name else key: role if key == name else one for key, one in old.roles.items()}
    new = msgspec.structs.replace(old, roles={**roles, role.name: role}, updated_at=now)
    return _renamed(new, name, role.name) if role.name != name and name in old.roles else new


def without_role(old: Template, name: str, now: int) -> Template:
    """The template without this role. Raises `NotFound`, `Conflict` (the last one; something records as it)."""
    role_named(old, name)
    if len(old.roles) == 1:
        raise Conflict("role cannot be deleted", ("a template has at least one role",))
    users = [f"recordings.{one.name}" for one in old.recordings if one.role == name]
    users += [f"destinations.{kind}.{key}" for kind, key, one in each(old.destinations) if _role_of(one) == name]
    if users:
        raise Conflict("role cannot be deleted", (f"it is the role of {', '.join(users)}",))
    return msgspec.structs.replace(
        old, roles={key: role for key, role in old.roles.items() if key != name}, updated_at=now
    )


def with_settings(old: Template, request: SettingsEdit, now: int) -> Template:
    """The template with these settings. Raises `Invalid`."""
    changes = said(request)
    require_shallow("retry", changes.get("retry"))
    settings: Settings = msgspec.structs.replace(old.settings, **changes)
    return msgspec.structs.replace(old, settings=with_secrets(settings, old.settings), updated_at=now)


def with_destinations(old: Template, request: DestinationsEdit, now: int) -> Template:
    """The template with these destinations. Raises `Invalid`."""
    destinations: Destinations = msgspec.structs.replace(old.destinations, **said(request))
    return checked(msgspec.structs.replace(old, destinations=destinations, updated_at=now), ("destinations",))


def with_recordings(old: Template, recordings: Recordings, now: int) -> Template:
    """The template with these recordings. Raises `Invalid`."""
    return checked(msgspec.structs.replace(old, recordings=recordings, updated_at=now), ("recordings",))


def _encoded(changes: dict[str, Any]) -> dict[str, Any]:
    """The changes of a role by their names on the wire."""
    wire = dict(zip(Role.__struct_fields__, Role.__struct_encode_fields__, strict=True))
    return {wire[name]: value for name, value in changes.items()}


def _role_of(part: object) -> str:
    return str(getattr(part, "role", ""))


def _renamed(template: Template, old: str, new: str) -> Template:
    """The template, in which whatever names the role by its old name names it by the new one."""
    roles = {
        key: msgspec.structs.replace(
            role,
            subscribe_params=msgspec.structs.replace(
                role.subscribe_params,
                subscribe_to_roles=tuple(
                    new if one == old else one for one in role.subscribe_params.subscribe_to_roles
                ),
            ),
        )
        for key, role in template.roles.items()
    }
    kinds = {
        kind: {key: with_role_renamed(one, old, new) for key, one in getattr(template.destinations, kind).items()}
        for kind in Destinations.__struct_fields__
    }
    return msgspec.structs.replace(
        template,
        roles=roles,
        recordings=tuple(with_role_renamed(one, old, new) for one in template.recordings),
        destinations=Destinations(**kinds),
    )
