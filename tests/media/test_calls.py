"""Calls of real WebRTC peers through a real server and Janus: what they see, and what their backend is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.demo.http import HttpError, request_json
from callboard.demo.peer import Peer
from callboard.demo.signal_client import Refused
from callboard.testing.play import play

pytestmark = pytest.mark.media


async def gone(watcher: Peer, watched: Peer) -> None:
    """The one is not in the other's list any more."""
    await watcher.wait_for(lambda: watched.peer_id not in watcher.roster, what=f"{watched.name} gone")


async def test_two_peers_see_and_hear_each_other_and_the_backend_is_told_of_every_coming_and_going(
    tmp_path: Path,
) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ann.publish_audio_video()
        await ben.join()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await stage.frames(ben, ann)
        assert ann.channel_answers > 0, "the API channel answers"
        await ben.leave()
        left = await stage.told("peer.leave.success", user_name="Ben")
        assert left.event.data["reason"] == "client request"
        await ann.wait_for(lambda: ben.peer_id not in ann.roster, what="Ben gone")
        await ann.leave()
        await stage.told("session.close.success")
        await stage.settle()


async def test_no_token_and_no_secret_appears_in_the_servers_log(tmp_path: Path) -> None:
    async with play(tmp_path, settings={"CALLBOARD_LOG__LEVEL": "debug"}) as stage:
        ann = stage.peer("Ann", "host")
        await ann.join()
        await stage.told("peer.join.success", user_name="Ann")
        with pytest.raises(HttpError, match="401"):
            await request_json("GET", f"{stage.server.base_url}/init?peer_id=x", token="not.a.token")
        await ann.leave()
        await stage.told("session.close.success")
        log = stage.server.log_file.read_text().split("Next: callboard listen")[-1]
    assert "callboard" in log, "the log is not empty"
    for secret in (stage.server.secret, "eyJ", "not.a.token", "whsec_"):
        assert secret not in log


async def test_somebody_who_joins_later_takes_the_place_of_somebody_who_left(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann = stage.peer("Ann", "host")
        await ann.join()
        for name in ("Ben", "Cleo", "Dan"):
            guest = stage.peer(name)
            await guest.join()
            await guest.publish_audio_video()
            await stage.frames(ann, guest)
            await guest.leave()
            await gone(ann, guest)
        await ann.leave()
        await stage.told("session.close.success")
        await stage.settle()


async def test_a_muted_track_is_shown_as_muted_and_is_heard_again_after_unmuting(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await ben.mute("audio")
        await ann.wait_for(
            lambda: any(t["mute"] for t in ann.roster[ben.peer_id].tracks.values() if t["type"] == "audio"),
            what="Ben shown as muted",
        )
        await ben.unmute("audio")
        await stage.frames(ann, ben)


async def test_a_viewer_receives_but_may_not_publish(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, viewer = stage.peer("Ann", "host"), stage.peer("Vera", "viewer")
        await ann.join()
        await ann.publish_audio_video()
        await viewer.join()
        await stage.frames(viewer, ann)
        with pytest.raises(Refused) as refused:
            await viewer.publish_audio_video()
        assert refused.value.code == 403
        assert not ann.roster[viewer.peer_id].tracks


async def test_a_peer_whose_role_loses_the_right_to_publish_is_not_received_any_more(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await ann.change_role(ben.peer_id, "viewer")
        await ann.wait_for(lambda: not ann.roster[ben.peer_id].tracks, what="Ben's tracks gone")
        changed = await stage.told("role.change.success", user_name="Ben")
        assert (changed.event.data["previous_role"], changed.event.data["role"]) == ("guest", "viewer")
        await ann.change_role(ben.peer_id, "guest")
        await ben.wait_for(lambda: ben.role == "guest", what="Ben a guest again")
        await ben.publish_audio_video()
        await stage.frames(ann, ben)


async def test_a_peer_that_lost_its_socket_and_comes_back_in_time_has_not_left_and_its_media_go_on(
    tmp_path: Path,
) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ann.publish_audio_video()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await ben.lose_socket()
        await stage.frames(ann, ben)
        await ben.reconnect()
        await stage.frames(ben, ann)
        await stage.frames(ann, ben)
        assert stage.never_told("peer.leave.success")


async def test_a_peer_whose_media_die_while_its_socket_lives_is_given_up_after_the_grace_time(
    tmp_path: Path,
) -> None:
    async with play(tmp_path, grace=3.0) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await ben.lose_media()
        left = await stage.told("peer.leave.success", within=90.0, user_name="Ben")
        assert left.event.data["reason"] == "ice connection state closed"
        assert ben.socket_up or ben.seen("on-error")
        assert stage.never_told("peer.leave.success", user_name="Ann")


async def test_a_peer_that_vanishes_is_given_up_after_the_grace_time(tmp_path: Path) -> None:
    async with play(tmp_path, grace=2.0) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ben.publish_audio_video()
        await ben.vanish()
        left = await stage.told("peer.leave.success", user_name="Ben")
        assert left.event.data["reason"] == "websocket closed"
        await ann.wait_for(lambda: ben.peer_id not in ann.roster, what="Ben gone")
        await ann.leave()
        await stage.told("session.close.success")
        await stage.settle()
