"""What we do to the SDP of a subscribe connection: tracks get their names, the API channel's section goes in
and out.

Owns: `compose_offer`, `split_answer`, `regroup`, `spread`, `API_MID`.

Always holds: pure. In every offer the API section comes first, with the mid 1000 and a BUNDLE group of its
own (the one form that Chromium and Firefox both took, janus.md §6), so Janus's sections keep the order Janus
gave them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from callboard.media.sdp import Sdp, SdpError, Section, attribute_name, first_value

API_MID: Final = "1000"
"""Decimal, because the client reads mids as numbers (signal.md §5.3), and clear of Janus's 0, 1, 2, …"""
MAX_MEDIA_SECTIONS: Final = 250

_SPREAD: Final = ("fingerprint", "setup", "ice-ufrag", "ice-pwd")


def spread(sdp: Sdp) -> Sdp:
    """Write what stands at session level (Firefox and Janus put the fingerprint there) into each section."""
    sections = tuple(_completed(section, sdp.head) for section in sdp.sections)
    head = tuple(line for line in sdp.head if attribute_name(line) not in _SPREAD)
    return Sdp(head, sections)


def _completed(section: Section, head: tuple[str, ...]) -> Section:
    missing = []
    for name in _SPREAD:
        value = first_value(head, name)
        if value is not None and section.value(name) is None:
            missing.append(f"a={name}:{value}")
    return section.with_lines(missing)


def named(section: Section, track: tuple[str, str] | None) -> Section:
    """With the `a=msid` of `track`, `(stream id, track id)`; without any when there is no track."""
    lines = tuple(
        line
        for line in section.lines
        if not (line.startswith("a=ssrc:") and (" msid:" in line or " mslabel:" in line or " label:" in line))
    )
    bare = Section(lines).without("msid")
    return bare if track is None else bare.with_lines([f"a=msid:{track[0]} {track[1]}"])


def compose_offer(
    media: Sdp | None,
    api: Section,
    tracks: Mapping[str, tuple[str, str]],
    session_id: int,
    version: int,
) -> str:
    """The offer for the client: the API section `api`, then Janus's `media` sections under their tracks'
    names.

    `tracks` maps Janus's mids to `(stream id, track id)`. Sections without an entry are inactive ones.
    """
    sections = spread(media).sections if media is not None else ()
    groups = [_group(section.mid for section in sections if not section.rejected), _group([API_MID])]
    head = (
        "v=0",
        f"o=- {session_id} {version} IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        *(group for group in groups if group is not None),
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
    )
    return Sdp(head, (api, *(named(section, tracks.get(section.mid)) for section in sections))).render()


def split_answer(answer: Sdp, media: Sdp | None) -> tuple[Section, Sdp | None]:
    """The client's answer, as its API section and the answer for Janus (`None` when Janus offered nothing).

    Raises `SdpError` unless the sections answer those that were offered, one by one.
    """
    complete = spread(answer)
    expected = [(API_MID, "application")]
    if media is not None:
        expected += [(section.mid, section.kind) for section in media.sections]
    if [(section.mid, section.kind) for section in complete.sections] != expected:
        raise SdpError("the answer's sections are not those of the offer")
    api = complete.sections[0]
    if media is None:
        return api, None
    return api, regroup(complete.without(API_MID))


def regroup(sdp: Sdp) -> Sdp:
    """With one BUNDLE group over all sections in use.

    Janus cuts its own group line at 511 bytes, that is after some 150 sections.
    """
    group = _group(section.mid for section in sdp.sections if not section.rejected)
    head = tuple(line for line in sdp.head if not line.startswith("a=group:BUNDLE"))
    return replace(sdp, head=head if group is None else (*head, group))


def _group(mids: Iterable[str]) -> str | None:
    listed = list(mids)
    return "a=group:BUNDLE " + " ".join(listed) if listed else None
