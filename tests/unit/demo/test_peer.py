"""The peer against a real server: what a participant does, seen by another participant."""

from __future__ import annotations

import base64
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.demo import Peer, Refused
from callboard.demo.inbox import Inbox
from callboard.demo.media_tracks import MovingPicture, Tone
from callboard.demo.server import ServerProcess
from callboard.demo.stage import ROLES, RunningServer, Stage, role

pytestmark = pytest.mark.media

ROLES_HERE = {**ROLES, "audience": role(subscribes=())}
SECRET = "whsec_" + base64.b64encode(b"the peer tests' endpoint secret.").decode()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    process = ServerProcess(tmp_path)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def stage(server: ServerProcess) -> AsyncIterator[Stage]:
    keys = RunningServer(server.base_url, server.access_key, server.secret)
    async with (
        Inbox(SECRET) as inbox,
        Stage(keys, inbox, SECRET, clock=SystemClock(), ids=RandomIds(), roles=ROLES_HERE) as stage,
    ):
        yield stage


async def joined(stage: Stage, name: str, role: str = "guest") -> Peer:
    peer = stage.peer(name, role)
    await peer.join()
    return peer


async def watches(watcher: Peer, track_id: str, frames: int = 15) -> None:
    """More frames of the track are decoded than there were."""
    wanted = watcher.frames_decoded(track_id) + frames
    await watcher.wait_for(lambda: watcher.frames_decoded(track_id) >= wanted, 30, f"frames of {track_id}")


async def test_a_muted_picture_is_no_longer_sent_and_comes_back(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    picture = await ann.publish(MovingPicture)
    await watches(ben, picture)
    answers = ben.channel_answers
    await ann.mute("video")
    await ben.wait_for(lambda: ben.roster.is_muted(picture), what="muted in the roster")
    await ben.wait_for(lambda: ben.channel_answers > answers, what="the picture declined")
    await ann.unmute("video")
    await ben.wait_for(lambda: not ben.roster.is_muted(picture), what="unmuted in the roster")
    await watches(ben, picture)


async def test_a_tone_published_muted_is_heard_once_it_is_unmuted(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    tone = await ann.publish(Tone, muted=True)
    await ben.wait_for(lambda: ben.roster.is_muted(tone), what="muted in the roster")
    await ann.unmute("audio")
    await watches(ben, tone, 50)


async def test_the_sections_of_one_who_left_are_used_again_for_one_who_comes(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    await ben.publish_audio_video()
    await ann.wait_for(lambda: ann.frames_from(ben.peer_id) > 15, 30, "Ben")
    await ben.leave()
    await ann.wait_for(lambda: ben.peer_id not in ann.roster, what="Ben gone")
    cleo = await joined(stage, "Cleo")
    await cleo.publish_audio_video()
    await ann.wait_for(
        lambda: ann.frames_from(cleo.peer_id) > 15 and ann.frames_from(cleo.peer_id, "audio") > 25, 30, "Cleo"
    )


async def test_a_track_that_was_unpublished_is_gone_and_another_can_be_published(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    first = await ann.publish(MovingPicture)
    await watches(ben, first)
    await ann.unpublish(first)
    await ben.wait_for(lambda: not ben.roster[ann.peer_id].tracks, what="the track gone")
    await watches(ben, await ann.publish(MovingPicture))


async def test_a_peer_that_is_asked_to_take_a_role_takes_it_when_it_agrees(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben", "viewer")
    await ann.change_role(ben.peer_id, "guest", force=False)
    await ben.wait_for(lambda: ben.seen("on-role-change-request"), what="asked")
    assert ben.role == "viewer"
    await ben.accept_role()
    await ben.wait_for(lambda: ben.role == "guest", what="a guest")
    await watches(ann, await ben.publish(MovingPicture))


async def test_a_role_without_media_joins_without_any_and_gets_them_with_another_role(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben", "audience")
    picture = await ann.publish(MovingPicture)
    assert not ben.has_media
    await ann.change_role(ben.peer_id, "guest")
    await ben.wait_for(lambda: ben.media_up, 30, "media")
    await watches(ben, picture)
    await watches(ann, await ben.publish(MovingPicture))


async def test_what_a_role_may_not_do_is_refused(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    for refused in (ben.remove(ann.peer_id, "no"), ben.end_room("no"), ben.change_role(ann.peer_id, "viewer")):
        with pytest.raises(Refused) as refusal:
            await refused
        assert refusal.value.code == 403


async def test_two_come_back_after_their_sockets_were_lost_and_go_on(stage: Stage) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    picture = await ann.publish(MovingPicture)
    await watches(ben, picture)
    for peer in (ann, ben):
        await peer.lose_socket()
        assert not peer.socket_up
        await peer.reconnect()
        assert peer.socket_up
    await watches(ben, picture)
    await ben.wait_for(lambda: list(ben.roster[ann.peer_id].tracks) == [picture], what="the same track")
    await watches(ann, await ben.publish(MovingPicture))
    assert not stage.inbox.has("peer.leave.success")


async def test_the_media_are_built_anew_when_the_engine_dies(stage: Stage, server: ServerProcess) -> None:
    ann, ben = await joined(stage, "Ann", "host"), await joined(stage, "Ben")
    old = await ann.publish(MovingPicture)
    await watches(ben, old)
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    (engine,) = [pid for pid in map(int, children) if Path(f"/proc/{pid}/comm").read_text() == "janus\n"]
    os.kill(engine, signal.SIGKILL)
    await ann.wait_for(lambda: ann.published and old not in ann.published, 30, "published under a new id")
    (new,) = ann.published
    await watches(ben, new)
    assert not stage.inbox.has("peer.leave.success")
