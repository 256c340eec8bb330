"""The same with Chromium at the other end: what aiortc cannot do (ICE restart, simulcast, trickling).

Two pages that do to WebRTC what the SDK does, driven over the DevTools protocol.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from callboard.media import LayerUpdate, MediaEngine, MediaSettings, PeerMedia, PublishedTrack, Subscription
from callboard.media.testing import running_engine
from callboard.testing.badlink import BadLink, usable

pytestmark = [
    pytest.mark.media,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]

PORTS = (21_500, 21_999)
ANY = range(1, 10_000)
LOW = (240,)
HIGHER = (480, 960)
"""Whether Chromium sends the highest layer depends on how much of the processor it gets."""

SCRIPT = """
window.client = (() => {
  const pub = new RTCPeerConnection({}), sub = new RTCPeerConnection({}), waiting = {};
  let api = null;
  const trickle = target => e => e.candidate &&
    report(JSON.stringify({target, candidate: e.candidate.toJSON()}));
  pub.onicecandidate = trickle(0);
  sub.onicecandidate = trickle(1);
  pub.createDataChannel('ion-sfu', {protocol: 'SCTP'});
  sub.ontrack = e => {
    const element = document.createElement(e.track.kind);
    element.srcObject = e.streams[0];
    element.autoplay = element.muted = true;
    document.body.append(element);
  };
  sub.ondatachannel = e => {
    api = e.channel;
    api.onmessage = m => { const reply = JSON.parse(m.data); waiting[reply.id](reply); };
  };
  return {
    offer: async () => { await pub.setLocalDescription(await pub.createOffer()); return pub.localDescription.sdp; },
    answered: sdp => pub.setRemoteDescription({type: 'answer', sdp}),
    add: async (kind, rids) => {
      const video = {width: 960, height: 540, frameRate: 10};
      const stream = await navigator.mediaDevices.getUserMedia(kind == 'video' ? {video} : {audio: true});
      const track = stream.getTracks()[0], scale = {f: 1, h: 2, q: 4};
      const encodings = rids.map(rid => ({rid, scaleResolutionDownBy: scale[rid]}));
      const options = {direction: 'sendonly', streams: [stream]};
      pub.addTransceiver(track, encodings.length ? {...options, sendEncodings: encodings} : options);
      return {track_id: track.id, stream_id: stream.id, kind};
    },
    answer: async sdp => {
      await sub.setRemoteDescription({type: 'offer', sdp});
      await sub.setLocalDescription(await sub.createAnswer());
      return sub.localDescription.sdp;
    },
    call: (id, method, params) => new Promise(done => {
      waiting[id] = done;
      api.send(JSON.stringify({id, jsonrpc: '2.0', method, params}));
    }),
    state: async () => {
      const state = {publish: pub.connectionState, subscribe: sub.connectionState, api: api && api.readyState};
      for (const s of (await sub.getStats()).values())
        if (s.type == 'inbound-rtp')
          state[s.kind] = {frames: s.framesDecoded, packets: s.packetsReceived, width: s.frameWidth};
      for (const s of (await pub.getStats()).values())
        if (s.type == 'outbound-rtp')
          state['sent ' + s.kind] = {packets: s.packetsSent, again: s.retransmittedPacketsSent, asked: s.nackCount};
      return state;
    },
  };
})();
"""
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--remote-debugging-port=0",
)


class Browser:
    """A Chromium and its DevTools connection."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reports: dict[str, Callable[[dict[str, Any]], None]] = {}
        self.reader = asyncio.create_task(self._read())

    async def page(self, on_report: Callable[[dict[str, Any]], None]) -> str:
        """A page with `client` in it; the id of its session."""
        target = (await self.command("Target.createTarget", url=self._url))["targetId"]
        attached = await self.command("Target.attachToTarget", targetId=target, flatten=True)
        session = str(attached["sessionId"])
        self._reports[session] = on_report
        await self.command("Runtime.enable", session)
        await self.command("Runtime.addBinding", session, name="report")
        async with asyncio.timeout(40):
            while not await self.run(session, "document.readyState == 'complete' && !!document.body.id"):
                await asyncio.sleep(0.05)
        await self.run(session, SCRIPT + "true")
        return session

    async def run(self, session: str, expression: str) -> Any:
        """Evaluate JavaScript; await it if it is a promise."""
        done = await self.command(
            "Runtime.evaluate", session, expression=expression, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    async def command(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        number = next(self._numbers)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        place = {"sessionId": session} if session else {}
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params, **place}))
        message = await asyncio.wait_for(reply, 60)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def _read(self) -> None:
        async for text in self._socket:
            message = json.loads(text)
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
            elif message.get("method") == "Runtime.bindingCalled":
                self._reports[message["sessionId"]](json.loads(message["params"]["payload"]))


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:  # a spare connection of Chromium's
            writer.close()
            return
        body = b"<!doctype html><body id=ready></body>"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *("chromium", *FLAGS, f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        async with asyncio.timeout(60):
            while b"DevTools listening on" not in (line := await process.stderr.readline()):
                assert line, "chromium did not start"
        drain = asyncio.create_task(process.stderr.read())
        try:
            async with connect(line.split()[-1].decode(), max_size=None, proxy=None) as socket:
                browser = Browser(socket, url)
                yield browser
                browser.reader.cancel()
        finally:
            process.terminate()
            await process.wait()
            await drain
            server.close()
            await server.wait_closed()


class Page:
    """A `PeerListener` with a page of Chromium behind it."""

    def __init__(self, browser: Browser, engine: MediaEngine, peer_id: str) -> None:
        self.peer_id = peer_id
        self.tracks: list[PublishedTrack] = []
        self.offers: list[str] = []
        self.reports: list[str] = []
        self.trickled = 0
        self._browser = browser
        self._engine = engine
        self._session = ""
        self._work: set[asyncio.Task[None]] = set()
        self._calls = itertools.count(1)
        self.media: PeerMedia

    def send_offer(self, sdp: str) -> None:
        self.offers.append(sdp)
        task = asyncio.create_task(self._answer(sdp))
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def send_trickle(self, target: int, candidate: dict[str, Any]) -> None:
        self.reports.append(f"trickle {target}")

    def media_up(self) -> None:
        self.reports.append("media up")

    def media_down(self, reason: str) -> None:
        self.reports.append(f"media down: {reason}")

    def speaking(self, track_id: str, loudness: int) -> None:
        """Nobody asks."""

    def layers_changed(self, updates: Sequence[LayerUpdate]) -> None:
        """Nobody asks."""

    def link_measured(self, score: int) -> None:
        """Nobody asks."""

    def subscriber_down(self, reason: str) -> None:
        self.reports.append(f"subscriber down: {reason}")

    def negotiation_failed(self, reason: str) -> None:
        self.reports.append(f"negotiation failed: {reason}")

    async def join(self) -> None:
        self._session = await self._browser.page(self._trickle)
        self.media = await self._engine.open_peer("room", self.peer_id, self)
        await self._answered(await self.media.join(await self._run("client.offer()")))

    async def publish(self, kind: str, *rids: str) -> Subscription:
        track = PublishedTrack(**await self._run(f"client.add('{kind}', {json.dumps(rids)})"))
        self.tracks.append(track)
        await self._answered(await self.media.publish(await self._run("client.offer()"), self.tracks))
        return Subscription(self.peer_id, track.track_id, track.stream_id, track.kind)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        reply: dict[str, Any] = await self._run(f"client.call('{next(self._calls)}', '{method}', {json.dumps(params)})")
        return reply

    async def state(self) -> dict[str, Any]:
        state: dict[str, Any] = await self._run("client.state()")
        return state

    async def until(self, condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """Wait until what the browser says of its connections satisfies `condition`."""
        state: dict[str, Any] = {}
        try:
            async with asyncio.timeout(40):
                while not condition(state := await self.state()):
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"{self.peer_id} is still at {state}, {self.reports}") from None
        return state

    async def until_decoded(self, more: int = 10, widths: Container[int] = ANY) -> None:
        """Wait for `more` frames of video, in one of `widths`."""
        before = await self.until(lambda s: s.get("video") and s["video"].get("width") in widths)
        frames = before["video"]["frames"] + more
        await self.until(lambda s: s["video"]["frames"] >= frames and s["video"]["width"] in widths)

    def _trickle(self, report: dict[str, Any]) -> None:
        self.trickled += 1
        self.media.trickle(report["target"], report["candidate"])

    async def _answer(self, offer: str) -> None:
        self.media.answer(await self._run(f"client.answer({json.dumps(offer)})"))

    async def _answered(self, answer: str) -> None:
        await self._run(f"client.answered({json.dumps(answer)}).then(() => true)")

    async def _run(self, expression: str) -> Any:
        return await self._browser.run(self._session, expression)


@pytest.fixture
async def pages() -> AsyncIterator[tuple[Page, Page]]:
    async with running_engine() as engine, chromium() as browser:
        anna, ben = Page(browser, engine, "anna"), Page(browser, engine, "ben")
        await anna.join()
        await ben.join()
        yield anna, ben
        await asyncio.gather(anna.media.close(), ben.media.close())


async def test_chromium_plays_chooses_layers_and_survives_ice_restarts(pages: tuple[Page, Page]) -> None:
    anna, ben = pages
    audio, video = await ben.publish("audio"), await ben.publish("video", "q", "h", "f")
    anna.media.want([audio, video])
    await anna.until_decoded(20)
    assert anna.trickled > 0
    state = await anna.until(lambda s: s["api"] == "open" and s["audio"]["packets"] > 20)
    assert (state["publish"], state["subscribe"]) == ("connected", "connected")

    for layer, widths in (("low", LOW), ("high", HIGHER), ("low", LOW)):
        reply = await anna.call("prefer-video-track-state", track_id=video.track_id, max_spatial_layer=layer)
        assert reply["result"] == {}
        await anna.until_decoded(5, widths)

    for _ in range(2):
        before = {line for line in anna.offers[-1].splitlines() if "ice-ufrag" in line}
        anna.media.restart_subscriber()
        offers = len(anna.offers)
        await anna.until(lambda _, known=offers: len(anna.offers) > known)  # type: ignore[misc]
        assert not before & {line for line in anna.offers[-1].splitlines() if "ice-ufrag" in line}
        await anna.until_decoded(20)
        reply = await anna.call("prefer-audio-track-state", track_id=audio.track_id, subscribed=True)
        assert reply["result"] == {}, "the API channel works over its new path"
    state = await anna.state()
    assert (state["subscribe"], state["api"]) == ("connected", "open")
    assert anna.reports == ben.reports == ["media up"]


async def test_layers_listed_from_the_highest_down_are_understood_as_well(pages: tuple[Page, Page]) -> None:
    anna, ben = pages
    video = await ben.publish("video", "f", "h", "q")
    anna.media.want([video])
    await anna.until_decoded(5)
    for layer, widths in (("low", LOW), ("high", HIGHER)):
        await anna.call("prefer-video-track-state", track_id=video.track_id, max_spatial_layer=layer)
        await anna.until_decoded(5, widths)


@pytest.mark.skipif(bool(usable()), reason=usable())
async def test_chromium_sends_sound_again_that_was_lost_though_it_did_not_offer_to() -> None:
    async with running_engine(MediaSettings(port_range=PORTS)) as engine, chromium() as browser:
        ben = Page(browser, engine, "ben")
        await ben.join()
        await ben.publish("audio")
        await ben.until(lambda s: s.get("sent audio", {}).get("packets", 0) > 20)
        with BadLink(PORTS) as link:
            link.lose_sent(10)
            await ben.until(lambda s: min(s["sent audio"]["asked"], s["sent audio"]["again"]) >= 5)
        await ben.media.close()


async def test_a_page_that_goes_leaves_a_section_for_the_next(pages: tuple[Page, Page]) -> None:
    anna, ben = pages
    anna.media.want([await ben.publish("audio"), await ben.publish("video")])
    await anna.until_decoded()
    await ben.media.close()
    anna.media.want([])
    await anna.until(lambda s: "video" not in s)
    carl = Page(ben._browser, ben._engine, "carl")
    await carl.join()
    anna.media.want([await carl.publish("video")])
    await anna.until_decoded()
    assert anna.offers[-1].count("m=") == 3
    await carl.media.close()
