"""Recordings of a call on bad networks, measured by the marks: what was lost is lost, all else is in its place.

One session is played for all of them: Ann's link loses 5 % of her packets, Ben's network is away for a while, Cleo and
Dan lose everything and build new connections (Cleo's tracks get new ids, as with the official client, Dan's keep
theirs), Eve sends H.264.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from callboard.demo.peer import Peer
from callboard.events import timestamps
from callboard.recording.truth.report import Expected, Gates, Published, Report
from callboard.recording.truth.spans import Span, lacking
from callboard.recording.truth.text import as_text
from callboard.recording.truth.tracks import TruthPublisher
from callboard.recording.truth.verify import verify_file
from callboard.testing.badlink import BadLink, usable
from callboard.testing.play import Play, play
from callboard.testing.recordings import BOTH, TALKERS, Cast, Film, act, exit_stage, measured

pytestmark = [pytest.mark.media, pytest.mark.skipif(bool(usable()), reason=usable())]

AWAY = 2.0
"""Seconds."""
NAMES = ("Ann", "Ben", "Cleo", "Dan", "Eve")
COMPOSED = {"compositeRecording": {"customComposite": {"enabled": True, "width": 640, "height": 360}}}


@dataclass
class Session:
    """What was published, and what came of it; streams in the order of their beginning."""

    sent: dict[str, Published] = field(default_factory=dict)
    gates: dict[str, Gates] = field(default_factory=dict)
    streams: dict[str, list[Film]] = field(default_factory=dict)
    tracks: dict[str, list[Film]] = field(default_factory=dict)
    unheard: Published = field(default_factory=lambda: Published(0))
    composed: Film | None = None
    opened_at: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)


async def performed(stage: Play, cast: Cast) -> Session:
    """The session."""
    peers = {name: stage.peer(name, "host") for name in NAMES}
    senders = {name: cast.publisher(number, rate=8) for number, name in enumerate(NAMES, start=1)}
    senders["Eve"].codec = "h264"
    found = Session()
    await asyncio.gather(*(peer.join() for peer in peers.values()))
    opened = await stage.told("session.open.success")
    found.opened_at = (timestamps.parse(opened.event.data["session_started_at"]) - cast.epoch) / 1e9
    await asyncio.gather(*(act(peers[name], senders[name]) for name in NAMES))
    await asyncio.sleep(2.5)
    with _link_of(peers["Ann"]) as losing, _link_of(peers["Ben"]) as away:
        losing.lose_each(20)
        found.unheard = await _all_go_and_come_back(peers, senders, away)
        await asyncio.sleep(3.0)
        losing.mend()
        await asyncio.sleep(0.3)
    await asyncio.gather(*(exit_stage(peers[name], senders[name]) for name in NAMES))
    await stage.told("session.close.success")
    found.sent = {name: sender.published() for name, sender in senders.items()}
    found.gates = {name: sender.gates() for name, sender in senders.items()}
    await _collect(stage, cast, {peer.peer_id: name for name, peer in peers.items()}, found)
    return found


def _link_of(peer: Peer) -> BadLink:
    return BadLink((peer.sends_to, peer.sends_to))


async def _all_go_and_come_back(
    peers: dict[str, Peer], senders: dict[str, TruthPublisher], network: BadLink
) -> Published:
    """Ben, Cleo and Dan. What Ben sent while his network was away."""
    ben, builders = peers["Ben"], ("Cleo", "Dan")
    await asyncio.gather(*(senders[name].cut() for name in builders))
    await asyncio.gather(*(peers[name].drop(keep_ids=name == "Dan") for name in builders))
    network.cut()
    before = senders["Ben"].published()
    await ben.lose_socket()
    await asyncio.sleep(AWAY)
    network.mend()
    after = senders["Ben"].published()
    back = [senders[name].resume() for name in builders]
    await asyncio.gather(*(peers[name].reconnect() for name in ("Ben", *builders)))
    async with asyncio.timeout(60):
        await asyncio.gather(*(one.wait() for one in back))
    return _passed(before, after)


def _passed(before: Published, after: Published) -> Published:
    """What was published between the two."""
    return Published(
        after.publisher,
        tuple(lacking(after.picture, before.picture)),
        tuple(lacking(after.sound, before.sound)),
    )


async def _collect(stage: Play, cast: Cast, names: dict[str, str], found: Session) -> None:
    """Download everything that was told of."""
    told = await stage.told("recording.success", 120.0)
    found.composed = await cast.download(told)
    starts = [one for one in stage.inbox.first_arrivals if one.event.type == "track.recording.started.success"]
    for start in starts:
        film = await cast.film("track.recording.success", track_id=start.event.data["track_id"])
        found.tracks.setdefault(names[film.data["peer_id"]], []).append(film)
    streams = list(dict.fromkeys((one.event.data["peer_id"], one.event.data["stream_id"]) for one in starts))
    for peer_id, stream_id in streams:
        film = await cast.film("stream.recording.success", stream_id=stream_id)
        found.streams.setdefault(names[peer_id], []).append(film)
    await stage.settle()
    found.kinds = Counter(one.event.type for one in stage.inbox.first_arrivals)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The session, played once."""

    async def played() -> Session:
        folder = tmp_path_factory.mktemp("losses")
        async with play(folder, roles=TALKERS) as stage:
            await stage.stage.rest.record(stage.stage.template_id, **BOTH, **COMPOSED)
            return await performed(stage, Cast(stage, folder))

    return asyncio.run(played())


def good(report: Report) -> None:
    assert report.failures == [], as_text(report)


def heard(session: Session) -> Published:
    """What Ben sent while he had a network."""
    sent, unheard = session.sent["Ben"], session.unheard
    return Published(
        sent.publisher,
        tuple(lacking(sent.picture, unheard.picture)),
        tuple(lacking(sent.sound, unheard.sound)),
    )


def gap(spans: Sequence[Span]) -> float:
    """Seconds between the first span and the second."""
    return spans[1][0] - spans[0][1]


def test_a_link_that_loses_five_per_cent_costs_neither_picture_nor_sound(session: Session) -> None:
    (film,) = session.streams["Ann"]
    good(measured(film, session.sent["Ann"], session.gates["Ann"]))


def test_around_a_time_without_network_all_that_was_sent_is_in_its_place(session: Session) -> None:
    (film,) = session.streams["Ben"]
    good(measured(film, heard(session), session.gates["Ben"]))


def test_new_connections_with_the_same_ids_go_on_in_the_same_files(session: Session) -> None:
    (film,), sent = session.streams["Dan"], session.sent["Dan"]
    assert len(sent.picture) == len(sent.sound) == 2
    report = measured(film, sent, session.gates["Dan"])
    good(report)
    (publisher,) = report.publishers
    assert publisher.picture is not None
    assert publisher.sound is not None
    assert [one.duration for one in publisher.picture.frozen] == [pytest.approx(gap(sent.picture), abs=0.2)]
    assert publisher.sound.missing == [], "of what was published"
    assert len(session.tracks["Dan"]) == 2


def test_new_connections_with_new_ids_are_new_files(session: Session) -> None:
    sent = session.sent["Cleo"]
    assert len(session.tracks["Cleo"]) == 4
    for film, picture, sound in zip(session.streams["Cleo"], sent.picture, sent.sound, strict=True):
        good(measured(film, Published(sent.publisher, (picture,), (sound,)), session.gates["Cleo"]))


def test_h264_is_recorded_as_it_was_sent(session: Session) -> None:
    (film,), sent, gates = session.streams["Eve"], session.sent["Eve"], session.gates["Eve"]
    assert film.path.suffix == ".mp4"
    report = measured(film, sent, gates)
    good(report)
    assert "h264" in report.format
    for track in session.tracks["Eve"]:
        video = track.data["track_type"] == "video"
        assert track.path.suffix == (".mkv" if video else ".webm")
        good(measured(track, Published(sent.publisher, sent.picture * video, sent.sound * (not video)), gates))


def test_all_of_them_are_in_the_composed_recording(session: Session) -> None:
    assert session.composed is not None
    everybody = {**session.sent, "Ben": heard(session)}
    expected = Expected(starts_at=session.opened_at, published=tuple(everybody.values()))
    worst = max(session.gates.values(), key=lambda gates: gates.skew_p95_ms)
    together = msgspec.structs.replace(worst, participants_p95_ms=worst.skew_p95_ms)
    report = verify_file(session.composed.path, expected, together)
    good(report)
    hidden = {one.publisher: one.picture.pictures_hidden for one in report.publishers if one.picture is not None}
    for name in ("Cleo", "Dan"):
        sent = session.sent[name]
        assert hidden[sent.publisher] == pytest.approx(25 * gap(sent.picture), abs=5), "their names, while away"


def test_each_of_them_ends_in_one_event(session: Session) -> None:
    assert session.kinds["track.recording.started.success"] == session.kinds["track.recording.success"] == 12
    assert session.kinds["stream.recording.success"] == 6
    assert session.kinds["recording.success"] == 1
    assert not [kind for kind in session.kinds if kind.endswith(("failure", "failed"))]
    assert session.kinds["peer.leave.success"] == len(NAMES)
