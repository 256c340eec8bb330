"""Real WebRTC peers through a real Janus: they see and hear each other, come, go and come back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from callboard.media import MediaEngine, MediaError, MediaLost
from callboard.media.sdp import parse
from callboard.media.testing import DirectPeer, running_engine

pytestmark = [pytest.mark.media, pytest.mark.timeout(120)]

BLUE, GREEN, RED = 0, 1, 2


@pytest.fixture
async def engine() -> AsyncIterator[MediaEngine]:
    async with running_engine() as engine:
        yield engine
        assert await settled_handles(engine) == 1, "a handle was left behind at Janus"


async def settled_handles(engine: MediaEngine) -> int:
    """How many handles Janus has once what is being detached is gone; our control handle is one."""
    async with asyncio.timeout(30):
        while (count := await engine.handles()) > 1:
            await asyncio.sleep(0.05)
    return count


async def test_two_peers_see_and_hear_each_other(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna", BLUE), DirectPeer(engine, "room", "ben", RED)
    try:
        for peer in (anna, ben):
            await peer.join()
            await peer.publish("audio", "video")
        anna.media.want([ben.subscription("audio"), ben.subscription("video")])
        ben.media.want([anna.subscription("audio"), anna.subscription("video")])
        for receiver, sender in ((anna, ben), (ben, anna)):
            await receiver.until_received(sender.subscription("audio"))
            await receiver.until_received(sender.subscription("video"))
        for receiver, sender, colour in ((anna, ben, RED), (ben, anna, BLUE)):
            pictures = receiver.pictures[receiver.mid_of(sender.subscription("video").track_id) or ""]
            assert {seen for seen, _ in pictures} == {colour}
            assert len({brightness // 10 for _, brightness in pictures}) > 5, "the picture does not move"
        state = await engine.transport_state(anna.media)
        assert state.publisher.up
        assert state.publisher.received > 0
        assert state.subscriber is not None
        assert state.subscriber.up
        assert state.api_channel_open
        assert anna.reports == ["media up"]
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_tracks_can_be_wanted_before_they_are_published(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        await anna.join()
        await ben.join()
        track = ben.add_track("video")
        anna.media.want([ben.subscription("video")])
        await anna.until(lambda: anna.channel is not None)
        assert len(anna.offers) == 1
        await ben.renegotiate()
        await anna.until_received(ben.subscription("video"))
        assert anna.mid_of(track.track_id) == "0"
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_who_comes_after_one_left_gets_the_sections_of_the_one_who_left(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben", BLUE)
    carl = DirectPeer(engine, "room", "carl", RED)
    try:
        await anna.join()
        await ben.join()
        await ben.publish("audio", "video")
        anna.media.want([ben.subscription("audio"), ben.subscription("video")])
        await anna.until_received(ben.subscription("video"))
        before = anna.mid_of(ben.subscription("video").track_id)

        await ben.close()
        anna.media.want([])
        await anna.until(lambda: all(s.direction == "inactive" for s in parse(anna.offers[-1]).sections[1:]))
        assert anna.mid_of(ben.subscription("video").track_id) is None

        await carl.join()
        await carl.publish("audio", "video")
        anna.media.want([carl.subscription("audio"), carl.subscription("video")])
        await anna.until_received(carl.subscription("video"))
        after = anna.mid_of(carl.subscription("video").track_id)
        assert after == before
        assert len(parse(anna.offers[-1]).sections) == 3
        assert anna.pictures[after or ""][-1][0] == RED
    finally:
        await asyncio.gather(anna.close(), ben.close(), carl.close())


async def test_a_track_that_is_unpublished_goes_and_its_peer_stays(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        await anna.join()
        await ben.join()
        await ben.publish("audio", "video")
        video, audio = ben.subscription("video"), ben.subscription("audio")
        anna.media.want([audio, video])
        await anna.until_received(video)
        await ben.unpublish(video.track_id)
        await anna.until(lambda: anna.mid_of(video.track_id) is None)
        await anna.until_received(audio)
        assert anna.mid_of(audio.track_id) is not None
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_a_peer_that_is_closed_and_opened_again_is_seen_again(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben", BLUE)
    again = DirectPeer(engine, "room", "ben", GREEN)
    try:
        await anna.join()
        await ben.join()
        await ben.publish("video")
        anna.media.want([ben.subscription("video")])
        await anna.until_received(ben.subscription("video"))
        first_node = ben.media.node_id

        await ben.close()
        await again.join()
        await again.publish("video")
        anna.media.want([again.subscription("video")])
        await anna.until_received(again.subscription("video"))
        assert again.media.node_id != first_node
        assert anna.pictures["0"][-1][0] == GREEN
    finally:
        await asyncio.gather(anna.close(), ben.close(), again.close())


async def test_a_peer_is_open_once_in_a_room_but_may_be_in_another(engine: MediaEngine) -> None:
    anna, other = DirectPeer(engine, "one", "anna"), DirectPeer(engine, "two", "anna")
    try:
        await anna.join()
        with pytest.raises(MediaError, match="open in this room already"):
            await engine.open_peer("one", "anna", other)
        await other.join()
    finally:
        await asyncio.gather(anna.close(), other.close())


async def test_a_closed_peer_says_so_and_closing_again_does_nothing(engine: MediaEngine) -> None:
    anna = DirectPeer(engine, "room", "anna")
    await anna.join()
    await anna.media.close()
    await anna.media.close()
    with pytest.raises(MediaLost, match="closed"):
        anna.media.want([])
    with pytest.raises(MediaLost):
        await anna.media.publish("v=0", [])
    await anna.vanish()


async def test_an_offer_that_nobody_answers_does_not_keep_a_leaving_peer(engine: MediaEngine) -> None:
    anna = DirectPeer(engine, "room", "anna")
    anna.answering = False
    await anna.join()
    await anna.until(lambda: anna.offers)
    async with asyncio.timeout(5):
        await anna.close()
    assert "negotiation failed" not in " ".join(anna.reports)


async def test_rooms_exist_at_janus_while_somebody_is_in_them(engine: MediaEngine) -> None:
    control = (await engine._current()).context.control
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    await anna.join()
    await ben.join()
    name = anna.media._room.name
    assert await control.exists(name)
    assert len(await control.participants(name)) == 2
    await anna.close()
    assert await control.exists(name)
    await ben.close()
    async with asyncio.timeout(30):
        while await control.exists(name):
            await asyncio.sleep(0.02)


async def test_a_publisher_that_vanishes_is_reported_once_janus_confirms_it(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        await anna.join()
        await ben.join()
        await ben.publish("video")
        anna.media.want([ben.subscription("video")])
        await anna.until_received(ben.subscription("video"))
        await ben.vanish()
        async with asyncio.timeout(30):
            while not any(report.startswith("media down") for report in ben.reports):
                await asyncio.sleep(0.05)
        with pytest.raises(MediaLost):
            await ben.media.publish("v=0", [])
        await anna.until(lambda: anna.mid_of(ben.subscription("video").track_id) is None)
        assert engine.counters.publisher_losses == 1
    finally:
        await anna.close()
        await ben.media.close()


async def test_a_peer_who_falls_silent_has_not_lost_its_connection(engine: MediaEngine) -> None:
    """Janus says `receiving: false` after two seconds without a packet: a hint, and here a wrong one."""
    anna = DirectPeer(engine, "room", "anna")
    try:
        await anna.join()
        await anna.publish("video")
        async with asyncio.timeout(30):
            while (await engine.transport_state(anna.media)).publisher.received == 0:
                await asyncio.sleep(0.05)
        anna.pause_video()
        watch = anna.media._publisher._watch
        async with asyncio.timeout(30):
            while not watch.busy():
                await asyncio.sleep(0.02)
            while watch.busy():
                await asyncio.sleep(0.02)
        assert not any(report.startswith("media down") for report in anna.reports)
        assert (await engine.transport_state(anna.media)).publisher.up
    finally:
        await anna.close()


async def test_peers_who_come_and_go_in_any_order_leave_nothing_behind(engine: MediaEngine) -> None:
    order = random.Random(7)
    peers = {f"p{number}": DirectPeer(engine, "room", f"p{number}", number % 3) for number in range(5)}
    present: set[str] = set()

    def wire() -> None:
        for name in present:
            others = [peers[other] for other in sorted(present) if other != name]
            wanted = [peer.subscription(track.kind) for peer in others for track in peer.tracks.values()]
            peers[name].media.want(wanted)

    async def come(name: str) -> None:
        await peers[name].join()
        await peers[name].publish("audio", "video")
        present.add(name)
        wire()

    async def go(name: str) -> None:
        present.discard(name)
        wire()
        await peers[name].close()

    try:
        await asyncio.gather(*(come(name) for name in peers))
        leaving = list(peers)
        order.shuffle(leaving)
        await asyncio.gather(*(go(name) for name in leaving[:3]))
        first, second = leaving[3:]
        await peers[first].until_received(peers[second].subscription("video"))
        await peers[second].until_received(peers[first].subscription("audio"))
    finally:
        await asyncio.gather(*(peer.close() for peer in peers.values()))
    assert await settled_handles(engine) == 1
    assert engine.counters.peers_opened == engine.counters.peers_closed == 5
    assert not any("down" in report or "failed" in report for peer in peers.values() for report in peer.reports)
