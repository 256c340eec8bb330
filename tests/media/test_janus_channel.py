"""The API data channel with a real client at its other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from callboard.media import MediaEngine, MediaSettings
from callboard.media.apiprotocol import MAX_REQUEST
from callboard.media.sdp import parse
from callboard.media.testing import DirectPeer, running_engine

pytestmark = [pytest.mark.media, pytest.mark.timeout(120)]


@pytest.fixture
async def engine() -> AsyncIterator[MediaEngine]:
    async with running_engine() as engine:
        yield engine


@pytest.fixture
async def pair(engine: MediaEngine) -> AsyncIterator[tuple[DirectPeer, DirectPeer]]:
    """Anna, who receives the sound and picture of Ben."""
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        await anna.join()
        await ben.join()
        await ben.publish("audio", "video")
        anna.media.want([ben.subscription("audio"), ben.subscription("video")])
        await anna.until_received(ben.subscription("audio"))
        await anna.until_received(ben.subscription("video"))
        yield anna, ben
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def stops(peer: DirectPeer, track_id: str) -> None:
    """Wait until no more frames of a track arrive."""
    async with asyncio.timeout(30):
        while True:
            before = peer.received(track_id)
            await asyncio.sleep(0.5)
            if peer.received(track_id) == before:
                return


async def test_it_opens_before_there_is_any_track(engine: MediaEngine) -> None:
    anna = DirectPeer(engine, "room", "anna")
    try:
        await anna.join()
        await anna.until(lambda: anna.channel is not None)
        assert anna.channel is not None
        assert (anna.channel.label, anna.channel.protocol) == ("ion-sfu", "SCTP")
        assert [section.kind for section in parse(anna.offers[0]).sections] == ["application"]
        assert len(anna.offers) == 1
        reply = await anna.request("prefer-audio-track-state", track_id="nobody's", subscribed=True)
        assert reply["error"]["code"] == 404
        assert (engine.counters.channels_opened, engine.counters.channel_alarms) == (1, 0)
    finally:
        await anna.close()


async def test_sound_stops_when_it_is_not_wanted_and_comes_back(pair: tuple[DirectPeer, DirectPeer]) -> None:
    anna, ben = pair
    audio, video = ben.subscription("audio"), ben.subscription("video")
    reply = await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=False)
    assert reply["result"] == {}
    await stops(anna, audio.track_id)
    await anna.until_received(video)
    await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=True)
    await anna.until_received(audio)
    assert len(anna.offers) == 2, "muting needs no negotiation"


async def test_a_picture_that_is_hidden_stops_and_is_decodable_when_it_comes_back(
    pair: tuple[DirectPeer, DirectPeer],
) -> None:
    anna, ben = pair
    video = ben.subscription("video")
    await anna.request("prefer-video-track-state", track_id=video.track_id, max_spatial_layer="none")
    await stops(anna, video.track_id)
    await anna.request("prefer-video-track-state", track_id=video.track_id, max_spatial_layer="high")
    await anna.until_received(video)


async def test_what_was_said_before_a_track_came_is_kept_for_it(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    try:
        await anna.join()
        await ben.join()
        audio, video = ben.add_track("audio"), ben.add_track("video")
        anna.media.want([ben.subscription("audio"), ben.subscription("video")])
        reply = await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=False)
        assert reply["result"] == {}
        await ben.renegotiate()
        await anna.until_received(ben.subscription("video"))
        await stops(anna, audio.track_id)
        assert anna.mid_of(video.track_id) is not None
        await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=True)
        await anna.until_received(ben.subscription("audio"))
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_a_preference_does_not_stick_to_the_section(engine: MediaEngine) -> None:
    """Ben is muted and leaves; Carl gets Ben's section, and is heard."""
    anna, ben, carl = (DirectPeer(engine, "room", name) for name in ("anna", "ben", "carl"))
    try:
        await anna.join()
        await ben.join()
        await ben.publish("audio")
        anna.media.want([ben.subscription("audio")])
        await anna.until_received(ben.subscription("audio"))
        await anna.request("prefer-audio-track-state", track_id=ben.subscription("audio").track_id, subscribed=False)
        await ben.close()
        anna.media.want([])
        await anna.until(lambda: parse(anna.offers[-1]).sections[1].direction == "inactive")
        await carl.join()
        await carl.publish("audio")
        anna.media.want([carl.subscription("audio")])
        await anna.until_received(carl.subscription("audio"))
        assert len(parse(anna.offers[-1]).sections) == 2
    finally:
        await asyncio.gather(*(peer.close() for peer in (anna, ben, carl)))


async def test_nonsense_on_the_channel_is_ignored_and_requests_still_work(
    pair: tuple[DirectPeer, DirectPeer], engine: MediaEngine
) -> None:
    anna, ben = pair
    assert anna.channel is not None
    for message in ("", "{", '{"id": 1}', "x" * (MAX_REQUEST + 1), b"\xff\x00", '{"method": "x"}'):
        anna.channel.send(message)
    refused = await anna.request("format-disk")
    assert refused["error"]["code"] == 400
    audio = ben.subscription("audio")
    reply = await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=True)
    assert reply["result"] == {}
    assert engine.counters.channel_rejections >= 4


async def test_channels_that_the_client_opens_are_closed(
    pair: tuple[DirectPeer, DirectPeer], engine: MediaEngine
) -> None:
    anna, ben = pair
    foreign = anna.open_channel("mine")
    async with asyncio.timeout(30):
        while foreign.readyState != "closed":
            await asyncio.sleep(0.05)
    audio = ben.subscription("audio")
    assert "result" in await anna.request("prefer-audio-track-state", track_id=audio.track_id, subscribed=True)


async def test_a_client_that_breaks_the_channel_is_reported(
    pair: tuple[DirectPeer, DirectPeer], engine: MediaEngine
) -> None:
    anna, _ = pair
    assert anna.channel is not None
    anna.channel.close()
    await anna.until(lambda: any(report.startswith("subscriber down") for report in anna.reports))
    assert "API channel" in anna.reports[-1]
    assert engine.counters.subscriber_losses == 1


async def test_a_client_that_rejects_the_channel_still_gets_media(engine: MediaEngine) -> None:
    anna, ben = DirectPeer(engine, "room", "anna"), DirectPeer(engine, "room", "ben")
    anna.edit_answer = lambda sdp: sdp.replace("m=application 9", "m=application 0").replace(
        f"m=application {parse(sdp).sections[0].port}", "m=application 0"
    )
    try:
        await anna.join()
        await ben.join()
        await ben.publish("audio")
        anna.media.want([ben.subscription("audio")])
        await anna.until_received(ben.subscription("audio"))
        assert engine.counters.channel_alarms > 0
        assert not (await engine.transport_state(anna.media)).api_channel_open
    finally:
        await asyncio.gather(anna.close(), ben.close())


async def test_an_alarm_is_raised_when_it_does_not_open_in_time() -> None:
    async with running_engine(MediaSettings(channel_deadline=0.3)) as engine:
        anna = DirectPeer(engine, "room", "anna")
        anna.edit_answer = lambda sdp: sdp.replace("a=ice-pwd:", "a=ice-pwd:wrong")
        try:
            await anna.join()
            async with asyncio.timeout(30):
                while engine.counters.channel_alarms == 0:
                    await asyncio.sleep(0.05)
        finally:
            await anna.close()
