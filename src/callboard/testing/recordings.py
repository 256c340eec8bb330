"""Sessions that are recorded, for tests: publishers whose media carry marks, and what was delivered of them.

Owns: `Film`, `Cast`, `TALKERS`.

Always holds: a film's file is what the backend gets: downloaded from the signed URL of its event.
"""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callboard.clock import NANOSECONDS, SystemClock
from callboard.demo.peer import Peer
from callboard.demo.seen import Delivered
from callboard.demo.stage import role
from callboard.recording.truth.coding import PictureCodec
from callboard.recording.truth.report import Expected, Gates, Published, Report
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

    def publisher(
        self, number: int, *, width: int = 320, height: int = 180, rate: int = 15, codec: PictureCodec = "vp8"
    ) -> TruthPublisher:
        """A publisher with this number."""
        return TruthPublisher(number, self.clock, self.epoch, width=width, height=height, rate=rate, codec=codec)

    async def film(self, kind: str, within: float = 60.0, **attributes: str) -> Film:
        """The recording of which such an event tells, downloaded."""
        told = await self.play.told(kind, within, **attributes)
        return await self.download(told)

    async def download(self, told: Delivered) -> Film:
        """The file that an event's signed URL leads to."""
        data = told.event.data
        path = self._folder / f"{told.event.id}{Path(data['recording_path']).suffix}"
        await asyncio.to_thread(urllib.request.urlretrieve, data["recording_presigned_url"], path)
        assert path.stat().st_size == data["size"]
        return Film(data, path)


async def act(peer: Peer, publisher: TruthPublisher, source: str = "regular") -> Sequence[str]:
    """Publish the publisher's sound and picture; the ids of the tracks."""
    return await peer.publish(publisher.sound, source), await peer.publish(publisher.picture, source)


async def exit_stage(peer: Peer, *publishers: TruthPublisher) -> None:
    """The peer leaves, and what it published is exactly what its publishers tell: they fall silent first."""
    await asyncio.gather(*(publisher.cut() for publisher in publishers))
    await peer.leave()


def measured(film: Film, published: Published, gates: Gates | None = None) -> Report:
    """The file against what was published: in it, in sync, as long, and beginning when it says."""
    spans = (*published.picture, *published.sound)
    starts_at, ends_at = min(start for start, _ in spans), max(end for _, end in spans)
    expected = Expected(starts_at=starts_at, duration=ends_at - starts_at, published=(published,))
    return verify_file(film.path, expected, gates)
