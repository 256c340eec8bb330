"""The API section goes into the offer and out of the answer; tracks get their names."""

from __future__ import annotations

import pytest

from callboard.media.sdp import Sdp, SdpError, Section, parse
from callboard.media.splice import API_MID, compose_offer, named, regroup, split_answer, spread

API = Section(
    (
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        f"a=mid:{API_MID}",
        "a=fingerprint:sha-256 AA",
        "a=setup:actpass",
    )
)


def janus_offer(*mids: str) -> Sdp:
    sections = "".join(
        f"m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:{mid}\r\na=sendonly\r\na=msid:janus janus{mid}\r\n"
        f"a=ssrc:1 cname:janus\r\na=ssrc:1 msid:janus janus{mid}\r\n"
        for mid in mids
    )
    group = "a=group:BUNDLE " + " ".join(mids)
    return parse(f"v=0\r\no=- 5 1 IN IP4 1.1.1.1\r\ns=x\r\nt=0 0\r\n{group}\r\na=fingerprint:sha-256 BB\r\n{sections}")


def client_answer(offer: str, *, session_level: bool = False) -> str:
    """As a browser answers: its own order of lines, one BUNDLE line or two, fingerprint where it likes."""
    head = ["v=0", "o=mozilla 9 0 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    lines = []
    for section in parse(offer).sections:
        lines += [section.lines[0], f"a=mid:{section.mid}", "a=ice-ufrag:abcd", "a=ice-pwd:" + "x" * 24]
        lines += ["a=setup:active"] + ([] if session_level else ["a=fingerprint:sha-256 CC"])
    groups = [line for line in parse(offer).head if line.startswith("a=group")]
    fingerprint = ["a=fingerprint:sha-256 CC"] if session_level else []
    return "\r\n".join([*head, *groups, *fingerprint, *lines]) + "\r\n"


def test_the_api_section_is_first_and_has_a_bundle_group_of_its_own() -> None:
    offer = parse(compose_offer(janus_offer("0", "1"), API, {}, 7, 3))
    assert [section.mid for section in offer.sections] == ["1000", "0", "1"]
    assert [line for line in offer.head if line.startswith("a=group")] == [
        "a=group:BUNDLE 0 1",
        "a=group:BUNDLE 1000",
    ]
    assert "o=- 7 3 IN IP4 0.0.0.0" in offer.head


def test_the_first_offer_holds_the_api_section_alone() -> None:
    offer = parse(compose_offer(None, API, {}, 7, 1))
    assert [section.mid for section in offer.sections] == ["1000"]
    assert [line for line in offer.head if line.startswith("a=group")] == ["a=group:BUNDLE 1000"]


def test_each_side_keeps_its_own_fingerprint() -> None:
    offer = parse(compose_offer(janus_offer("0"), API, {}, 7, 1))
    assert [section.value("fingerprint") for section in offer.sections] == ["sha-256 AA", "sha-256 BB"]
    assert not any("fingerprint" in line for line in offer.head)


def test_tracks_are_offered_under_the_names_their_publishers_gave_them() -> None:
    offer = parse(compose_offer(janus_offer("0", "1"), API, {"0": ("stream", "{track}")}, 7, 1))
    assert offer.sections[1].msid == ("stream", "{track}")
    assert offer.sections[2].msid is None
    assert "msid:janus" not in offer.render()
    assert offer.sections[1].values("ssrc") == ("1 cname:janus",)


@pytest.mark.parametrize("session_level", [False, True])
def test_an_answer_is_cut_in_two(session_level: bool) -> None:
    media = janus_offer("0", "1")
    answer = client_answer(compose_offer(media, API, {}, 7, 1), session_level=session_level)
    api, rest = split_answer(parse(answer), media)
    assert api.mid == API_MID
    assert api.value("fingerprint") == "sha-256 CC"
    assert rest is not None
    assert [section.mid for section in rest.sections] == ["0", "1"]
    assert [line for line in rest.head if line.startswith("a=group")] == ["a=group:BUNDLE 0 1"]
    assert all(section.value("fingerprint") == "sha-256 CC" for section in rest.sections)


def test_an_answer_to_the_api_section_alone_has_nothing_for_janus() -> None:
    answer = client_answer(compose_offer(None, API, {}, 7, 1))
    assert split_answer(parse(answer), None)[1] is None


@pytest.mark.parametrize("drop", ["1000", "0", "1"])
def test_an_answer_that_lacks_a_section_is_refused(drop: str) -> None:
    media = janus_offer("0", "1")
    answer = parse(client_answer(compose_offer(media, API, {}, 7, 1)))
    with pytest.raises(SdpError, match="sections"):
        split_answer(answer.without(drop), media)


def test_an_answer_in_another_order_is_refused() -> None:
    media = janus_offer("0", "1")
    answer = parse(client_answer(compose_offer(media, API, {}, 7, 1)))
    with pytest.raises(SdpError, match="sections"):
        split_answer(Sdp(answer.head, answer.sections[::-1]), media)


def test_a_group_line_that_janus_cut_is_written_anew() -> None:
    mids = [str(number) for number in range(200)]
    offer = janus_offer(*mids)
    cut = Sdp(tuple(line[:300] for line in offer.head), offer.sections)
    assert "a=group:BUNDLE " + " ".join(mids) in regroup(cut).head


def test_rejected_sections_are_in_no_group() -> None:
    offer = parse(janus_offer("0", "1").render().replace("m=video 9", "m=video 0", 1))
    assert "a=group:BUNDLE 1" in regroup(offer).head


def test_spreading_does_not_overwrite_what_a_section_says_itself() -> None:
    description = parse("v=0\r\na=setup:active\r\nm=audio 9 RTP 0\r\na=mid:0\r\na=setup:passive\r\n")
    assert spread(description).sections[0].values("setup") == ("passive",)


def test_a_section_without_a_track_has_no_name() -> None:
    assert named(janus_offer("0").sections[0], None).msid is None
