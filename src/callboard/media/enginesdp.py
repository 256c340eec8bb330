"""The SDP that Janus gets to see: rewritten from what the client sent, not passed through.

Owns: `for_engine`, `with_sound_repair`, `match_tracks`, `check_successor`.

Always holds: pure. Janus 1.1.2 writes session lines into 1 KiB, lines into 512 bytes and sections into 8 KiB,
cutting what is longer, and reads the result back without looking (`janus_sdp_write`, `sdp-utils.c`): a client
that could reach these limits could kill it. (Of 1,800 damaged offers passed through as they were, one did;
rewritten, none.) So only the attributes below get through, each in a checked form, each section within its
bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from callboard.media.candidates import parse_candidate
from callboard.media.contract import PublishedTrack
from callboard.media.sdp import Sdp, SdpError, Section, attribute_name
from callboard.media.splice import spread

MAX_SECTION_BYTES: Final = 7000
MAX_VALUE: Final = 400
MAX_CANDIDATES: Final = 32
MAX_RIDS: Final = 3

_ORIGIN: Final = re.compile(r"o=\S{1,64} [0-9]{1,19} [0-9]{1,19} IN IP[46] \S{1,64}")
_HEX_PAIRS: Final = r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}"
_SHAPES: Final = {
    "mid": re.compile(r".*"),  # checked by sdp.parse
    "msid": re.compile(r"\S{1,64} \S{1,64}"),
    "ice-ufrag": re.compile(r"[A-Za-z0-9+/]{4,256}"),
    "ice-pwd": re.compile(r"[A-Za-z0-9+/]{22,256}"),
    "setup": re.compile(r"actpass|active|passive"),
    "fingerprint": re.compile(r"(?i:sha-256) " + _HEX_PAIRS),
    "extmap": re.compile(r"[0-9]{1,3}(?:/[a-z]{1,8})? [\x21-\x7e]{1,120}"),
    "ssrc-group": re.compile(r"(?:SIM|FID)(?: [0-9]{1,10}){2,3}"),
    "simulcast": re.compile(r"(?:send|recv) [~A-Za-z0-9;,_\-]{1,64}"),
    "sctp-port": re.compile(r"[0-9]{1,5}"),
    "max-message-size": re.compile(r"[0-9]{1,10}"),
}
_FLAGS: Final = ("sendrecv", "sendonly", "recvonly", "inactive", "rtcp-mux", "bundle-only")
_RID: Final = re.compile(r"([A-Za-z0-9_\-]{1,15}) (send|recv)\b.*")
_RTPMAP: Final = re.compile(r"([0-9]{1,3}) ([A-Za-z0-9\-.]{1,30})/[0-9]{1,6}(?:/[0-9]{1,2})?")
_APT: Final = re.compile(r"[0-9]{1,3} (?:.*;)?apt=([0-9]{1,3})(?:;.*)?")
_SSRC: Final = re.compile(r"([0-9]{1,10})(?: .*)?")


def for_engine(sdp: Sdp, codecs: Iterable[str]) -> str:
    """`sdp` in the only form that Janus is given; of the payload types those of `codecs` (lower case, and
    rtx).

    Raises `SdpError` when something Janus needs is missing, malformed or too long.
    """
    wanted = frozenset(codecs)
    origin = next((line for line in sdp.head if line.startswith("o=")), "")
    if _ORIGIN.fullmatch(origin) is None:
        raise SdpError("the SDP has no usable o= line")
    sections = tuple(_section(section, wanted) for section in spread(sdp).sections)
    _check_transport(next((section for section in sections if not section.rejected), None))
    return Sdp(("v=0", origin, "s=-", "t=0 0"), sections).render()


def with_sound_repair(sdp: Sdp) -> Sdp:
    """With the attribute that makes Janus ask again for packets of sound that were lost (RFC 4585 §4.2).

    Clients don't offer it for sound, but Chromium, Firefox and aiortc send again what they are asked for. One that does
    not loses nothing by being asked.
    """
    return replace(sdp, sections=tuple(_with_sound_repair(section) for section in sdp.sections))


def _with_sound_repair(section: Section) -> Section:
    if section.kind != "audio":
        return section
    found = [_RTPMAP.fullmatch(value) for value in section.values("rtpmap")]
    lines = [f"a=rtcp-fb:{one[1]} nack" for one in found if one is not None and one[2].lower() == "opus"]
    return section.with_lines(line for line in lines if line not in section.lines)


def _section(section: Section, codecs: frozenset[str]) -> Section:
    kept = _payload_types(section, codecs)
    formats = kept or section.formats[:1]
    media = f"m={section.kind} {section.port} {section.protocol} {' '.join(formats)}"
    lines = [media, "c=IN IP4 0.0.0.0", *_attributes(section), *_codec_lines(section, kept)]
    lines += [*_rids(section), *_sources(section), *_candidates(section)]
    size = sum(len(line) + 2 for line in lines)
    if size > MAX_SECTION_BYTES or any(len(line) > MAX_VALUE for line in lines):
        raise SdpError(f"the media section {section.mid} is too long")
    return Section(tuple(lines))


def _attributes(section: Section) -> list[str]:
    """The attributes whose form is fixed. Unusable ones are left out; so are fingerprints other than SHA-256."""
    lines = []
    for line in section.lines[1:]:
        name, _, value = line[2:].partition(":")
        if not line.startswith("a="):
            continue
        shape = _SHAPES.get(name)
        if (shape is not None and shape.fullmatch(value)) or (not value and name in _FLAGS):
            lines.append(line)
    return lines


def _check_transport(first: Section | None) -> None:
    """All sections are bundled on the first in use: that one has to say how to reach the client."""
    if first is None:
        raise SdpError("every media section is rejected")
    for name in ("ice-ufrag", "ice-pwd", "fingerprint", "setup"):
        if first.value(name) is None:
            raise SdpError(f"the media section {first.mid} has no usable a={name}")


def _payload_types(section: Section, codecs: frozenset[str]) -> tuple[str, ...]:
    if section.kind == "application":
        return section.formats[:1]
    names = {}
    for value in section.values("rtpmap"):
        found = _RTPMAP.fullmatch(value)
        if found is not None and int(found[1]) < 128:
            names[found[1]] = found[2].lower()
    media = {payload for payload, name in names.items() if name in codecs}
    repair = set()
    for value in section.values("fmtp"):
        apt = _APT.fullmatch(value)
        if apt is not None and apt[1] in media and names.get(value.split(" ")[0]) == "rtx":
            repair.add(value.split(" ")[0])
    return tuple(payload for payload in section.formats if payload in media | repair)


def _codec_lines(section: Section, kept: tuple[str, ...]) -> list[str]:
    return [
        line
        for line in section.lines
        if attribute_name(line) in ("rtpmap", "fmtp", "rtcp-fb")
        and line.split(":", 1)[-1].split(" ")[0] in (*kept, "*")
    ]


def _rids(section: Section) -> list[str]:
    found = [_RID.fullmatch(value) for value in section.values("rid")]
    return [f"a=rid:{rid[1]} {rid[2]}" for rid in found if rid is not None][:MAX_RIDS]


def _sources(section: Section) -> list[str]:
    found = [_SSRC.fullmatch(value) for value in section.values("ssrc")]
    # One line for each source is enough: Janus reads nothing but its number.
    numbers = dict.fromkeys(source[1] for source in found if source is not None and int(source[1]) < 2**32)
    return [f"a=ssrc:{number} cname:callboard" for number in list(numbers)[:12]]


def _candidates(section: Section) -> list[str]:
    parsed = [parse_candidate(value) for value in section.values("candidate")[:MAX_CANDIDATES]]
    return [f"a={candidate.render()}" for candidate in parsed if candidate is not None]


def check_successor(before: Sdp | None, offer: Sdp) -> None:
    """A renegotiation keeps its sections: same place, kind and mid, none dropped (RFC 8829 §5.2.2).

    Raises `SdpError`. Janus only warns and goes on with a muddle.
    """
    if sum(section.kind == "application" for section in offer.sections) > 1:
        raise SdpError("more than one application section")
    if not offer.sections:
        raise SdpError("the offer has no media section")
    if before is None:
        return
    known = [(section.mid, section.kind) for section in before.sections]
    if [(section.mid, section.kind) for section in offer.sections[: len(known)]] != known:
        raise SdpError("the offer drops or changes media sections that were negotiated before")


def match_tracks(offer: Sdp, tracks: Sequence[PublishedTrack]) -> dict[str, str]:
    """Where each track is: track id → mid, by `a=msid`, else by kind and stream id (signal.md §5.2).

    Tracks without a section that sends are not in the result.
    """
    sending = [
        section
        for section in offer.sections
        if section.kind != "application" and not section.rejected and section.direction in ("sendonly", "sendrecv")
    ]
    mids = {}
    for track in tracks:
        for section in sending:
            if section.msid is not None and section.msid[1] == track.track_id and section.kind == track.kind:
                mids[track.track_id] = section.mid
    for track in tracks:
        if track.track_id in mids:
            continue
        for section in sending:
            free = section.mid not in mids.values()
            if free and section.kind == track.kind and (section.msid or ("", ""))[0] == track.stream_id:
                mids[track.track_id] = section.mid
                break
    return mids
