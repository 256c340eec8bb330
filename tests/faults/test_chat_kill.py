"""The chat of a recorded session outlives the server's being killed: what anybody got is in the file."""

from __future__ import annotations

import asyncio
import csv
import urllib.request
from pathlib import Path

import pytest

from callboard.demo.peer import Peer
from callboard.testing.play import play
from callboard.testing.recordings import TALKERS

pytestmark = pytest.mark.faults

COMPOSED = {"compositeRecording": {"customComposite": {"enabled": True, "width": 320, "height": 240}}}
ENOUGH = 40


async def test_messages_that_somebody_got_before_a_sigkill_are_in_the_chat_file(tmp_path: Path) -> None:
    async with play(tmp_path, grace=2.0, roles=TALKERS) as stage:
        await stage.stage.rest.record(stage.stage.template_id, **COMPOSED)
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben", "guest")
        await ann.join()
        await ben.join()
        await ann.publish_audio_video()
        await asyncio.sleep(1.0)  # something to compose
        talking = asyncio.create_task(talk(ann))
        await ben.wait_for(lambda: len(heard(ben)) >= ENOUGH, 60.0, "messages")
        await stage.server.kill()
        talking.cancel()
        await asyncio.wait({talking})
        await ben.wait_for(lambda: not ben.socket_up, 60.0, "the end of what was sent to Ben")
        got = heard(ben)
        await stage.server.start()
        told = await stage.told("recording.success", 60.0)
        path = tmp_path / "chat.csv"
        await asyncio.to_thread(urllib.request.urlretrieve, told.event.data["chat_recording_presigned_url"], path)
        kept = [line[6] for line in csv.reader(path.read_text(encoding="utf-8").splitlines())][1:]
        assert kept[: len(got)] == got
        assert len(kept) <= len(got) + 2  # one that was kept, and not sent on any more


async def talk(peer: Peer) -> None:
    """Say one thing after the other, until the connection is gone."""
    number = 0
    while True:
        await peer.call("broadcast", {"info": {"message": f"message {number}", "type": "chat"}})
        number += 1


def heard(peer: Peer) -> list[str]:
    return [str(params["info"]["message"]) for params in peer.seen("on-broadcast")]
