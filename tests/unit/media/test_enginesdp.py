"""The SDP that Janus gets to see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.contract import PublishedTrack
from callboard.media.enginesdp import (
    MAX_SECTION_BYTES,
    MAX_VALUE,
    check_successor,
    for_engine,
    match_tracks,
    with_sound_repair,
)
from callboard.media.sdp import SdpError, parse

CODECS = frozenset({"opus", "vp8", "h264"})
FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
TRANSPORT = "a=ice-ufrag:abcd\r\na=ice-pwd:" + "p" * 22 + f"\r\na=fingerprint:{FINGERPRINT}\r\na=setup:actpass\r\n"
HEAD = "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def audio(mid: str = "0", *lines: str) -> str:
    more = "".join(f"{line}\r\n" for line in lines)
    return (
        f"m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n{TRANSPORT}a=sendonly\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\n"
        f"a=rtpmap:9 G722/8000\r\n{more}"
    )


def video(mid: str = "1", *lines: str) -> str:
    more = "".join(f"{line}\r\n" for line in lines)
    return (
        f"m=video 9 UDP/TLS/RTP/SAVPF 96 97 98 99 102 103\r\na=mid:{mid}\r\n{TRANSPORT}a=sendonly\r\n"
        "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\na=rtcp-fb:98 nack\r\na=rtpmap:97 rtx/90000\r\n"
        "a=fmtp:97 apt=96\r\na=rtpmap:98 VP9/90000\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n"
        f"a=rtpmap:102 H264/90000\r\na=rtpmap:103 rtx/90000\r\na=fmtp:103 apt=102\r\n{more}"
    )


def engine(*sections: str) -> str:
    return for_engine(parse(HEAD + "".join(sections)), CODECS)


def test_only_the_wanted_codecs_and_their_retransmission_get_through() -> None:
    text = engine(audio(), video())
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in text
    assert "m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103\r\n" in text
    assert "VP9" not in text
    assert "rtcp-fb:98" not in text
    assert "rtcp-fb:96 nack pli" in text


def test_janus_is_told_to_ask_again_for_lost_sound_once_and_for_nothing_else() -> None:
    offer = parse(HEAD + audio() + video("1", "a=rtcp-fb:96 transport-cc"))
    repaired = with_sound_repair(offer)
    assert repaired.sections[1] == offer.sections[1]
    assert repaired.sections[0].values("rtcp-fb") == ("111 nack",)
    assert with_sound_repair(repaired) == repaired
    assert for_engine(repaired, CODECS).count("a=rtcp-fb:111 nack\r\n") == 1


def test_a_section_without_a_wanted_codec_stays_a_section() -> None:
    text = engine(video(), "m=audio 9 RTP/SAVPF 9\r\na=mid:5\r\na=rtpmap:9 G722/8000\r\n")
    assert "m=audio 9 RTP/SAVPF 9\r\n" in text


def test_unknown_attributes_and_unusable_values_are_left_out() -> None:
    text = engine(audio("0", "a=evil:%n%n%n", "a=setup:holdconn", "a=crypto:1 AES", "b=AS:9", "a=candidate:junk"))
    for word in ("evil", "holdconn", "crypto", "b=", "junk"):
        assert word not in text


def test_candidates_are_rewritten_and_useless_ones_dropped() -> None:
    text = engine(
        audio(
            "0",
            "a=candidate:1 1 udp 99 203.0.113.7 5000 typ host x y",
            "a=candidate:2 2 udp 99 203.0.113.7 5001 typ host",
        )
    )
    assert "a=candidate:1 1 udp 99 203.0.113.7 5000 typ host\r\n" in text
    assert "5001" not in text


def test_session_level_lines_are_ours() -> None:
    text = for_engine(parse(HEAD + "a=group:BUNDLE 0\r\na=ice-lite\r\na=junk:" + "x" * 1000 + "\r\n" + audio()), CODECS)
    head = text.split("m=")[0]
    assert head == "v=0\r\no=- 46117317 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def test_a_fingerprint_at_session_level_counts() -> None:
    section = audio().replace(f"a=fingerprint:{FINGERPRINT}\r\n", "")
    text = for_engine(parse(f"{HEAD}a=fingerprint:{FINGERPRINT}\r\n{section}"), CODECS)
    assert FINGERPRINT in text


@pytest.mark.parametrize("missing", ["ice-ufrag", "ice-pwd", "fingerprint", "setup"])
def test_without_a_way_to_the_client_it_is_refused(missing: str) -> None:
    section = "".join(line + "\r\n" for line in audio().splitlines() if not line.startswith(f"a={missing}:"))
    with pytest.raises(SdpError, match=missing):
        engine(section)


def test_without_any_section_in_use_it_is_refused() -> None:
    with pytest.raises(SdpError, match="rejected"):
        engine(audio().replace("m=audio 9", "m=audio 0"))


@pytest.mark.parametrize("origin", ["", "o=- x 1 IN IP4 1.1.1.1", f"o={'n' * 100} 1 1 IN IP4 1.1.1.1"])
def test_an_unusable_origin_is_refused(origin: str) -> None:
    with pytest.raises(SdpError, match="o="):
        for_engine(parse(f"v=0\r\n{origin}\r\n{audio()}"), CODECS)


def test_a_line_or_a_section_that_janus_would_cut_is_refused() -> None:
    with pytest.raises(SdpError, match="too long"):
        engine(audio("0", "a=fmtp:111 " + "x" * 1000))
    with pytest.raises(SdpError, match="too long"):
        engine(video("0", *(f"a=extmap:{n} urn:{'x' * 100}" for n in range(1, 200))))


@settings(deadline=None)
@given(
    st.lists(
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=120),
        max_size=40,
    )
)
def test_whatever_a_client_adds_janus_gets_bounded_lines_or_nothing(noise: list[str]) -> None:
    try:
        text = engine(video("0", *(f"a={value}" for value in noise if not value.startswith("mid:"))))
    except SdpError:
        return
    description = parse(text)
    assert all(len(line) <= MAX_VALUE for line in text.splitlines())
    for section in description.sections:
        assert sum(len(line.encode()) + 2 for line in section.lines) <= MAX_SECTION_BYTES + 2 * MAX_VALUE


def test_simulcast_layers_are_kept_without_their_parameters() -> None:
    layers = ("a=rid:q send max-width=320", "a=rid:h send", "a=rid:f send", "a=rid:x send", "a=simulcast:send q;h;f")
    text = engine(video("0", *layers))
    assert [line for line in text.splitlines() if "rid:" in line] == ["a=rid:q send", "a=rid:h send", "a=rid:f send"]
    assert "a=simulcast:send q;h;f" in text


# Which section is which track.


def track(track_id: str, stream_id: str = "s", kind: str = "audio") -> PublishedTrack:
    return PublishedTrack(track_id, stream_id, "video" if kind == "video" else "audio")


def test_tracks_are_found_by_their_msid() -> None:
    offer = parse(HEAD + audio("0", "a=msid:s ta") + video("1", "a=msid:s tv"))
    assert match_tracks(offer, [track("tv", kind="video"), track("ta")]) == {"tv": "1", "ta": "0"}


def test_a_track_that_firefox_calls_differently_is_found_by_kind_and_stream() -> None:
    offer = parse(HEAD + audio("0", "a=msid:s {other}") + video("1", "a=msid:s2 {another}"))
    assert match_tracks(offer, [track("ta", "s"), track("tv", "s2", "video")]) == {"ta": "0", "tv": "1"}


def test_a_section_serves_one_track() -> None:
    offer = parse(HEAD + audio("0", "a=msid:s ta") + audio("1", "a=msid:s other"))
    assert match_tracks(offer, [track("tb"), track("ta")]) == {"ta": "0", "tb": "1"}


def test_sections_that_do_not_send_carry_no_track() -> None:
    silent = audio("0", "a=msid:s ta").replace("a=sendonly", "a=inactive")
    assert match_tracks(parse(HEAD + silent), [track("ta")]) == {}


# Offer after offer.


def test_later_offers_may_add_sections() -> None:
    check_successor(parse(HEAD + audio("0")), parse(HEAD + audio("0") + video("1")))


@pytest.mark.parametrize(
    "later", [HEAD + video("1"), HEAD + audio("1"), HEAD + video("0"), HEAD + video("1") + audio("0")]
)
def test_later_offers_may_not_drop_or_change_sections(later: str) -> None:
    with pytest.raises(SdpError, match="drops or changes"):
        check_successor(parse(HEAD + audio("0")), parse(later))


def test_an_offer_has_sections_and_at_most_one_for_data() -> None:
    data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:{}\r\n"
    with pytest.raises(SdpError, match="no media section"):
        check_successor(None, parse(HEAD))
    with pytest.raises(SdpError, match="more than one"):
        check_successor(None, parse(HEAD + data.format(0) + data.format(1)))
