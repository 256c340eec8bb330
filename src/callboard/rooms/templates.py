"""Templates: from a request to a valid template, and to and from its row. Pure.

Owns: what a request for a template may say, the checks that need more than one field, the default template.

Always holds: what comes out of here is valid (platform.md §2.2): at least one role, roles under their own
names, simulcast layers from large to small.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType, field

from callboard.database import Put, Row
from callboard.database.tables import TEMPLATE
from callboard.errors import Invalid
from callboard.rooms.credentials import refuse_sealed
from callboard.rooms.destinations import RECORDER, Destinations, destination_problems, no_role, resolution_problems
from callboard.rooms.models import (
    Permissions,
    Plugin,
    PublishParams,
    Recording,
    RecordingSettings,
    Role,
    RoleBody,
    Settings,
    SimulcastLayers,
    SubscribeParams,
    Template,
)
from callboard.rooms.shapes import Camel, RoleName

DEFAULT_NAME: Final = "default"
MAX_DEPTH: Final = 32
LEAST_COMPOSED: Final = 240
"""Pixels of a side of composed recordings."""
MASK: Final = "********"
"""What a response shows instead of a secret. Sent back, it means: as it was."""

TemplateName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=255,
        pattern=r"^[A-Za-z0-9 ._:-]+$(?!\n)",
        extra={"allowed": "1 to 255 letters, digits, spaces and . _ : -"},
    ),
]

_EXPLANATION: Final = "simulcast layers go from large to small: f (scale 1.0), then h, then q, each scaled down more"


class RoleRequest(RoleBody, frozen=True):
    """A role as it is asked for. Its name is the key it stands under; said again, it must be the same."""

    name: RoleName | UnsetType = UNSET


class TemplateRequest(Camel, frozen=True):
    """What a template is to be. What answers have besides (ids, times) is taken and ignored."""

    name: TemplateName | UnsetType = UNSET
    roles: Annotated[dict[RoleName, RoleRequest], Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    recordings: Annotated[tuple[Recording, ...], Meta(max_length=1)] | UnsetType = UNSET
    destinations: Destinations | UnsetType = UNSET
    plugins: dict[Plugin, Any] | UnsetType = UNSET
    id: Any = UNSET
    old_id: Any = field(default=UNSET, name="_id")
    customer_id: Any = UNSET
    customer: Any = UNSET
    created_at: Any = UNSET
    updated_at: Any = UNSET
    default: Any = UNSET


def new_template(request: TemplateRequest, template_id: str, now: int, name: str = "") -> Template:
    """A template that does not exist yet; `name` is for a request that says none. Raises `Invalid`."""
    said = name if request.name is UNSET and name else required(request.name, "name")
    roles = roles_of(required(request.roles, "roles"))
    blank = Template(id=template_id, name=said, roles=roles, created_at=now, updated_at=now)
    return changed_template(blank, request, now)


def replaced_template(old: Template, request: TemplateRequest, now: int) -> Template:
    """`old` with all of its contents replaced; recordings, which have a resource of their own, only if said.

    Raises `Invalid`, also without `roles` or `settings` (platform.md §3.10).
    """
    required(request.roles, "roles")
    required(request.settings, "settings")
    blank = Template(
        id=old.id,
        name=old.name,
        roles={},
        settings=old.settings,
        recordings=old.recordings,
        created_at=old.created_at,
        updated_at=now,
    )
    return changed_template(blank, request, now)


def changed_template(old: Template, request: TemplateRequest, now: int) -> Template:
    """`old` with what the request says. Raises `Invalid`."""
    said = {name: getattr(request, name) for name in ("name", "recordings", "destinations", "plugins")}
    changes: dict[str, Any] = {name: value for name, value in said.items() if value is not UNSET}
    retry = request.settings.retry if isinstance(request.settings, Settings) else {}
    for name, value in (("plugins", request.plugins), ("retry", retry)):
        require_shallow(name, value)
    if not isinstance(request.roles, UnsetType):
        changes["roles"] = roles_of(request.roles)
    if not isinstance(request.settings, UnsetType):
        changes["settings"] = with_secrets(request.settings, old.settings)
    return checked(msgspec.structs.replace(old, **changes, updated_at=now), changes)


def checked(template: Template, said: Collection[str]) -> Template:
    """The template, of which these fields are new. Raises `Invalid` when they do not fit together or to its roles.

    What was there before is not judged again: roles may go that an older part names.
    """
    wrong: list[str] = []
    if "recordings" in said:
        wrong += _recording_problems(template)
    if "destinations" in said:
        upload = template.settings.recording.upload if template.settings.recording else None
        wrong += destination_problems(template.destinations, list(template.roles), own_bucket=upload is not None)
    if wrong:
        raise Invalid("Invalid body param", wrong)
    return template


def _recording_problems(template: Template) -> Iterator[str]:
    if len(template.recordings) > 1:
        yield "recordings: must be a list of at most 1 items"
    for index, recording in enumerate(template.recordings):
        if recording.role not in (RECORDER, *template.roles):
            yield f"recordings[{index}].role: {no_role(recording.role)}"
        composite = recording.composite_recording.browser_composite
        place = f"recordings[{index}].compositeRecording.browserComposite"
        yield from resolution_problems(place, composite.width, composite.height)
        custom = recording.composite_recording.custom_composite
        if (custom.width or custom.height) and min(custom.width, custom.height) < LEAST_COMPOSED:
            place = f"recordings[{index}].compositeRecording.customComposite"
            yield f"{place}: width and height must be 0 (as the server is set), or both {LEAST_COMPOSED} to 1920"


def require_shallow(name: str, value: object) -> None:
    """Raise `Invalid` for what is free in form and nested so deeply that it could be stored, but not shown again."""
    if _deeper_than(MAX_DEPTH, value):
        raise Invalid("Invalid body param", (f"{name}: must not be nested more than {MAX_DEPTH} deep",))


def _deeper_than(levels: int, value: object) -> bool:
    parts = list(value.values()) if isinstance(value, dict) else value
    return isinstance(parts, list) and (levels == 0 or any(_deeper_than(levels - 1, part) for part in parts))


def required(value: Any, name: str) -> Any:
    """`value`, which must have been said. Raises `Invalid`."""
    if value is UNSET:
        raise Invalid("Invalid body param", (f"{name}: is required",))
    return value


def roles_of(requests: Mapping[str, RoleRequest]) -> dict[str, Role]:
    """The roles by name. Raises `Invalid`."""
    wrong = [problem for name, request in requests.items() for problem in _role_problems(name, request)]
    if wrong:
        raise Invalid("Invalid body param", wrong)
    return {name: role_of(name, request) for name, request in requests.items()}


def role_of(name: str, request: RoleBody) -> Role:
    """The role with this name and these contents."""
    contents = {part: getattr(request, part) for part in RoleBody.__struct_fields__}
    return Role(name=name, **contents)


def _role_problems(name: str, request: RoleRequest) -> Iterator[str]:
    if request.name not in (UNSET, name):
        yield f"roles.{name}.name: must be {name}, the key it stands under, or left out"
    yield from simulcast_problems(f"roles.{name}", request)


def simulcast_problems(place: str, role: RoleBody) -> Iterator[str]:
    """What is wrong with the order of a role's simulcast layers, if anything."""
    simulcast = role.publish_params.simulcast
    for kind, layers in (("video", simulcast.video), ("screen", simulcast.screen)):
        if not _descend(layers):
            yield f"{place}.publishParams.simulcast.{kind}.layers: {_EXPLANATION}"


def _descend(layers: SimulcastLayers) -> bool:
    ranks = ["fhq".index(layer.rid) for layer in layers.layers]
    scales = [layer.scale_resolution_down_by for layer in layers.layers]
    starts_full = not layers.layers or (ranks[0] == 0 and scales[0] == 1.0)
    return starts_full and ranks == sorted(set(ranks)) and scales == sorted(set(scales))


def with_secrets(new: Settings, old: Settings) -> Settings:
    """`new`, with the old secret where it has the mask that answers show instead (read, edit, write back).

    Raises `Invalid`.
    """
    upload = new.recording.upload if new.recording else None
    before = old.recording.upload if old.recording else None
    if new.recording is None or upload is None:
        return new
    refuse_sealed("settings.recording.upload.credentials.secretKey", upload.credentials.secret_key)
    if upload.credentials.secret_key != MASK:
        return new
    secret = before.credentials.secret_key if before else ""
    return _with_secret(new, new.recording, secret)


def masked(settings: Settings) -> Settings:
    """`settings` as they may be shown."""
    upload = settings.recording.upload if settings.recording else None
    if settings.recording is None or upload is None or not upload.credentials.secret_key:
        return settings
    return _with_secret(settings, settings.recording, MASK)


def _with_secret(settings: Settings, recording: RecordingSettings, secret: str) -> Settings:
    replace = msgspec.structs.replace
    assert recording.upload is not None
    credentials = replace(recording.upload.credentials, secret_key=secret)
    upload = replace(recording.upload, credentials=credentials)
    return replace(settings, recording=replace(recording, upload=upload))


def template_row(template: Template) -> Put:
    """The template's row."""
    document = msgspec.to_builtins(template)
    for column in ("id", "name", "created_at", "updated_at"):
        del document[column]
    text = msgspec.json.encode(document).decode()
    key = template_key(template.name)
    return Put(TEMPLATE, (template.id, template.name, key, text, template.created_at, template.updated_at))


def template_of(row: Row) -> Template:
    """The template that a row (columns as in `TEMPLATE`) describes."""
    template_id, name, _, document, created_at, updated_at = row
    assert isinstance(document, str)
    columns = {"id": template_id, "name": name, "created_at": created_at, "updated_at": updated_at}
    return msgspec.convert(msgspec.json.decode(document) | columns, Template)


def template_key(name: str) -> str:
    """What the name is looked up by. Unlike room names, template names differ by case."""
    return name


def default_template(template_id: str, now: int) -> Template:
    """What rooms use that ask for no template: `host` and `guest` talk and see each other, `viewer`
    watches."""
    speakers = ("host", "guest")
    talks = PublishParams(allowed=("audio", "video", "screen"))
    hears = SubscribeParams(subscribe_to_roles=speakers)
    everything = Permissions(**dict.fromkeys(Permissions.__struct_fields__, True))
    nothing = Permissions(browser_recording=False, rtmp_streaming=False, hls_streaming=False, poll_read=True)
    roles = (
        Role(name="host", publish_params=talks, subscribe_params=hears, permissions=everything),
        Role(name="guest", publish_params=talks, subscribe_params=hears, permissions=nothing, priority=2),
        Role(name="viewer", subscribe_params=hears, permissions=nothing, priority=3),
    )
    return Template(
        id=template_id,
        name=DEFAULT_NAME,
        roles={role.name: role for role in roles},
        created_at=now,
        updated_at=now,
    )
