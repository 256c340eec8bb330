"""The two media sides of a peer against plain aiortc connections over UDP, without a server.

What stands for the server here: `Answerer` takes the publish connection, and `Offerer` makes a subscribe
offer in which the channel's section comes from another connection than the media's (janus.md §6).
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiortc import RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from callboard.clock import RandomIds
from callboard.demo.api_channel import ApiChannel, ChannelError
from callboard.demo.internals import follow_ice_restart
from callboard.demo.media_tracks import MovingPicture, Tone
from callboard.demo.publishing import Publishing
from callboard.demo.pulse import Pulse
from callboard.demo.sections import Description, merge, parse, split
from callboard.demo.subscribing import Subscribing

ALONE = RTCConfiguration(iceServers=[])


class Answerer:
    """Receives what is published and counts the frames by track id."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(ALONE)
        self.pulse = Pulse()
        self.frames: dict[str, int] = {}
        self.tracks: list[dict[str, dict[str, Any]]] = []
        self.offers: list[Description] = []
        self.readers: list[asyncio.Task[None]] = []
        self.connection.on("track", lambda track: self.readers.append(asyncio.create_task(self._read(track))))

    async def exchange(self, sdp: str, tracks: dict[str, dict[str, Any]]) -> str:
        self.offers.append(parse(sdp))
        self.tracks.append(tracks)
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return str(self.connection.localDescription.sdp)

    async def receives(self, *track_ids: str) -> None:
        """Some frames of each of these tracks have been decoded."""
        await self.pulse.until(lambda: all(self.frames.get(i, 0) > 5 for i in track_ids), 60, "frames")

    async def _read(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                await track.recv()
            except MediaStreamError:
                return
            self.frames[track.id] = self.frames.get(track.id, 0) + 1
            self.pulse.beat()

    async def close(self) -> None:
        await self.connection.close()
        await asyncio.gather(*self.readers)


class Offerer:
    """Sends tracks and opens the API channel, each with a transport of its own."""

    def __init__(self, channel_first: bool = True) -> None:
        self.media = RTCPeerConnection(ALONE)
        self.channel = RTCPeerConnection(ALONE)
        self.api = self.channel.createDataChannel("ion-sfu", protocol="SCTP")
        self.heard: list[str] = []
        self.api.on("message", self._answer)
        self.channel_first = channel_first
        self.answering: Callable[[str], str | None] = lambda text: text

    def _answer(self, text: str) -> None:
        self.heard.append(text)
        if (reply := self.answering(text)) is not None:
            self.api.send(reply)

    async def negotiate(self, subscribing: Subscribing) -> None:
        offers = []
        for connection in (self.channel, self.media):
            if connection is self.channel or connection.getTransceivers():
                await connection.setLocalDescription(await connection.createOffer())
                offers.append(parse(connection.localDescription.sdp))
        offers[0] = renamed(offers[0], "1000")
        offer = spliced(offers, channel_first=self.channel_first)
        answer = parse(await subscribing.answer(offer.text()))
        assert [section.mid for section in answer.sections] == [section.mid for section in offer.sections]
        media, channel = split(answer)
        assert channel is not None
        await self.channel.setRemoteDescription(RTCSessionDescription(renamed(channel, "0").text(), "answer"))
        if media is not None:
            await self.media.setRemoteDescription(RTCSessionDescription(media.text(), "answer"))

    async def close(self) -> None:
        await self.media.close()
        await self.channel.close()


def renamed(description: Description, mid: str) -> Description:
    """The description of one section, under another mid."""
    old = description.sections[0].mid
    text = description.text().replace(f"a=mid:{old}\r\n", f"a=mid:{mid}\r\n")
    return parse(text.replace(f"a=group:BUNDLE {old}\r\n", f"a=group:BUNDLE {mid}\r\n"))


def spliced(offers: list[Description], *, channel_first: bool) -> Description:
    """The offers in one, the channel's section first, the groups in either order."""
    sections = tuple(section for offer in offers for section in offer.sections)
    ordered = offers if channel_first else offers[::-1]
    return merge(Description((), sections), ordered)


@pytest.fixture
async def answerer() -> AsyncIterator[Answerer]:
    answerer = Answerer()
    yield answerer
    await answerer.close()


@pytest.fixture
async def publishing(answerer: Answerer) -> AsyncIterator[Publishing]:
    publishing = Publishing((), answerer.exchange)
    yield publishing
    await publishing.close()


class Watcher:
    """The subscribe side under test."""

    def __init__(self) -> None:
        self.pulse = Pulse()
        self.channels: list[RTCDataChannel] = []
        self.subscribing = Subscribing((), self._opened, self.pulse.beat)

    def _opened(self, channel: RTCDataChannel) -> None:
        self.channels.append(channel)
        self.pulse.beat()

    async def sees(self, track_id: str, frames: int = 5) -> None:
        wanted = self.subscribing.frames_decoded(track_id) + frames
        await self.pulse.until(lambda: self.subscribing.frames_decoded(track_id) >= wanted, 60, track_id)


@pytest.fixture
async def watcher() -> AsyncIterator[Watcher]:
    watcher = Watcher()
    yield watcher
    await watcher.subscribing.close()


@pytest.fixture(params=[True, False], ids=["channel's group first", "media's group first"])
async def offerer(request: pytest.FixtureRequest) -> AsyncIterator[Offerer]:
    offerer = Offerer(channel_first=request.param)
    yield offerer
    await offerer.close()


async def test_the_first_offer_has_the_data_channel_only(publishing: Publishing, answerer: Answerer) -> None:
    await publishing.negotiate()
    assert [section.kind for section in answerer.offers[0].sections] == ["application"]
    assert answerer.tracks == [{}]


async def test_what_is_published_at_once_after_joining_is_received(publishing: Publishing, answerer: Answerer) -> None:
    await publishing.negotiate()
    await publishing.add(Tone("tone"), "stream", "regular")
    await publishing.add(MovingPicture("picture"), "stream", "regular")
    await answerer.receives("tone", "picture")
    assert publishing.connected
    assert [set(tracks) for tracks in answerer.tracks] == [set(), {"tone"}, {"tone", "picture"}]
    sent = [section.attribute("msid") for section in answerer.offers[-1].sections]
    assert sent == ["", "stream tone", "stream picture"]


async def test_what_is_unpublished_leaves_its_section_inactive_and_another_can_follow(
    publishing: Publishing, answerer: Answerer
) -> None:
    await publishing.negotiate()
    await publishing.add(MovingPicture("one"), "stream", "regular")
    await publishing.remove("one")
    assert answerer.tracks[-1] == {}
    assert [section.sends for section in answerer.offers[-1].sections[1:]] == [False]
    assert answerer.offers[-1].sections[1].attribute("msid") == ""
    await publishing.add(MovingPicture("two"), "stream", "regular")
    await answerer.receives("two")


async def test_a_muted_track_goes_on_in_black_and_is_signalled_as_muted() -> None:
    picture, tone = MovingPicture("p"), Tone("t")
    seen = await picture.recv()
    picture.muted = tone.muted = True
    assert set(bytes((await picture.recv()).planes[0])) == {16}
    assert len(set(bytes(seen.planes[0]))) > 10
    assert set(bytes((await tone.recv()).planes[0])) == {0}


async def test_the_picture_moves_and_the_tone_goes_on_where_it_was() -> None:
    picture, tone = MovingPicture("p"), Tone("t")
    assert bytes((await picture.recv()).planes[0]) != bytes((await picture.recv()).planes[0])
    first, second = [await tone.recv() for _ in range(2)]
    assert first.pts is not None
    assert second.pts == first.pts + 960


async def test_a_stopped_track_gives_no_more_frames() -> None:
    tone = Tone("t")
    tone.stop()
    with pytest.raises(MediaStreamError):
        await tone.recv()


async def test_media_and_channel_with_transports_of_their_own_both_come_up(offerer: Offerer, watcher: Watcher) -> None:
    offerer.media.addTransceiver(Tone("tone"), "sendonly")
    offerer.media.addTransceiver(MovingPicture("picture"), "sendonly")
    await offerer.negotiate(watcher.subscribing)
    assert watcher.subscribing.tracks == {"tone": "audio", "picture": "video"}
    await watcher.sees("tone")
    await watcher.sees("picture")
    await watcher.pulse.until(lambda: watcher.channels, 60, "the channel")


async def test_media_may_come_after_an_offer_of_the_channel_alone(offerer: Offerer, watcher: Watcher) -> None:
    await offerer.negotiate(watcher.subscribing)
    assert watcher.subscribing.tracks == {}
    offerer.media.addTransceiver(MovingPicture("picture"), "sendonly")
    await offerer.negotiate(watcher.subscribing)
    await watcher.sees("picture")


async def test_frames_are_counted_for_the_track_that_a_re_used_section_carries_now(
    offerer: Offerer, watcher: Watcher
) -> None:
    transceiver = offerer.media.addTransceiver(MovingPicture("one"), "sendonly")
    await offerer.negotiate(watcher.subscribing)
    await watcher.sees("one")
    transceiver.direction = "inactive"
    await offerer.negotiate(watcher.subscribing)
    assert watcher.subscribing.tracks == {}
    transceiver.sender.replaceTrack(MovingPicture("two"))
    transceiver.direction = "sendonly"
    await offerer.negotiate(watcher.subscribing)
    assert watcher.subscribing.tracks == {"two": "video"}
    before = watcher.subscribing.frames_decoded("one")
    await watcher.sees("two")
    assert watcher.subscribing.frames_decoded("one") == before


async def test_candidates_may_be_trickled_before_or_after_the_offer_they_belong_to(watcher: Watcher) -> None:
    offerer = Offerer()
    try:
        await offerer.channel.setLocalDescription(await offerer.channel.createOffer())
        offer = renamed(parse(offerer.channel.localDescription.sdp), "1000")
        lines = offer.sections[0].lines
        given = [line.removeprefix("a=") for line in lines if line.startswith("a=candidate:")]
        bare = offer.text()
        for line in (*(f"a={one}" for one in given), "a=end-of-candidates"):
            bare = bare.replace(f"{line}\r\n", "")
        for one in given[:1]:
            await watcher.subscribing.add_candidate({"candidate": one, "sdpMid": None, "sdpMLineIndex": 0})
        answer = renamed(parse(await watcher.subscribing.answer(bare)), "0")
        for one in [*given[1:], ""]:
            await watcher.subscribing.add_candidate({"candidate": one, "sdpMid": "1000"})
        # The answer has no candidates either, so that nothing comes from the other side.
        kept = [line for line in answer.text().splitlines() if not line.startswith(("a=candidate", "a=end-of"))]
        blind = RTCSessionDescription("\r\n".join([*kept, ""]), "answer")
        await offerer.channel.setRemoteDescription(blind)
        await watcher.pulse.until(lambda: watcher.channels, 60, "the channel")
        with pytest.raises(ValueError, match="no candidate"):
            await watcher.subscribing.add_candidate({"candidate": "candidate:nonsense", "sdpMid": "1000"})
    finally:
        await offerer.close()


async def test_requests_on_the_channel_are_answered_refused_or_time_out(offerer: Offerer, watcher: Watcher) -> None:
    notified: list[str] = []
    channel = ApiChannel(RandomIds(1), lambda method, _: notified.append(method))
    with pytest.raises(ChannelError, match="not open"):
        await channel.request("prefer-audio-track-state", {})
    await offerer.negotiate(watcher.subscribing)
    await watcher.pulse.until(lambda: watcher.channels, 60, "the channel")
    channel.attach(watcher.channels[0])
    await watcher.pulse.until(lambda: channel.is_open, 60, "open")

    offerer.answering = lambda text: text.replace('"method"', '"result": {}, "method"')
    await channel.request("prefer-audio-track-state", {"track_id": "t", "subscribed": False}, deadline=60)
    assert channel.answered == 1
    offerer.answering = lambda text: text.replace('"method"', '"error": {"code": 404, "message": "x"}, "method"')
    with pytest.raises(ChannelError, match="404") as refused:
        await channel.request("prefer-audio-track-state", {"track_id": "t", "subscribed": True}, deadline=60)
    assert refused.value.code == 404
    offerer.answering = lambda _: None
    with pytest.raises(ChannelError, match="no answer"):
        await channel.request("prefer-audio-track-state", {"track_id": "t"}, deadline=0.01)


async def test_a_channel_with_another_label_is_an_error() -> None:
    connection = RTCPeerConnection(ALONE)
    try:
        other = connection.createDataChannel("other")
        with pytest.raises(ValueError, match="ion-sfu"):
            ApiChannel(RandomIds(1), lambda *_: None).attach(other)
    finally:
        await connection.close()


async def test_being_cut_off_sends_no_goodbye_where_closing_does() -> None:
    answerers = [Answerer(), Answerer()]
    cut, closed = (Publishing((), answerer.exchange) for answerer in answerers)
    try:
        for publishing in (cut, closed):
            await publishing.negotiate()
            await publishing.add(MovingPicture("picture"), "stream", "regular")
        for answerer in answerers:
            await answerer.receives("picture")
        await cut.cut_off()
        await closed.close()
        left = asyncio.Event()
        other = answerers[1].connection
        other.on("connectionstatechange", left.set)
        if other.connectionState == "connected":
            await asyncio.wait_for(left.wait(), 60)
        # Loopback keeps the order: what the one that was cut off had sent would have arrived before.
        assert answerers[0].connection.connectionState == "connected"
    finally:
        for publishing in (cut, closed):
            await publishing.close()
        for answerer in answerers:
            await answerer.close()


async def test_new_ice_credentials_of_the_server_are_followed_once(offerer: Offerer, watcher: Watcher) -> None:
    await offerer.negotiate(watcher.subscribing)
    await watcher.pulse.until(lambda: watcher.channels, 60, "the channel")
    offer = renamed(parse(offerer.channel.localDescription.sdp), "1000")
    restarted = parse(re.sub(r"a=ice-ufrag:\S+", "a=ice-ufrag:new1", offer.text()))
    connection = watcher.subscribing._channel
    assert not follow_ice_restart(connection, offer)
    assert follow_ice_restart(connection, restarted)
    assert not follow_ice_restart(connection, restarted)


async def test_closing_while_an_offer_is_being_answered_leaves_no_socket_open(offerer: Offerer) -> None:
    for yields in range(12):  # cancelled earlier and earlier, later and later in the gathering of candidates
        watcher = Watcher()
        await offerer.channel.setLocalDescription(await offerer.channel.createOffer())
        offer = renamed(parse(offerer.channel.localDescription.sdp), "1000").text()
        answering = asyncio.create_task(watcher.subscribing.answer(offer))
        for _ in range(yields):
            await asyncio.sleep(0)
        answering.cancel()
        await watcher.subscribing.close()
        await asyncio.gather(answering, return_exceptions=True)
    gc.collect()  # an open socket would warn now, and warnings are errors


async def test_closing_while_an_offer_is_being_made_leaves_no_socket_open(answerer: Answerer) -> None:
    for yields in range(12):
        publishing = Publishing((), answerer.exchange)
        offering = asyncio.create_task(publishing.negotiate())
        for _ in range(yields):
            await asyncio.sleep(0)
        if yields % 2:
            offering.cancel()
        await publishing.close()
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
    gc.collect()
