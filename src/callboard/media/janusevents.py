"""What Janus tells about a handle without being asked, typed.

Owns: `Event` and its kinds, `parse_event`.

Always holds: pure; a message that is not understood is `None`, never an exception. All of these are hints:
Janus may send them late, twice or (with the control socket gone) not at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WebRtcUp:
    """ICE and DTLS are done."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Janus closed the connection: `DTLS alert`, `ICE failed`, `Close PC`, …"""

    reason: str


@dataclass(frozen=True, slots=True)
class Media:
    """Media of `mid` began to arrive, or stopped (two seconds without a packet)."""

    mid: str
    receiving: bool


@dataclass(frozen=True, slots=True)
class Trickle:
    """A candidate of Janus's."""

    candidate: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Detached:
    """The handle is gone."""


@dataclass(frozen=True, slots=True)
class Talking:
    """Sound of `feed` rose above the room's threshold, or fell below it: `loudness` is 1 (as good as silent) to 100, or
    0 for "fell below". Every publisher of a room hears it of every other."""

    feed: str
    mid: str
    loudness: int


@dataclass(frozen=True, slots=True)
class Substream:
    """The simulcast layer (0 the lowest) that a subscriber's section `mid` is sent has changed to this one."""

    mid: str
    layer: int


@dataclass(frozen=True, slots=True)
class PluginEvent:
    """What the plugin says: the VideoRoom's notices."""

    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SlowLink:
    """More packets than the threshold were lost in a second (`slowlink_threshold`)."""

    mid: str


Event = WebRtcUp | Hangup | Media | Trickle | Detached | Talking | Substream | SlowLink | PluginEvent


def parse_event(message: dict[str, Any]) -> Event | None:
    """The event in a message of Janus's API, `None` for those that nobody here needs."""
    event: Event | None = None
    match message:
        case {"janus": "webrtcup"}:
            event = WebRtcUp()
        case {"janus": "hangup"}:
            event = Hangup(str(message.get("reason", "no reason given")))
        case {"janus": "media", "mid": str(mid), "receiving": bool(receiving)}:
            event = Media(mid, receiving)
        case {"janus": "slowlink"}:
            event = SlowLink(str(message.get("mid", "")))
        case {"janus": "trickle", "candidate": {"candidate": str()} as candidate}:
            event = Trickle(candidate)
        case {"janus": "detached"}:
            event = Detached()
        case {"janus": "event", "plugindata": {"data": dict(data)}}:
            event = _plugin_event(data)
        case _:
            pass
    return event


def loudness(dbov: float) -> int:
    """1 to 100 out of a level as RFC 6464 has it: 0 is the loudest, 127 silence (decibels below overload)."""
    return max(1, min(100, round(100 - dbov / 1.27)))


def _plugin_event(data: dict[str, Any]) -> Event:
    match data:
        case {
            "videoroom": "talking",
            "id": str(feed),
            "mid": str(mid),
            "audio-level-dBov-avg": int() | float() as level,
        }:
            return Talking(feed, mid, loudness(level))
        case {"videoroom": "stopped-talking", "id": str(feed), "mid": str(mid)}:
            return Talking(feed, mid, 0)
        case {"videoroom": "event", "mid": str(mid), "substream": int(layer)} if "configured" not in data:
            return Substream(mid, layer)
        case _:
            return PluginEvent(data)
