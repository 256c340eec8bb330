"""Sessions that are recorded, for tests: publishers whose media carry marks, and what was delivered of them.

Owns: `Film`, `Cast`, `TALKERS`.

Always holds: a film's file is what the backend gets: downloaded from the signed URL of its event.
"""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callboard.clock import NANOSECONDS, SystemClock
from callboard.demo.peer import Peer
from callboard.demo.seen import Delivered
from callboard.demo.stage import role
from callboard.recording.truth.report import Expected, Gates, Published, Report
from callboard.recording.truth.spans import Span
from callboard.recording.truth.tracks import TruthPublisher
from callboard.recording.truth.verify import verify_file
from callboard.testing.play import Play

TALKERS: Mapping[str, Mapping[str, Any]] = {
    "host": role(allowed=("audio", "video", "screen"), subscribes=(), endRoom=True),
    "guest": role(allowed=("audio", "video", "screen"), subscribes=()),
}
"""Who publish and watch nobody: what is decoded costs no time."""
BOTH = {"trackRecording": {"enabled": True}, "streamRecording": {"enabled": True}}
"""A template's recording settings: tracks and streams."""


@dataclass(frozen=True, slots=True)
class Film:
    """A delivered recording: its event's data, and the file."""

    data: Mapping[str, Any]
    path: Path


class Cast:
    """The publishers of a play. All marks count from one instant."""

    def __init__(self, play: Play, folder: Path) -> None:
        self.play = play
        self.clock = SystemClock()
        self.epoch = self.clock.now() - NANOSECONDS
        self._folder = folder

    def publisher(self, number: int, *, width: int = 320, height: int = 180, rate: int = 15) -> TruthPublisher:
        """A publisher with this number."""
        return TruthPublisher(number, self.clock, self.epoch, width=width, height=height, rate=rate)

    async def film(self, kind: str, within: float = 30.0, **attributes: str) -> Film:
        """The recording of which such an event tells, downloaded."""
        told = await self.play.told(kind, within, **attributes)
        return await self.download(told)

    async def download(self, told: Delivered) -> Film:
        """The file that an event's signed URL leads to."""
        data = told.event.data
        path = self._folder / f"{data['recording_id']}{Path(data['recording_path']).suffix}"
        await asyncio.to_thread(urllib.request.urlretrieve, data["recording_presigned_url"], path)
        assert path.stat().st_size == data["size"]
        return Film(data, path)


async def act(peer: Peer, publisher: TruthPublisher, source: str = "regular") -> Sequence[str]:
    """Publish the publisher's sound and picture; the ids of the tracks."""
    return await peer.publish(publisher.sound, source), await peer.publish(publisher.picture, source)


@contextmanager
def hurried() -> Iterator[None]:
    """What runs in here, and the processes that it starts, go before others of this machine, where that is allowed: a
    publisher who gets no time to publish says nothing about a recording."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, before)


ON_ITS_WAY = 0.1
"""Seconds: what a publisher that leaves has made in the last moment, its sender has not sent any more."""


MOST_PIECES = 10
LEAST = 0.1
"""Seconds: shorter pieces (a busy machine makes some when a track begins) cannot be told from gaps in the recording."""

EDGE = 0.08
"""Seconds: where a busy machine stalls the publisher, what is decoded takes so long until it can be told again (nothing
was lost then: the packets' numbers say so)."""


def measured(film: Film, published: Published, gates: Gates | None = None) -> Report:
    """The file against what was published: in it, in sync, as long, and beginning when it says."""
    starts_at = min(start for start, _ in (*published.picture, *published.sound))
    picture, sound = sure(published.picture), sure(published.sound, EDGE)
    known = Published(published.publisher, picture, sound)
    ends_at = max(end for _, end in (*published.picture, *published.sound)) - ON_ITS_WAY / 2
    expected = Expected(starts_at=starts_at, duration=ends_at - starts_at, published=(known,))
    return verify_file(film.path, expected, gates)


def kept_pace(published: Published) -> bool:
    """Whether the publisher had the time to publish: what stutters on its way in says nothing about a recording."""
    return len(published.sound) + len(published.picture) <= MOST_PIECES


def sure(spans: Sequence[Span], edge: float = 0.0) -> tuple[Span, ...]:
    """The spans without what was on its way when they ended, without what is too short to be found, and without `edge`
    seconds on both sides of each gap."""
    ended = without_end(spans)
    last = len(ended) - 1
    inner = ((start + edge * (number > 0), end - edge * (number < last)) for number, (start, end) in enumerate(ended))
    return tuple((start, end) for start, end in inner if end - start >= LEAST)


def without_end(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The spans without what was on its way when they ended."""
    return (*spans[:-1], (spans[-1][0], spans[-1][1] - ON_ITS_WAY)) if spans else ()
