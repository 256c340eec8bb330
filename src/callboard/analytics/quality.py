"""The quality of a peer's connections: what the client measured, and the time series that are shown of it. Pure.

Owns: reading the client's reports `publisher.stats` and `subscriber.stats`, and putting all of them together
(platform.md §3.12, `peer-stats`).

Always holds: what is read has only the fields named here. Instants are milliseconds since the epoch as the client's
clock says, rates bits per second, losses percent of what was sent. What a report leaves out is null.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

MAX_TRACKS: Final = 200
MAX_SAMPLES: Final = 100

Number = float | None
Side = Literal["publisher", "subscriber"]
SIDES: Final[dict[str, Side]] = {"publisher.stats": "publisher", "subscriber.stats": "subscriber"}
RIDS: Final = {"f": "h", "h": "m", "q": "l"}
"""The client's names of simulcast layers, and those that are shown: high, medium, low."""


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One window of some seconds; `timestamp` is its end."""

    timestamp: Annotated[float, Meta(ge=0, lt=1e14)]
    avg_bitrate_bps: Number = None
    avg_fps: Number = None
    avg_frames_decoded_per_sec: Number = None
    avg_round_trip_time_ms: Number = None
    avg_jitter_ms: Number = None
    total_packets_sent: Number = None
    total_packets_received: Number = None
    total_packets_lost: Number = None
    audio_concealed_samples: Number = None
    freeze_count: Number = None


class TrackStats(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The samples of one track, or of one layer of it."""

    track_id: Annotated[str, Meta(max_length=128)]
    source: Annotated[str, Meta(max_length=64)] = "regular"
    rid: Annotated[str, Meta(max_length=16)] | None = None
    samples: Annotated[tuple[Sample, ...], Meta(max_length=MAX_SAMPLES)] = ()


class Report(Struct, frozen=True, kw_only=True):
    """What a client reports at one time."""

    video: Annotated[tuple[TrackStats, ...], Meta(max_length=MAX_TRACKS)] = ()
    audio: Annotated[tuple[TrackStats, ...], Meta(max_length=MAX_TRACKS)] = ()


class Kept(Struct, frozen=True, kw_only=True):
    """A report as it is stored."""

    side: Side
    report: Report


class Series(Struct, frozen=True, kw_only=True):
    """What is shown of a track: lists of the same length, one entry for each sample. Which ones there are depends on
    side and kind."""

    track_id: str
    time_series: dict[str, list[Number]]


class VideoSeries(Series, frozen=True, kw_only=True):
    """As `Series`; `type` is `regular` or `screen`."""

    type: str


class LayerSeries(VideoSeries, frozen=True, kw_only=True):
    """As `VideoSeries`; `rid` is the simulcast layer (h, m, l), null without simulcast."""

    rid: str | None


def reported(name: str, info: object) -> Kept | None:
    """The report in what a client sent under this name; None when it is none that can be kept."""
    if name not in SIDES:
        return None
    try:
        return Kept(side=SIDES[name], report=msgspec.convert(info, Report))
    except msgspec.ValidationError:
        return None


def document(kept: Kept) -> str:
    """The report as it is stored."""
    return msgspec.json.encode(kept).decode()


def series(documents: Iterable[str]) -> dict[str, dict[str, list[Any]]]:
    """`publisher` and `subscriber`, each with `video` and `audio`, out of all reports of a peer."""
    found: dict[tuple[Side, str], dict[tuple[str, str | None], list[TrackStats]]] = {}
    for text in documents:
        kept = msgspec.json.decode(text, type=Kept)
        for kind in ("video", "audio"):
            tracks = found.setdefault((kept.side, kind), {})
            for track in getattr(kept.report, kind):
                tracks.setdefault((track.track_id, track.rid), []).append(track)
    return {
        side: {
            kind: [_series(side, kind, parts) for parts in found.get((side, kind), {}).values()]
            for kind in ("video", "audio")
        }
        for side in ("publisher", "subscriber")
    }


def _lost(done: Callable[[Sample], Number]) -> Callable[[Sample], Number]:
    """Percent lost of what was sent, where `done` is what was sent, or (with what was lost) arrived."""

    def percent(sample: Sample) -> Number:
        lost, whole = sample.total_packets_lost, done(sample)
        return round(100 * lost / whole, 3) if lost is not None and whole else None

    return percent


def _arrived(sample: Sample) -> Number:
    received, lost = sample.total_packets_received, sample.total_packets_lost
    return received + lost if received is not None and lost is not None else None


_SHOWN: Final[dict[tuple[Side, str], dict[str, Callable[[Sample], Number]]]] = {
    ("publisher", "video"): {
        "bitrate": lambda one: one.avg_bitrate_bps,
        "fps": lambda one: one.avg_fps,
        "packet_loss_percent": _lost(lambda one: one.total_packets_sent),
        "rtt_ms": lambda one: one.avg_round_trip_time_ms,
    },
    ("publisher", "audio"): {
        "bitrate": lambda one: one.avg_bitrate_bps,
        "packet_loss_percent": _lost(lambda one: one.total_packets_sent),
        "rtt_ms": lambda one: one.avg_round_trip_time_ms,
        "jitter_ms": lambda one: one.avg_jitter_ms,
    },
    ("subscriber", "video"): {
        "bitrate": lambda one: one.avg_bitrate_bps,
        "fps": lambda one: one.avg_frames_decoded_per_sec,
        "freeze_count": lambda one: one.freeze_count,
    },
    ("subscriber", "audio"): {
        "bitrate": lambda one: one.avg_bitrate_bps,
        "concealed_samples": lambda one: one.audio_concealed_samples,
        "packet_loss_percent": _lost(_arrived),
    },
}


def _series(side: Side, kind: str, parts: list[TrackStats]) -> Series:
    """The series of one track (or layer) out of all that was reported of it, in the order of time."""
    samples = sorted((sample for part in parts for sample in part.samples), key=lambda one: one.timestamp)
    shown: dict[str, list[Number]] = {"timestamps": [int(one.timestamp) for one in samples]}
    shown |= {name: [value(one) for one in samples] for name, value in _SHOWN[side, kind].items()}
    first = parts[0]
    if kind == "audio":
        return Series(track_id=first.track_id, time_series=shown)
    source = "screen" if first.source == "screen" else "regular"
    if side == "subscriber":
        return VideoSeries(track_id=first.track_id, time_series=shown, type=source)
    rid = RIDS.get(first.rid or "")
    return LayerSeries(track_id=first.track_id, time_series=shown, type=source, rid=rid)
