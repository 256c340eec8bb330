"""Clients that send what they should not: they get an error, and nobody else notices."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection

from callboard.media import (
    TARGET_PUBLISH,
    TARGET_SUBSCRIBE,
    MediaEngine,
    MediaError,
    MediaSettings,
    OfferRefused,
    PublishedTrack,
    Subscription,
)
from callboard.media.room import Published
from callboard.media.testing import ColouredVideo, DirectPeer, running_engine
from callboard.media.videoroom import Source

pytestmark = [pytest.mark.media, pytest.mark.timeout(120)]


@pytest.fixture
async def engine() -> AsyncIterator[MediaEngine]:
    async with running_engine() as engine:
        yield engine
        assert engine.counters.engine_losses == 0, "a client brought Janus down"


@pytest.fixture
async def bystanders(engine: MediaEngine) -> AsyncIterator[tuple[DirectPeer, DirectPeer]]:
    """Two peers in a call who must not notice anything."""
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        for peer in (anna, ben):
            await peer.join()
            await peer.publish("audio", "video")
        anna.media.want([ben.subscription("video")])
        await anna.until_received(ben.subscription("video"))
        yield anna, ben
        await anna.until_received(ben.subscription("video"))
        assert anna.reports == ben.reports == ["media up"]
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def an_offer() -> str:
    """A good one, with a data channel and a picture."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.createDataChannel("ion-sfu")
    connection.addTrack(ColouredVideo(0))
    await connection.setLocalDescription(await connection.createOffer())
    sdp = connection.localDescription.sdp
    await connection.close()
    return str(sdp)


def damaged(sdp: str, randomness: random.Random) -> str:
    """A few lines lost, doubled, moved, stretched, or with other characters."""
    lines = sdp.splitlines()
    for _ in range(randomness.randint(1, 4)):
        at = randomness.randrange(len(lines))
        match randomness.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[at])
            case 2:
                lines.insert(randomness.randrange(len(lines)), lines.pop(at))
            case 3:
                lines[at] += "9" * randomness.choice((1, 30, 300, 3000))
            case 4:
                lines[at] = lines[at][: randomness.randrange(len(lines[at]) + 1)]
            case 5:
                place = randomness.randrange(len(lines[at]) + 1)
                lines[at] = (
                    lines[at][:place] + randomness.choice(("%n%s", "\x00", "-1", "é", ":", " ")) + lines[at][place:]
                )
            case 6:
                lines.insert(at, randomness.choice(("a=candidate:x", "a=mid:9", "m=video 0 X 0", "a=setup:", "a=")))
    return "\r\n".join(lines) + "\r\n"


async def channel_of(peer: DirectPeer) -> None:
    """Wait until the first negotiation is over."""
    await peer.until(lambda: peer.channel is not None)


async def test_damaged_offers_are_answered_or_refused(
    engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]
) -> None:
    good, randomness = await an_offer(), random.Random(20261124)
    refused = answered = 0
    for number in range(120):
        peer = await engine.open_peer("room", f"mallory-{number}", bystanders[0])
        try:
            await peer.join(damaged(good, randomness))
            answered += 1
        except MediaError:
            refused += 1
        finally:
            await peer.close()
    assert refused > 20
    assert answered > 10


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "hello",
        "v=0\r\n",
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        "v=0\r\n" + "a=x\r\n" * 300_000,
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=text 9 RTP 0\r\na=mid:0\r\n",
    ],
)
async def test_a_hopeless_offer_gets_a_reason(engine: MediaEngine, offer: str) -> None:
    anna = DirectPeer(engine, "room", "anna")
    peer = await engine.open_peer("room", "mallory", anna)
    with pytest.raises(OfferRefused, match=r"\w"):
        await peer.join(offer)
    await peer.close()
    await anna.vanish()


async def test_after_a_refused_offer_a_good_one_is_taken(engine: MediaEngine) -> None:
    anna = DirectPeer(engine, "room", "anna")
    try:
        await anna.join()
        await anna.publish("audio")
        with pytest.raises(OfferRefused):
            await anna.media.publish((await an_offer()).replace("a=mid:0", "a=mid:77"), [])
        await anna.publish("video")
        assert len(anna.tracks) == 2
    finally:
        await anna.close()


async def test_names_that_would_break_the_sdp_of_others_are_refused(
    engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]
) -> None:
    mallory = DirectPeer(engine, "room", "mallory")
    try:
        await mallory.join()
        for name in ("a b", "x\r\na=evil:1", "", "y" * 65, "é"):
            with pytest.raises(OfferRefused, match="id"):
                await mallory.media.publish(await an_offer(), [PublishedTrack(name, "s", "video")])
            with pytest.raises(OfferRefused, match="id"):
                await mallory.media.publish(await an_offer(), [PublishedTrack("t", name, "video")])
    finally:
        await mallory.close()


async def test_damaged_answers_fail_their_own_peer_only(
    engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]
) -> None:
    _, ben = bystanders
    randomness = random.Random(7)
    failed = 0
    for number in range(12):
        mallory = DirectPeer(engine, "room", f"mallory-{number}")
        try:
            await mallory.join()
            await channel_of(mallory)
            mallory.edit_answer = lambda sdp: damaged(sdp, randomness)
            mallory.media.want([ben.subscription("video")])
            before = engine.counters.negotiation_failures + engine.counters.answers_applied
            async with asyncio.timeout(30):
                while engine.counters.negotiation_failures + engine.counters.answers_applied == before:
                    await asyncio.sleep(0.02)
            failed += any(report.startswith("negotiation failed") for report in mallory.reports)
        finally:
            await mallory.close()
    assert failed > 3


async def test_a_failed_answer_can_be_made_good(engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]) -> None:
    _, ben = bystanders
    carl = DirectPeer(engine, "room", "carl")
    try:
        await carl.join()
        await carl.until(lambda: carl.channel is not None)
        carl.edit_answer = lambda sdp: "v=0\r\n"
        carl.media.want([ben.subscription("video")])
        await carl.until(lambda: any(report.startswith("negotiation failed") for report in carl.reports))
        carl.edit_answer = lambda sdp: sdp
        carl.media.resend_offer()
        await carl.until_received(ben.subscription("video"))
    finally:
        await carl.close()


async def test_an_offer_that_is_not_answered_in_time_is_reported_and_kept() -> None:
    async with running_engine(MediaSettings(answer_deadline=2.0)) as engine:
        anna = DirectPeer(engine, "room", "anna")
        anna.answering = False
        try:
            await anna.join()
            await anna.until(lambda: any(report.startswith("negotiation failed") for report in anna.reports))
            anna.answering = True
            anna.media.resend_offer()
            await anna.until(lambda: anna.channel is not None)
        finally:
            await anna.close()


async def test_useless_candidates_are_counted_and_dropped(engine: MediaEngine) -> None:
    anna = DirectPeer(engine, "room", "anna")
    try:
        await anna.join()
        await anna.until(lambda: anna.channel is not None)
        before = engine.counters.candidates_dropped
        junk: list[dict[str, object]] = [
            {},
            {"candidate": None},
            {"candidate": "candidate:1 1 udp 1 127.0.0.1 22 typ host", "sdpMid": "0"},
            {"candidate": "x" * 10_000, "sdpMid": ["0"]},
        ]
        for candidate in junk:
            anna.media.trickle(TARGET_PUBLISH, candidate)
            anna.media.trickle(TARGET_SUBSCRIBE, candidate)
        anna.media.trickle(7, {"candidate": "candidate:1 1 udp 1 192.0.2.77 9999 typ host", "sdpMid": "0"})
        assert engine.counters.candidates_dropped == before + 9
        for _ in range(200):
            good = {"candidate": "candidate:1 1 udp 1 192.0.2.77 9999 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
            anna.media.trickle(TARGET_PUBLISH, good)
        assert engine.counters.candidates_dropped > before + 9, "the queue has a bound"
        assert (await engine.transport_state(anna.media)).publisher.up
    finally:
        await anna.close()


async def test_wanting_what_does_not_exist_harms_nobody(
    engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]
) -> None:
    _, ben = bystanders
    carl = DirectPeer(engine, "room", "carl")
    try:
        await carl.join()
        ghosts = [Subscription("ghost", f"t{number}", "s", "video") for number in range(500)]
        carl.media.want([*ghosts, ben.subscription("video"), Subscription("carl", "own", "s", "audio")])
        await carl.until_received(ben.subscription("video"))
    finally:
        await carl.close()


class Ghost:
    """A member of a room whose track Janus has never heard of."""

    def published(self, track_id: str) -> Published | None:
        return Published(Source("999999", "7"), 1, "ghost", "s", track_id, "video", 1)

    def room_changed(self) -> None:
        pass


async def test_a_feed_that_janus_does_not_know_does_not_keep_the_others_away(
    engine: MediaEngine, bystanders: tuple[DirectPeer, DirectPeer]
) -> None:
    anna, ben = bystanders
    carl = DirectPeer(engine, "room", "carl")
    room, ghost = anna.media._room, Ghost()
    room.enter("ghost", ghost)
    try:
        await carl.join()
        carl.media.want([Subscription("ghost", "t", "s", "video"), ben.subscription("video")])
        await carl.until_received(ben.subscription("video"))
        assert engine.counters.subscribe_retries > 1
        assert engine.counters.negotiation_failures == 0
    finally:
        room.leave("ghost", ghost)
        await carl.close()


async def test_a_client_that_answers_but_cannot_be_reached_is_given_up() -> None:
    settings = MediaSettings(transport_deadline=3.0, confirm_delay=0.1)  # for the good one before, too
    async with running_engine(settings) as engine:
        anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
        try:
            await anna.join()
            await channel_of(anna)
            await ben.join()
            await ben.publish("audio")
            anna.edit_answer = lambda sdp: sdp.replace("a=ice-pwd:", "a=ice-pwd:wrong")
            anna.media.want([ben.subscription("audio")])
            await anna.until(lambda: any(report.startswith("subscriber down") for report in anna.reports))
            assert "did not come up" in anna.reports[-1]
            assert engine.counters.subscriber_losses == 1
        finally:
            await asyncio.gather(anna.close(), ben.close())
