"""Track and stream recordings of real calls: delivered, told of, and measured by the marks in picture and sound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callboard.testing.play import play
from callboard.testing.recordings import BOTH, TALKERS, Cast, act, measured

pytestmark = pytest.mark.media


async def test_tracks_and_the_stream_of_a_session_are_delivered_whole_and_in_sync(tmp_path: Path) -> None:
    async with play(tmp_path, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **BOTH)
        cast = Cast(stage, tmp_path)
        ann, sender = stage.peer("Ann", "host"), cast.publisher(1)
        await ann.join()
        sound, picture = await act(ann, sender)
        for track in (sound, picture):
            await stage.told("track.recording.started.success", track_id=track)
        await asyncio.sleep(5.0)
        await ann.leave()
        closed = await stage.told("session.close.success")
        film = await cast.film("stream.recording.success", peer_id=ann.peer_id)
        assert film.data["stream_type"] == "regular"
        assert film.data["session_id"] == closed.event.data["session_id"]
        report = await asyncio.to_thread(measured, film, sender.published())
        assert report.failures == []
        for track, kind in ((sound, "audio"), (picture, "video")):
            alone = await cast.film("track.recording.success", track_id=track)
            assert alone.data["track_type"] == kind
            assert alone.path.suffix == ".webm"
        await stage.settle()
