"""Splitting the server's offer by transport, and merging the answers."""

from __future__ import annotations

import pytest

from callboard.demo.sections import merge, parse, split, tracks_sent, without_idle_tracks

CHANNEL = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.1
a=mid:1000
a=sctp-port:5000
a=fingerprint:sha-256 CC"""

AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111
a=mid:0
a=sendonly
a=msid:stream-1 track-a"""

VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 96
a=mid:1
a=inactive
a=msid:stream-1 track-v"""


def sdp(*groups: str, sections: tuple[str, ...] = (CHANNEL, AUDIO, VIDEO)) -> str:
    head = ["v=0", "s=-", *(f"a=group:BUNDLE {group}" for group in groups), "a=fingerprint:sha-256 AA"]
    return "\r\n".join([*head, *("\r\n".join(section.splitlines()) for section in sections)]) + "\r\n"


@pytest.mark.parametrize("groups", [("0 1", "1000"), ("1000", "0 1")])
def test_a_channel_in_a_group_of_its_own_is_split_from_the_media(groups: tuple[str, ...]) -> None:
    media, channel = split(parse(sdp(*groups)))
    assert media is not None
    assert channel is not None
    assert [section.mid for section in media.sections] == ["0", "1"]
    assert media.bundles == [["0", "1"]]
    assert [section.mid for section in channel.sections] == ["1000"]
    assert channel.bundles == [["1000"]]


def test_a_channel_bundled_with_the_media_stays_with_it() -> None:
    media, channel = split(parse(sdp("1000 0 1")))
    assert channel is None
    assert media is not None
    assert media.bundles == [["1000", "0", "1"]]


def test_an_offer_of_the_channel_alone_is_split_from_nothing() -> None:
    media, channel = split(parse(sdp("1000", sections=(CHANNEL,))))
    assert media is None
    assert channel is not None


def test_answers_are_merged_in_the_order_of_the_offer_with_a_group_each() -> None:
    offer = parse(sdp("0 1", "1000"))
    media, channel = split(offer)
    assert media is not None
    assert channel is not None
    merged = merge(offer, [media, channel])
    assert [section.mid for section in merged.sections] == ["1000", "0", "1"]
    assert merged.bundles == [["0", "1"], ["1000"]]
    assert parse(merged.text()) == merged


def test_answers_that_leave_out_a_section_are_an_error() -> None:
    offer = parse(sdp("0 1", "1000"))
    media, _ = split(offer)
    assert media is not None
    with pytest.raises(ValueError, match="do not match"):
        merge(offer, [media])


def test_a_section_without_a_mid_is_an_error() -> None:
    with pytest.raises(ValueError, match="no a=mid"):
        parse("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n")


def test_only_sections_that_send_carry_a_track() -> None:
    assert tracks_sent(parse(sdp("0 1", "1000"))) == {"0": ("audio", "track-a")}


def test_the_session_s_fingerprint_goes_to_the_sections_that_have_none() -> None:
    explicit = parse(sdp("0 1", "1000")).explicit()
    assert [section.attribute("fingerprint") for section in explicit.sections] == [
        "sha-256 CC",
        "sha-256 AA",
        "sha-256 AA",
    ]
    assert not any(line.startswith("a=fingerprint") for line in explicit.head)


def test_an_idle_section_names_no_track() -> None:
    cleaned = without_idle_tracks(parse(sdp("0 1", "1000")))
    assert [section.attribute("msid") for section in cleaned.sections] == ["", "stream-1 track-a", ""]


def test_an_sdp_is_written_as_it_was_read() -> None:
    text = sdp("0 1", "1000")
    assert parse(text).text() == text
