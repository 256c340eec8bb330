"""Session descriptions cut into sections, and put together again. Pure.

Owns: what the demo's peer has to know about SDP (RFC 8866) beyond what aiortc does: which track a
section carries, and the split of the server's subscribe offer into the parts that have a transport
of their own.

Always holds: lines pass through unchanged and sections stay in their order, except BUNDLE groups and
fingerprints, whose meaning stays the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_BUNDLE = "a=group:BUNDLE"
_FINGERPRINT = "a=fingerprint:"


@dataclass(frozen=True, slots=True)
class Section:
    """One media section: its lines, the `m=` line first."""

    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`audio`, `video` or `application`."""
        return self.lines[0].removeprefix("m=").split(" ", 1)[0]

    @property
    def mid(self) -> str:
        return self.attribute("mid")

    @property
    def sends(self) -> bool:
        """Whether who wrote this description sends media in this section (RFC 3264 §5.1)."""
        given = [line[2:] for line in self.lines if line[2:] in DIRECTIONS]
        return not given or given[0] in ("sendrecv", "sendonly")

    def attribute(self, name: str) -> str:
        """The value of the first `a=<name>:<value>`, or ""."""
        start = f"a={name}:"
        return next((line[len(start) :] for line in self.lines if line.startswith(start)), "")

    def without(self, name: str) -> Section:
        return Section(tuple(line for line in self.lines if not line.startswith(f"a={name}:")))


@dataclass(frozen=True, slots=True)
class Description:
    """The session-level lines and the sections of an SDP."""

    head: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def bundles(self) -> list[list[str]]:
        """The mids of each BUNDLE group (RFC 9143), in the order of the groups."""
        return [line.split()[1:] for line in self.head if line.startswith(_BUNDLE)]

    def text(self) -> str:
        lines = [*self.head, *(line for section in self.sections for line in section.lines)]
        return "".join(f"{line}\r\n" for line in lines)

    def explicit(self) -> Description:
        """The same with the session's fingerprints moved into the sections that have none of their own.

        A section's own replaces the session's (RFC 8122 §5); aiortc 1.16 demands both to match.
        """
        common = tuple(line for line in self.head if line.startswith(_FINGERPRINT))
        head = tuple(line for line in self.head if not line.startswith(_FINGERPRINT))
        sections = (s if s.attribute("fingerprint") else Section(s.lines + common) for s in self.sections)
        return Description(head, tuple(sections))

    def part(self, mids: set[str]) -> Description:
        """The sections with these mids, and the BUNDLE groups cut down to them."""
        head = [line for line in self.head if not line.startswith(_BUNDLE)]
        kept = [[mid for mid in group if mid in mids] for group in self.bundles]
        head += [f"{_BUNDLE} {' '.join(group)}" for group in kept if group]
        return Description(tuple(head), tuple(s for s in self.sections if s.mid in mids))


class Parts(NamedTuple):
    """What one subscribe offer asks of two connections; None: nothing of that kind is offered."""

    media: Description | None
    channel: Description | None


def parse(sdp: str) -> Description:
    """Raises `ValueError` when a section has no mid, without which nothing can be matched to it."""
    head: list[str] = []
    sections: list[list[str]] = []
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append([line])
        elif line:
            (sections[-1] if sections else head).append(line)
    description = Description(tuple(head), tuple(Section(tuple(lines)) for lines in sections))
    for section in description.sections:
        if not section.mid:
            raise ValueError(f"the section {section.lines[0]!r} has no a=mid")
    return description


def split(offer: Description) -> Parts:
    """Separate an `m=application` section that shares no BUNDLE group with audio or video.

    The server terminates it elsewhere than the media: it has its own ICE, DTLS and candidates.
    """
    media = {section.mid for section in offer.sections if section.kind != "application"}
    shared = {mid for group in offer.bundles if media.intersection(group) for mid in group}
    own = {section.mid for section in offer.sections if section.kind == "application"} - shared
    rest = {section.mid for section in offer.sections} - own
    return Parts(offer.part(rest) if rest else None, offer.part(own) if own else None)


def merge(offer: Description, answers: list[Description]) -> Description:
    """One answer to `offer` from the answers to its parts.

    Raises `ValueError` when they do not answer exactly the sections of the offer.
    """
    answered = {section.mid: section for answer in answers for section in answer.sections}
    if set(answered) != {section.mid for section in offer.sections}:
        raise ValueError("the answers do not match the sections of the offer")
    head = [line for line in answers[0].head if not line.startswith(_BUNDLE)]
    head += [f"{_BUNDLE} {' '.join(group)}" for answer in answers for group in answer.bundles]
    return Description(tuple(head), tuple(answered[section.mid] for section in offer.sections))


def tracks_sent(offer: Description) -> dict[str, tuple[str, str]]:
    """Mid → (kind, track id) of the sections that carry a track (`a=msid:<stream id> <track id>`)."""
    sent: dict[str, tuple[str, str]] = {}
    for section in offer.sections:
        words = section.attribute("msid").split()
        if section.kind != "application" and section.sends and len(words) == 2:
            sent[section.mid] = (section.kind, words[1])
    return sent


def without_idle_tracks(offer: Description) -> Description:
    """Drop `a=msid` where nothing is sent: aiortc names the old track there, browsers do not."""
    sections = tuple(s if s.sends else s.without("msid") for s in offer.sections)
    return Description(offer.head, sections)
