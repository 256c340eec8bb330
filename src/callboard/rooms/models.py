"""The stored things of a workspace: `Workspace`, `Template` (with its roles), `Room`.

Owns: their shapes, defaults and ranges (platform.md §2.1, §2.2). No I/O and no decisions: what needs more
than one field to judge is in `templates.py` and `rooms.py`.

Always holds: instances are values; nobody changes one in place (the mappings inside are to be read only).
Instants are nanoseconds since the epoch, bit rates kilobits per second, sizes pixels, durations seconds.
Secrets are not in a `repr`. A template and everything in it is camelCase on the wire, a room is snake_case
(platform.md §0.2).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field
from msgspec.structs import force_setattr

from callboard.rooms.destinations import Destinations
from callboard.rooms.shapes import Camel, RoleName, Snake, Thumbnails

Region = Literal["auto", "in", "us", "eu"]
Source = Literal["audio", "video", "screen", "simulcast"]
UploadType = Literal["s3", "gs", "oss", "azure"]
Plugin = Literal["whiteboard", "transcriptions", "noiseCancellation"]
MAX_ROOM_SIZE: Final = 2_500
MAX_LARGE_ROOM_SIZE: Final = 20_000
MIN_DURATION_SECONDS: Final = 120
MAX_DURATION_SECONDS: Final = 43_200


# --- roles ------------------------------------------------------------------------------------------------


class AudioParams(Camel, frozen=True):
    bit_rate: Annotated[int, Meta(ge=16, le=128)] = 32
    codec: Literal["opus"] = "opus"


class VideoParams(Camel, frozen=True):
    bit_rate: Annotated[int, Meta(ge=30, le=2000)] = 256
    codec: Literal["vp8"] = "vp8"
    frame_rate: Annotated[int, Meta(ge=1, le=30)] = 25
    width: Annotated[int, Meta(ge=50, le=1920)] = 320
    height: Annotated[int, Meta(ge=50, le=1080)] = 180


class ScreenParams(Camel, frozen=True):
    bit_rate: Annotated[int, Meta(ge=500)] = 1024
    codec: Literal["vp8"] = "vp8"
    frame_rate: Annotated[int, Meta(ge=1, le=30)] = 10
    width: Annotated[int, Meta(ge=480, le=1920)] = 1280
    height: Annotated[int, Meta(ge=270, le=1080)] = 720


class SimulcastLayer(Camel, frozen=True):
    """One encoding of a simulcast video. `max_bitrate` 0: no cap of its own."""

    rid: Literal["f", "h", "q"]
    scale_resolution_down_by: Annotated[float, Meta(ge=1, le=12)] = 1.0
    max_bitrate: Annotated[int, Meta(ge=0, le=2000)] = 0
    max_framerate: Annotated[int, Meta(ge=1, le=30)] = 30


class SimulcastLayers(Camel, frozen=True):
    """At most three layers, full resolution first: `f`, `h`, `q`, each smaller than the one before."""

    layers: Annotated[tuple[SimulcastLayer, ...], Meta(max_length=3)] = ()


class Simulcast(Camel, frozen=True):
    video: SimulcastLayers = SimulcastLayers()
    screen: SimulcastLayers = SimulcastLayers()


class PublishParams(Camel, frozen=True):
    """What a role may send (`allowed`) and how."""

    allowed: tuple[Source, ...] = ()
    audio: AudioParams = AudioParams()
    video: VideoParams = VideoParams()
    screen: ScreenParams = ScreenParams()
    simulcast: Simulcast = Simulcast()


class SubscribeDegradation(Camel, frozen=True):
    packet_loss_threshold: Annotated[int, Meta(ge=1, le=100)] = 50
    degrade_grace_period_seconds: Annotated[int, Meta(ge=1, le=10)] = 1
    recover_grace_period_seconds: Annotated[int, Meta(ge=1, le=10)] = 4


class SubscribeParams(Camel, frozen=True):
    """Whom a role receives. `subscribe_degradation` is absent from the JSON when it is not set."""

    subscribe_to_roles: tuple[str, ...] = ()
    max_subs_bit_rate: Annotated[int, Meta(ge=0)] = 3200
    subscribe_degradation: SubscribeDegradation | UnsetType = UNSET


class Permissions(Camel, frozen=True):
    """What a role may do to others and to the room. The server enforces every one of them."""

    end_room: bool = False
    remove_others: bool = False
    mute: bool = False
    unmute: bool = False
    change_role: bool = False
    send_room_state: bool = False
    poll_read: bool = False
    poll_write: bool = False
    browser_recording: bool = True
    rtmp_streaming: bool = True
    hls_streaming: bool = True


class RoleBody(Camel, frozen=True):
    """A role without its name.

    `priority` 1 is the highest. `max_peer_count` 0: as many as like; -1: nobody may join with this role.
    """

    publish_params: PublishParams = PublishParams()
    subscribe_params: SubscribeParams = SubscribeParams()
    permissions: Permissions = Permissions()
    priority: Annotated[int, Meta(ge=1, le=5)] = 1
    max_peer_count: Annotated[int, Meta(ge=-1)] = 0


class Role(RoleBody, frozen=True, kw_only=True):
    """A role, as the REST API and the client's policy (signal.md §6.1) show it."""

    name: RoleName


# --- templates --------------------------------------------------------------------------------------------


class Credentials(Camel, frozen=True):
    """Keys of a customer's bucket. Azure: `key` is the storage account's name, `secret_key` its key.

    `secret`, as rooms say, is taken for `secretKey` (platform.md §11.4 D4) and never set afterwards.
    """

    key: str = ""
    secret_key: str = ""
    secret: str | UnsetType = UNSET

    def __post_init__(self) -> None:
        if self.secret is not UNSET:
            force_setattr(self, "secret_key", self.secret)
            force_setattr(self, "secret", UNSET)

    def __repr__(self) -> str:
        return f"Credentials(key={self.key!r}, secret_key=…)"


class UploadOptions(Camel, frozen=True):
    region: str = ""


class Upload(Camel, frozen=True):
    """Where recordings of a template are uploaded to. Azure: `location` is the container."""

    type: UploadType
    location: Annotated[str, Meta(min_length=1, max_length=255)]
    prefix: Annotated[str, Meta(max_length=512)] = ""
    options: UploadOptions = UploadOptions()
    credentials: Credentials = Credentials()


class RecordingSettings(Camel, frozen=True):
    """`enabled` means the SFU recording only (deprecated); `upload` holds for every kind of recording."""

    enabled: bool = False
    upload: Upload | None = None


class RoomState(Camel, frozen=True):
    """Room state for those who have not joined yet (preview): every `message_interval` seconds."""

    enabled: bool = False
    message_interval: Annotated[int, Meta(ge=5, le=3600, multiple_of=5)] = 10
    send_peer_list: bool = False
    stop_room_state_on_join: bool = False


class Settings(Camel, frozen=True):
    region: Region = "auto"
    recording: RecordingSettings | None = None
    room_state: RoomState = RoomState()
    retry: dict[str, Any] = field(default_factory=dict)


class BrowserComposite(Camel, frozen=True):
    enabled: bool = False
    auto_start: bool = False
    auto_stop_timeout: Annotated[int, Meta(ge=0)] = 300
    width: Annotated[int, Meta(ge=0, le=1920)] = 1280
    height: Annotated[int, Meta(ge=0, le=1920)] = 720


class CustomComposite(Camel, frozen=True):
    """The composition of the SFU's own captures ("legacy" in the field's words). Pixels; 0: the server's usual size."""

    enabled: bool = False
    width: Annotated[int, Meta(ge=0, le=1920, multiple_of=2)] = 0
    height: Annotated[int, Meta(ge=0, le=1920, multiple_of=2)] = 0


class CompositeRecording(Camel, frozen=True):
    browser_composite: BrowserComposite = BrowserComposite()
    custom_composite: CustomComposite = CustomComposite()


class TrackRecording(Camel, frozen=True):
    enabled: bool = False


class StreamRecording(Camel, frozen=True):
    enabled: bool = False
    width: Annotated[int, Meta(ge=0, le=1920)] = 0
    height: Annotated[int, Meta(ge=0, le=1920)] = 0


class Recording(Camel, frozen=True):
    """The one element of a template's `recordings`: what is recorded, and as whom the recorder joins."""

    name: Annotated[str, Meta(min_length=1, max_length=100)]
    role: RoleName
    max_duration: Annotated[int, Meta(ge=0, le=MAX_DURATION_SECONDS)] = 14_400
    presign_duration: Annotated[int, Meta(ge=0, le=604_800)] = 86_400
    thumbnails: Thumbnails = Thumbnails()
    composite_recording: CompositeRecording = CompositeRecording()
    track_recording: TrackRecording = TrackRecording()
    stream_recording: StreamRecording = StreamRecording()


class Template(Struct, frozen=True, kw_only=True):
    """A policy: who may do what in the rooms that use it.

    `roles` is keyed by role name and never empty. `plugins` are objects as the REST API takes them
    (platform.md §2.2); whoever uses them reads them with types of its own.
    """

    id: str
    name: str
    roles: dict[str, Role]
    settings: Settings = Settings()
    recordings: tuple[Recording, ...] = ()
    destinations: Destinations = field(default_factory=Destinations)
    plugins: dict[Plugin, Any] = field(default_factory=dict)
    created_at: int
    updated_at: int


# --- rooms ------------------------------------------------------------------------------------------------


class RoomCredentials(Snake, frozen=True):
    """As `Credentials`, but rooms say `secret` where templates say `secretKey` (platform.md §2.2)."""

    key: str = ""
    secret: str = ""
    secret_key: str | UnsetType = field(default=UNSET, name="secretKey")

    def __post_init__(self) -> None:
        if self.secret_key is not UNSET:
            force_setattr(self, "secret", self.secret_key)
            force_setattr(self, "secret_key", UNSET)

    def __repr__(self) -> str:
        return f"RoomCredentials(key={self.key!r}, secret=…)"


class RoomUpload(Snake, frozen=True):
    type: UploadType
    location: Annotated[str, Meta(min_length=1, max_length=255)]
    prefix: Annotated[str, Meta(max_length=512)] = ""
    options: UploadOptions = UploadOptions()
    credentials: RoomCredentials = RoomCredentials()


class RecordingInfo(Snake, frozen=True):
    """A room's own recording settings. `enabled` means the SFU recording only."""

    enabled: bool
    upload_info: RoomUpload | None = None


class RoomWebhook(Snake, frozen=True):
    """Where the room's events go *instead of* to the workspace's endpoints (platform.md §10.1).

    Header values often are the receiver's password, so a `repr` has only their names.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    headers: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"RoomWebhook(headers={sorted(self.headers)})"


class Room(Struct, frozen=True, kw_only=True):
    """A room. It is never deleted; `enabled` false lets a running session go on and nobody in any more.

    `region` "" means the template's, `size` 0 the largest that `large_room` allows, `max_duration_seconds` 0
    the server's limit. `recording_info` None means that the template's recording settings hold, also after
    they change.
    """

    id: str
    name: str
    description: str = ""
    enabled: bool = True
    template_id: str
    region: Region | Literal[""] = ""
    size: int = 0
    large_room: bool = False
    max_duration_seconds: int = 0
    webhook: RoomWebhook | None = None
    recording_info: RecordingInfo | None = None
    polls: tuple[str, ...] = ()
    created_at: int
    updated_at: int


# --- the workspace ----------------------------------------------------------------------------------------


class Workspace(Struct, frozen=True, kw_only=True):
    """The account that everything belongs to. `id` is the customer's; `secret` signs every token (HS256)."""

    id: str
    app_id: str
    access_key: str
    secret: str
    created_at: int

    def __repr__(self) -> str:
        return f"Workspace(id={self.id!r}, app_id={self.app_id!r}, access_key={self.access_key!r}, secret=…)"
