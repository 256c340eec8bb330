"""SIGKILL in the middle of calls: the call goes on, the ledger stays true, everything that opened closes."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from callboard.testing.play import play

pytestmark = [pytest.mark.faults, pytest.mark.media]


def janus_of(server_pid: int) -> int:
    """The process id of the server's Janus. Raises `LookupError`."""
    children = Path(f"/proc/{server_pid}/task/{server_pid}/children").read_text().split()
    for child in children:
        if "janus" in Path(f"/proc/{child}/comm").read_text():
            return int(child)
    raise LookupError(f"no janus among {children}")


async def test_janus_is_killed_in_a_call_and_the_call_goes_on_and_nobody_has_left(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await ann.publish_audio_video()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        os.kill(janus_of(stage.server.pid), signal.SIGKILL)
        await ann.wait_for(lambda: ann.seen("node-info"), 60.0, "Ann was named the new node")
        await stage.frames(ann, ben)
        await stage.frames(ben, ann)
        assert stage.never_told("peer.leave.success")
        await ben.leave()
        await ann.leave()
        await stage.told("session.close.success")
        await stage.settle()


async def test_the_server_is_killed_in_a_call_who_comes_back_stays_and_who_does_not_was_removed_by_the_server(
    tmp_path: Path,
) -> None:
    async with play(tmp_path, grace=8.0) as stage:
        ann, ben, cleo = stage.peer("Ann", "host"), stage.peer("Ben"), stage.peer("Cleo")
        for peer in (ann, ben, cleo):
            await peer.join()
        await ann.publish_audio_video()
        await ben.publish_audio_video()
        await stage.frames(ann, ben)
        await stage.server.kill()
        await cleo.vanish()
        await stage.server.start()
        await asyncio.gather(ann.reconnect(), ben.reconnect())  # within the grace time, both
        await stage.frames(ann, ben)
        await stage.frames(ben, ann)
        left = await stage.told("peer.leave.success", user_name="Cleo")
        assert left.event.data["reason"] == "server removed peer"
        assert stage.never_told("peer.leave.success", user_name="Ann")
        assert stage.never_told("peer.leave.success", user_name="Ben")
        await ben.leave()
        await ann.leave()
        await stage.told("session.close.success")
        await stage.settle()


async def test_a_server_killed_with_everybody_in_it_closes_the_session_after_its_restart(tmp_path: Path) -> None:
    async with play(tmp_path, grace=2.0) as stage:
        ann, ben = stage.peer("Ann", "host"), stage.peer("Ben")
        await ann.join()
        await ben.join()
        await stage.told("peer.join.success", user_name="Ben")
        await stage.server.kill()
        await ann.vanish()
        await ben.vanish()
        await stage.server.start()
        closed = await stage.told("session.close.success")
        assert closed.event.seq == 6
        await stage.settle()


async def test_what_was_committed_while_the_receiver_was_down_arrives_in_order_after_the_server_was_killed_too(
    tmp_path: Path,
) -> None:
    async with play(tmp_path, grace=2.0) as stage:
        ann = stage.peer("Ann", "host")
        await ann.join()
        await stage.told("peer.join.success", user_name="Ann")
        await stage.inbox.go_down()
        guests = [stage.peer(f"Guest {n}") for n in range(3)]
        for guest in guests:
            await guest.join()
        for guest in guests:
            await guest.leave()
        await asyncio.sleep(0)
        await stage.server.kill()
        await ann.vanish()
        await stage.server.start()
        await stage.inbox.come_back()
        await stage.told("session.close.success", within=60.0)
        await stage.settle()
        received = [one.event.seq for one in stage.inbox.first_arrivals]
        assert received == sorted(received)


async def test_a_receiver_that_fails_now_and_then_still_gets_everything_in_order(tmp_path: Path) -> None:
    settings = {"CALLBOARD_WEBHOOKS__QUICK_RETRY_SECONDS": "[0.05, 0.1, 0.2]"}
    async with play(tmp_path, settings=settings) as stage:
        stage.inbox.fail_every(3)
        ann = stage.peer("Ann", "host")
        await ann.join()
        for n in range(4):
            guest = stage.peer(f"Guest {n}")
            await guest.join()
            await guest.leave()
        await ann.leave()
        await stage.told("session.close.success", within=60.0)
        await stage.settle()
