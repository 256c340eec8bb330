"""The words on the API channel, and its section of the SDP."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.apidesk import ApiDesk
from callboard.media.apiprotocol import (
    Preference,
    Refusal,
    Request,
    choose_substream,
    parse_request,
    reply_error,
    reply_ok,
)
from callboard.media.apisection import LocalEnd, parse_section, render_section
from callboard.media.candidates import IceCandidate
from callboard.media.contract import MediaCounters
from callboard.media.sdp import SdpError, Section, parse

PAIRS = ":".join(["AB"] * 32)


def call(method: str, **params: object) -> str:
    return json.dumps({"id": "7", "jsonrpc": "2.0", "method": method, "params": params})


def test_video_is_asked_for_by_layer_and_audio_by_yes_or_no() -> None:
    video = parse_request(call("prefer-video-track-state", track_id="T", max_spatial_layer="low"))
    assert video == Request("7", "video", "T", Preference(True, "low"))
    hidden = parse_request(call("prefer-video-track-state", track_id="T", max_spatial_layer="none"))
    assert hidden == Request("7", "video", "T", Preference(False, "none"))
    muted = parse_request(call("prefer-audio-track-state", track_id="T", subscribed=False))
    assert muted == Request("7", "audio", "T", Preference(False))


@pytest.mark.parametrize(
    "text",
    [
        call("prefer-video-track-state", track_id="T", max_spatial_layer="huge"),
        call("prefer-video-track-state", max_spatial_layer="low"),
        call("prefer-audio-track-state", track_id=5),
        call("drop-table", track_id="T"),
    ],
)
def test_what_cannot_be_done_is_refused_under_its_id(text: str) -> None:
    refusal = parse_request(text)
    assert isinstance(refusal, Refusal)
    assert refusal.id == "7"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '{"id": 5, "method": "x"}', '{"method": "x"}', '{"id": "", "method": "x"}']
)
def test_what_has_no_id_cannot_be_answered(text: str) -> None:
    assert parse_request(text) is None


@settings(deadline=None)
@given(st.text())
def test_no_message_makes_it_raise(text: str) -> None:
    parse_request(text)


def test_replies_carry_the_id_and_a_truthy_result() -> None:
    assert json.loads(reply_ok("7")) == {"id": "7", "jsonrpc": "2.0", "result": {}}
    assert json.loads(reply_error("7", 404, "gone"))["error"] == {"code": 404, "message": "gone"}


@pytest.mark.parametrize(
    ("layer", "count", "present", "chosen"),
    [
        ("high", 3, {0, 1, 2}, 2),
        ("medium", 3, {0, 1, 2}, 1),
        ("low", 3, {0, 1, 2}, 0),
        ("low", 3, {1, 2}, 1),
        ("high", 3, {0, 1}, 2),
        ("medium", 3, {2}, 2),
        ("high", 2, {0, 1}, 1),
        ("medium", 2, {0, 1}, 0),
        ("none", 3, {0, 1, 2}, None),
        ("high", 1, {0}, None),
        ("high", 3, set(), 2),
        ("low", 3, set(), 0),
    ],
)
def test_the_layer_asked_of_janus_is_one_that_exists(
    layer: str, count: int, present: set[int], chosen: int | None
) -> None:
    assert choose_substream(layer, count, frozenset(present)) == chosen  # type: ignore[arg-type]


class Front:
    """A subscriber that has one video track."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.preferred: list[tuple[tuple[str, str], Preference]] = []
        self.losses: list[str] = []

    def find(self, kind: str, track_id: str) -> tuple[str, str] | None:
        return ("peer", "T") if (kind, track_id) == ("video", "T") else None

    def prefer(self, key: tuple[str, str], preference: Preference) -> None:
        self.preferred.append((key, preference))

    def say(self, text: str) -> bool:
        self.said.append(text)
        return True

    def channel_lost(self, reason: str) -> None:
        self.losses.append(reason)


def test_requests_are_answered_at_once() -> None:
    front, counters = Front(), MediaCounters()
    desk = ApiDesk(counters, front)
    desk.channel_message(call("prefer-video-track-state", track_id="T", max_spatial_layer="low"))
    desk.channel_message(call("prefer-audio-track-state", track_id="T", subscribed=True))
    desk.channel_message(call("nonsense"))
    desk.channel_message("junk")
    replies = [json.loads(text) for text in front.said]
    assert replies[0]["result"] == {}
    assert [reply["error"]["code"] for reply in replies[1:]] == [404, 400]
    assert front.preferred == [(("peer", "T"), Preference(True, "low"))]
    assert (counters.channel_requests, counters.channel_rejections) == (3, 2)


def test_a_lost_channel_is_an_alarm() -> None:
    front, counters = Front(), MediaCounters()
    desk = ApiDesk(counters, front)
    desk.channel_opened()
    desk.channel_late()
    desk.channel_lost("gone")
    assert front.losses == ["gone"]
    assert (counters.channels_opened, counters.channel_alarms) == (1, 2)


# The section

LOCAL = LocalEnd(
    "user",
    "p" * 22,
    PAIRS,
    (IceCandidate("1", 99, "192.0.2.2", 5000, "host"), IceCandidate("2", 98, "2001:db8::2", 5001, "host")),
)


def answered(*replace: tuple[str, str]) -> Section:
    text = "v=0\r\n" + "\r\n".join(render_section(LOCAL).lines).replace("actpass", "active")
    for before, after in replace:
        assert before in text
        text = text.replace(before, after)
    return parse(text).sections[0]


def test_what_is_offered_can_be_read_back() -> None:
    remote = parse_section(answered())
    assert (remote.username, remote.password, remote.fingerprint) == ("user", "p" * 22, PAIRS)
    assert (remote.role, remote.sctp_port, remote.max_message) == ("server", 5000, 16384)
    assert remote.candidates == LOCAL.candidates


def test_a_passive_client_makes_us_the_client_in_dtls() -> None:
    assert parse_section(answered(("setup:active", "setup:passive"))).role == "client"


def test_a_public_address_replaces_our_own_of_its_family() -> None:
    section = render_section(LOCAL, "198.51.100.9")
    assert "c=IN IP4 198.51.100.9" in section.lines
    assert [line.split()[4] for line in section.values("candidate")] == ["198.51.100.9", "2001:db8::2"]


@pytest.mark.parametrize(
    "change",
    [
        ("m=application 5000", "m=application 0"),
        ("a=ice-ufrag:user", "a=ice-ufrag:us!r"),
        ("a=ice-pwd:" + "p" * 22, "a=ice-pwd:short"),
        ("sha-256", "md5"),
        ("setup:active", "setup:actpass"),
        ("sctp-port:5000", "sctp-port:99999"),
        ("max-message-size:16384", "max-message-size:-1"),
    ],
)
def test_an_unusable_answer_is_refused(change: tuple[str, str]) -> None:
    with pytest.raises(SdpError):
        parse_section(answered(change))
