"""Composed recordings of real calls: two people through Janus, what they said in the chat, what the backend is told."""

from __future__ import annotations

import asyncio
import csv
import urllib.request
from pathlib import Path

import pytest

from callboard.events import timestamps
from callboard.recording.truth.report import Expected
from callboard.recording.truth.text import as_text
from callboard.recording.truth.verify import verify_file
from callboard.testing.play import play
from callboard.testing.recordings import TALKERS, Cast, act, exit_stage

pytestmark = pytest.mark.media

COMPOSED = {"compositeRecording": {"customComposite": {"enabled": True, "width": 640, "height": 360}}}


async def test_a_call_of_two_is_composed_with_its_chat_and_told_of(tmp_path: Path) -> None:
    async with play(tmp_path, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **COMPOSED)
        cast = Cast(stage, tmp_path)
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben", "guest")
        first, second = cast.publisher(1), cast.publisher(2)
        await ann.join()
        opened = await stage.told("session.open.success")
        await act(ann, first)
        await ben.join()
        await act(ben, second)
        await ann.call("broadcast", {"info": {"message": 'Hello, "all"', "type": "chat"}})
        await ben.call("broadcast", {"info": {"message": "only you", "type": "chat"}, "peer_id": ann.peer_id})
        await ben.call("broadcast", {"info": {"message": "hosts", "type": "chat"}, "roles": ["host"]})
        await asyncio.sleep(4.0)
        await exit_stage(ben, second)
        await exit_stage(ann, first)
        closed = await stage.told("session.close.success")
        told = await stage.told("recording.success", 60.0)
        data = told.event.data
        for name in ("session_id", "session_started_at", "session_stopped_at", "room_name"):
            assert data[name] == closed.event.data[name]
        assert data["location"] == data["recording_path"]
        assert data["URL"] == data["recording_presigned_url"]
        film, chat = tmp_path / "film.mp4", tmp_path / "chat.csv"
        for url, path in ((data["recording_presigned_url"], film), (data["chat_recording_presigned_url"], chat)):
            await asyncio.to_thread(urllib.request.urlretrieve, url, path)
        assert film.stat().st_size == data["size"]
        started = timestamps.parse(opened.event.data["session_started_at"])
        everybody = (first.published(), second.published())
        expected = Expected(starts_at=(started - cast.epoch) / 1e9, published=everybody)
        gates = max(first.gates(), second.gates(), key=lambda gates: gates.skew_p95_ms)
        report = await asyncio.to_thread(verify_file, film, expected, gates)
        assert report.failures == [], as_text(report)
        # The last picture and the last packet of sound last on: what is decoded is a little longer than the session.
        assert int(report.duration.decoded - 0.1) <= data["duration"] <= int(report.duration.decoded)
        head, *said = csv.reader(chat.read_text(encoding="utf-8").splitlines())
        assert ",".join(head) == "SenderPeerID,SenderName,SenderUserID,Roles,SentAt,Type,Message"
        assert [(line[0], line[1], line[3], line[5], line[6]) for line in said] == [
            (ann.peer_id, "Ann", "[]", "chat", 'Hello, "all"'),
            (ben.peer_id, "Ben", '["host"]', "chat", "hosts"),
        ]
        await stage.settle()
