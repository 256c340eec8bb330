"""Where the media of a template's rooms goes besides its peers: browser recordings, RTMP, HLS, transcriptions.

Owns: the shapes that the REST API takes and stores (platform.md §2.2, "destinations"), their defaults and ranges, and
the checks that need more than one field. No I/O. Whoever records or streams reads `Template.destinations`.

Always holds: instances are values. Durations are seconds, sizes pixels, bit rates kilobits per second. HLS layers go
from large to small. A `name` is the key that its destination stands under.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field, structs

from callboard.rooms.shapes import Camel, RoleName, Thumbnails

MAX_STREAM_SECONDS: Final = 43_200
DEFAULT_STREAM_SECONDS: Final = 14_400
DEFAULT_PRESIGN_SECONDS: Final = 86_400
MAX_PRESIGN_SECONDS: Final = 604_800
MAX_RTMP_URLS: Final = 5
RECORDER: Final = "__internal_recorder"
"""The role that a recorder of the server's own has, without being in any template."""

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00]*$", extra={"allowed": "1 to 100 letters"})]
RtmpUrl = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^rtmps?://[^\s\x00]+$(?!\n)",
        extra={"allowed": "rtmp://… or rtmps://… with the server, the application and the stream key"},
    ),
]
Duration = Annotated[int, Meta(ge=0, le=MAX_STREAM_SECONDS)]
Timeout = Annotated[int, Meta(ge=0, le=MAX_STREAM_SECONDS)]
Presign = Annotated[int, Meta(ge=0, le=MAX_PRESIGN_SECONDS)]
Width = Annotated[int, Meta(ge=500, le=1920)]
Height = Annotated[int, Meta(ge=480, le=1920)]


class BrowserRecording(Camel, frozen=True, kw_only=True):
    """A page that is recorded (deprecated: a template's `recordings` say the same)."""

    name: Name
    role: RoleName
    width: Width = 1280
    height: Height = 720
    max_duration: Duration = DEFAULT_STREAM_SECONDS
    thumbnails: Thumbnails = Thumbnails()
    presign_duration: Presign = DEFAULT_PRESIGN_SECONDS
    auto_start: bool = False
    auto_stop_timeout: Timeout = 300


class RtmpOutput(Camel, frozen=True, kw_only=True):
    """A page that is sent to RTMP servers, and maybe recorded."""

    name: Name
    width: Width = 1280
    height: Height = 720
    max_duration: Duration = DEFAULT_STREAM_SECONDS
    rtmp_urls: Annotated[tuple[RtmpUrl, ...], Meta(max_length=MAX_RTMP_URLS)] = ()
    recording_enabled: bool = False
    auto_stop_timeout: Timeout = 300


class HlsLayer(Camel, frozen=True, kw_only=True):
    """One rendition. The smaller side has 144 to 1080 pixels, the larger 192 to 1920; both are even."""

    width: Annotated[int, Meta(ge=144, le=1920, multiple_of=2)]
    height: Annotated[int, Meta(ge=144, le=1920, multiple_of=2)]
    video_bitrate: Annotated[int, Meta(ge=30, le=10_000)] = 1000
    audio_bitrate: Annotated[int, Meta(ge=16, le=320)] = 64


HLS_LAYERS: Final = (
    HlsLayer(width=1280, height=720, video_bitrate=2048),
    HlsLayer(width=960, height=540, video_bitrate=1228),
    HlsLayer(width=852, height=480, video_bitrate=850),
    HlsLayer(width=640, height=360, video_bitrate=500),
)
"""What an HLS destination has that names no layers (platform.md §6.2)."""

Layers = Annotated[tuple[HlsLayer, ...], Meta(max_length=6)]


class HlsRecording(Camel, frozen=True, kw_only=True):
    """What is kept of an HLS stream. `layers` is a part of the stream's, none means all of them."""

    hls_vod: bool = False
    single_file_per_layer: bool = False
    enable_zip_upload: bool = False
    layers: Layers = ()
    thumbnails: Thumbnails = Thumbnails()
    presign_duration: Presign = DEFAULT_PRESIGN_SECONDS


class HlsDestination(Camel, frozen=True, kw_only=True):
    """A page, or what an encoder sends, as HLS. `num_playlist_segments` counts for `live` playlists only."""

    name: Name
    role: RoleName = RECORDER
    max_duration: Duration = DEFAULT_STREAM_SECONDS
    layers: Layers = HLS_LAYERS
    playlist_type: Literal["event", "live"] = "live"
    num_playlist_segments: Annotated[int, Meta(ge=3, le=150)] = 5
    video_frame_rate: Annotated[int, Meta(ge=1, le=60)] = 25
    enable_metadata_insertion: bool = False
    enable_static_url: bool = False
    auto_stop_timeout: Timeout = 300
    recording: HlsRecording | None = None


class SummarySection(Camel, frozen=True, kw_only=True):
    title: Annotated[str, Meta(max_length=100)]
    format: Literal["bullets", "paragraph"] = "bullets"


class Summary(Camel, frozen=True):
    """A summary of a transcript. Without sections it has four: agenda, key points, action items, short summary."""

    enabled: bool = False
    context: Annotated[str, Meta(max_length=300)] = ""
    sections: Annotated[tuple[SummarySection, ...], Meta(max_length=6)] = ()
    temperature: Annotated[float, Meta(ge=0.1, le=1.0)] = 0.5


class Translation(Camel, frozen=True):
    """Captions in another language for some roles."""

    enabled: bool = False
    role_languages: dict[RoleName, Annotated[str, Meta(min_length=2, max_length=16)]] = field(default_factory=dict)


class Transcription(Camel, frozen=True, kw_only=True):
    """What is transcribed, and into what: `recorded` after a recording, `live` in HLS, `caption` in the room."""

    name: Name
    role: RoleName
    modes: tuple[Literal["recorded", "live", "caption"], ...] = ("recorded",)
    output_modes: tuple[Literal["txt", "srt", "json"], ...] = ("txt", "srt", "json")
    custom_vocabulary: Annotated[tuple[Annotated[str, Meta(max_length=100)], ...], Meta(max_length=100)] = ()
    summary: Summary = Summary()
    translation: Translation = field(default_factory=Translation)


class Destinations(Camel, frozen=True, omit_defaults=True):
    """All destinations of a template, by kind and name."""

    browser_recordings: Annotated[dict[Name, BrowserRecording], Meta(max_length=20)] = field(default_factory=dict)
    rtmp_destinations: Annotated[dict[Name, RtmpOutput], Meta(max_length=20)] = field(default_factory=dict)
    hls_destinations: Annotated[dict[Name, HlsDestination], Meta(max_length=20)] = field(default_factory=dict)
    transcriptions: Annotated[dict[Name, Transcription], Meta(max_length=20)] = field(default_factory=dict)


Named = BrowserRecording | RtmpOutput | HlsDestination | Transcription


def each(destinations: Destinations) -> Iterator[tuple[str, str, Named]]:
    """(kind, key, destination) of all, in the words of the wire."""
    for attribute, kind in zip(Destinations.__struct_fields__, Destinations.__struct_encode_fields__, strict=True):
        found: Mapping[str, Named] = getattr(destinations, attribute)
        for key, one in found.items():
            yield kind, key, one


def destination_problems(destinations: Destinations, roles: Sequence[str], *, own_bucket: bool) -> Iterator[str]:
    """What is wrong with them in a template with these roles; `own_bucket`: it names a bucket to upload to."""
    for kind, key, one in each(destinations):
        place = f"destinations.{kind}.{key}"
        if one.name != key:
            yield f"{place}.name: must be {key}, the key it stands under"
        role = getattr(one, "role", RECORDER)
        if role not in (RECORDER, *roles):
            yield f"{place}.role: {no_role(role)}"
        if isinstance(one, BrowserRecording | RtmpOutput):
            yield from resolution_problems(place, one.width, one.height)
        if isinstance(one, HlsDestination):
            yield from _hls_problems(place, one, own_bucket=own_bucket)


def no_role(role: str) -> str:
    """What to say of a role that is not there."""
    return f"must be a role of this template; {role} is none"


def resolution_problems(place: str, width: int, height: int) -> Iterator[str]:
    """Whether a page of this size can be recorded or streamed (platform.md §6.1)."""
    if min(width, height) > 1080:
        yield f"{place}: width and height must be at most 1920x1080, or 1080x1920"


def _hls_problems(place: str, one: HlsDestination, *, own_bucket: bool) -> Iterator[str]:
    yield from _layer_problems(f"{place}.layers", one.layers)
    if one.recording is None:
        return
    yield from _layer_problems(f"{place}.recording.layers", one.recording.layers)
    sizes = {(layer.width, layer.height) for layer in one.layers}
    for index, layer in enumerate(one.recording.layers):
        if (layer.width, layer.height) not in sizes:
            yield f"{place}.recording.layers[{index}]: must be one of the destination's layers"
    if one.recording.enable_zip_upload and not own_bucket:
        yield f"{place}.recording.enableZipUpload: needs a bucket of your own (settings.recording.upload)"


def _layer_problems(place: str, layers: Sequence[HlsLayer]) -> Iterator[str]:
    for index, layer in enumerate(layers):
        if min(layer.width, layer.height) > 1080 or max(layer.width, layer.height) < 192:
            yield f"{place}[{index}]: the smaller side must be 144 to 1080 pixels, the larger 192 to 1920"
    sizes = [layer.width * layer.height for layer in layers]
    rates = [layer.video_bitrate for layer in layers]
    if sizes != sorted(sizes, reverse=True) or rates != sorted(rates, reverse=True):
        yield f"{place}: must go from large to small, in size and video bit rate"


def with_role_renamed(part: Any, old: str, new: str) -> Any:
    """A destination or recording with the role's new name where it named the old one."""
    return structs.replace(part, role=new) if getattr(part, "role", None) == old else part
