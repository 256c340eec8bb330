"""What a client is told about the layers that it is sent (signal.md §4.4, `on-track-layer-update`).

Owns: `LayerReport`.

Always holds: no I/O. A client is told when it is sent less than it asked for, and when that is over; not of the layers
that it asked for itself. What it was told is told again only when it changes, or when the client asked anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from callboard.media.apiprotocol import Layer
from callboard.media.contract import LayerUpdate

Key = tuple[str, str]

NAMES: Final[tuple[Layer, ...]] = ("none", "low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Shown:
    """One video as it is sent: what the client asked for (`wanted`), what its link is held to (`cap`, `None`: nothing),
    the simulcast layer that Janus was asked for and the one that it sends (0 the lowest; `None`: unknown)."""

    key: Key
    wanted: Layer
    cap: int | None
    layers: int
    asked: int | None
    sent: int | None


class LayerReport:
    """One subscriber's."""

    def __init__(self) -> None:
        self._told: dict[Key, LayerUpdate] = {}

    def asked(self, key: Key) -> None:
        """The client asked for a layer: it believes to be sent that."""
        self._told.pop(key, None)

    def keep(self, keys: Collection[Key]) -> None:
        """Only these tracks are wanted."""
        self._told = {key: told for key, told in self._told.items() if key in keys}

    def updates(self, videos: Collection[Shown], *, settled: bool) -> list[LayerUpdate]:
        """What the client is to be told now. `settled`: what Janus sends has not changed for a moment, so that a layer
        that is missing is not one that is on its way."""
        found = []
        for video in videos:
            update = _update(video, settled=settled)
            known = self._told.get(video.key)
            lessened = update.subscriber_degraded or update.publisher_degraded
            if update == known or (known is None and not lessened):
                continue
            if lessened:
                self._told[video.key] = update
            else:
                del self._told[video.key]
            found.append(update)
        return found


def _update(video: Shown, *, settled: bool) -> LayerUpdate:
    capped = video.cap is not None and video.cap < NAMES.index(video.wanted)
    missing = settled and video.sent is not None and video.asked is not None and video.sent < video.asked
    current = NAMES[video.cap] if capped and video.cap is not None else video.wanted
    if missing and video.sent is not None and current != "none":
        current = name_of(video.sent, video.layers)
    return LayerUpdate(video.key[1], current, video.wanted, capped, missing and not capped)


def name_of(substream: int, layers: int) -> Layer:
    """The client's name of a simulcast layer: of two, they are the upper ones (signal.md §5.6)."""
    return NAMES[max(1, min(3, substream + 4 - layers))]


def by_name(updates: Collection[LayerUpdate]) -> Mapping[str, Mapping[str, object]]:
    """The `tracks` of `on-track-layer-update`."""
    return {
        one.track_id: {
            "track_id": one.track_id,
            "current_layer": one.current,
            "expected_layer": one.expected,
            "subscriber_degraded": one.subscriber_degraded,
            "publisher_degraded": one.publisher_degraded,
        }
        for one in updates
    }
