"""A link that loses packets, with the real Janus: it is measured, less is sent on it, and all of it again after."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from callboard.demo.internals import on_key_wanted
from callboard.media import DegradePolicy, LayerUpdate, MediaSettings, Subscription
from callboard.media.testing import DirectPeer, running_engine
from callboard.testing.badlink import BadLink, usable

PORTS = (21_000, 21_499)

pytestmark = [pytest.mark.media, pytest.mark.skipif(bool(usable()), reason=usable())]


async def sent(peer: DirectPeer, track: Subscription) -> int:
    """Packets of a track that Janus has sent to the peer."""
    flows = await peer.media._subscriber._feeds.flows()
    assert flows is not None
    return flows[str(peer.mid_of(track.track_id))].packets


async def until_sent(peer: DirectPeer, track: Subscription, more: int = 20) -> None:
    """Janus sends the peer `more` packets of a track. (aiortc does not ask for a key picture when it needs one, so
    decoded frames say more about aiortc than about what is sent.)"""
    async with asyncio.timeout(30):
        before = await sent(peer, track)
        while await sent(peer, track) < before + more:
            await asyncio.sleep(0.05)


async def test_a_bad_link_is_measured_pictures_are_held_back_and_given_back() -> None:
    async with running_engine(MediaSettings(port_range=PORTS, link_interval=1.0)) as engine:
        ann, ben = DirectPeer(engine, "room", "ann"), DirectPeer(engine, "room", "ben")
        await ann.join()
        await ben.join()
        await ben.publish("audio", "video")
        audio, video = ben.subscription("audio"), ben.subscription("video")
        ann.media.want([audio, video], DegradePolicy(loss=30, degrade_after=1, recover_after=1))
        await ann.until_received(video)
        await ann.until(lambda: 5 in ann.scores)
        assert ann.layers == []
        with BadLink(PORTS) as link:
            link.lose(60)
            await ann.until(lambda: ann.layers)
            assert ann.layers == [LayerUpdate(video.track_id, "none", "high", subscriber_degraded=True)]
            assert min(ann.scores) <= 1
            assert engine.counters.links_degraded == 1
            link.mend()
            await ann.until_received(audio)
            await ann.until(lambda: len(ann.layers) > 1)
        assert ann.layers[1:] == [LayerUpdate(video.track_id, "high", "high")]
        assert engine.counters.links_restored == 1
        await until_sent(ann, video)
        await ann.close()
        await ben.close()


async def test_a_captured_picture_begins_anew_after_a_time_without_network(tmp_path: Path) -> None:
    async with running_engine(MediaSettings(port_range=PORTS)) as engine:
        ben = DirectPeer(engine, "room", "ben", capture=str(tmp_path / "ben"))
        await ben.join()
        await ben.publish("video")
        asked: asyncio.Queue[float] = asyncio.Queue()
        (sender,) = ben._publish.getSenders()
        on_key_wanted(sender, lambda: asked.put_nowait(time.monotonic()))
        await asyncio.wait_for(asked.get(), 30)  # at its beginning
        with BadLink(PORTS) as link:
            link.cut()
            async with asyncio.timeout(30):
                while not ben.media._publisher._watch.busy():  # Janus tells of two seconds without a packet
                    await asyncio.sleep(0.05)
            while not asked.empty():
                asked.get_nowait()
            link.mend()
            await asyncio.wait_for(asked.get(), 5)  # the next regular one is later: ten seconds after the first
        await ben.close()


async def test_on_demand_a_video_has_a_section_only_while_it_is_asked_for() -> None:
    async with running_engine() as engine:
        ann, ben = DirectPeer(engine, "room", "ann", on_demand=True), DirectPeer(engine, "room", "ben")
        await ann.join()
        await ben.join()
        await ben.publish("audio", "video")
        audio, video = ben.subscription("audio"), ben.subscription("video")
        ann.media.want([audio, video])
        await ann.until_received(audio)
        assert ann.mid_of(video.track_id) is None
        for _ in range(2):
            await ann.request("prefer-video-track-state", track_id=video.track_id, max_spatial_layer="high")
            await ann.until(lambda: ann.mid_of(video.track_id) is not None)
            await until_sent(ann, video)
            await ann.request("prefer-video-track-state", track_id=video.track_id, max_spatial_layer="none")
            await ann.until(lambda: ann.mid_of(video.track_id) is None)
        await ann.until_received(audio)
        await ann.close()
        await ben.close()
