"""SDP from clients: split, checked, never believed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.sdp import MAX_BYTES, MAX_LINE, MAX_SECTIONS, Sdp, SdpError, parse

MIDS = st.from_regex(r"[A-Za-z0-9_.{}\-]{1,16}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=60)
MEDIA = st.sampled_from(
    (
        "m=audio 9 UDP/TLS/RTP/SAVPF 111",
        "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    )
)


@st.composite
def descriptions(draw: st.DrawFn) -> str:
    """Well-formed SDP of any content."""
    lines = ["v=0", *(f"a={text}" for text in draw(st.lists(TEXT, max_size=4)))]
    for mid in draw(st.lists(MIDS, max_size=6, unique=True)):
        lines.append(draw(MEDIA))
        others = draw(st.lists(TEXT.filter(lambda text: not text.startswith("mid:")), max_size=4))
        lines += [f"a=mid:{mid}", *(f"a={text}" for text in others)]
    return draw(st.sampled_from(("\r\n", "\n"))).join(lines)


@settings(deadline=None)
@given(descriptions())
def test_what_was_parsed_is_rendered_and_parsed_to_the_same(text: str) -> None:
    description = parse(text)
    assert parse(description.render()) == description
    assert description.render().splitlines() == [line for line in text.splitlines() if line]


@settings(deadline=None)
@given(
    st.one_of(
        st.text(),
        descriptions().flatmap(lambda text: st.sampled_from([text[:i] for i in range(1, len(text), 7)] or [text])),
    )
)
def test_any_text_is_parsed_or_refused_with_one_error(text: str) -> None:
    try:
        description = parse(text)
    except SdpError:
        return
    assert isinstance(description, Sdp)


def section(mid: str, kind: str = "audio") -> str:
    return f"m={kind} 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "v=0"),
        ("hello", "v=0"),
        ("v=0\r\n" + "a=x\r\n" * MAX_BYTES, "more than"),
        ("v=0\r\na=" + "x" * MAX_LINE, "not a line"),
        ("v=0\r\nA=upper", "not a line"),
        ("v=0\r\na=bell\x07", "not a line"),
        ("v=0\r\na=café", "not a line"),
        ("v=0\r\na=lonely\rcr", "not a line"),
        ("v=0\r\n" + section("0", "text"), "not a media section"),
        ("v=0\r\nm=audio 99999 RTP 0\r\na=mid:0", "not a media section"),
        ("v=0\r\nm=audio 9 RTP\r\na=mid:0", "not a media section"),
        ("v=0\r\nm=audio 9 RTP 0\r\n", "a=mid"),
        ("v=0\r\n" + section("seventeen-letters"), "a=mid"),
        ("v=0\r\n" + section("a b"), "a=mid"),
        ("v=0\r\n" + section("0") + "a=mid:1", "a=mid"),
        ("v=0\r\n" + section("0") + section("0"), "same mid"),
        ("v=0\r\n" + "".join(section(str(i)) for i in range(MAX_SECTIONS + 1)), "sections"),
    ],
)
def test_malformed_text_is_refused_with_a_reason(text: str, complaint: str) -> None:
    with pytest.raises(SdpError, match=complaint):
        parse(text)


def test_a_section_tells_what_it_is() -> None:
    parsed = parse(
        "v=0\r\nm=video 0 UDP/TLS/RTP/SAVPF 96 97\r\na=mid:7\r\na=bundle-only\r\na=sendonly\r\n"
        "a=msid:stream track\r\na=rid:f send\r\na=rid:h send"
    ).sections[0]
    assert (parsed.kind, parsed.port, parsed.mid, parsed.direction) == ("video", 0, "7", "sendonly")
    assert parsed.formats == ("96", "97")
    assert not parsed.rejected
    assert parsed.msid == ("stream", "track")
    assert parsed.values("rid") == ("f send", "h send")
    assert parsed.without("bundle-only").rejected
