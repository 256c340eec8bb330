"""SDP, as little of it as we need: lines, media sections, and the rules for text that comes from clients.

Owns: `Sdp`, `Section`, `parse`, `SdpError`.

Always holds: pure. Whatever the text, `parse` either returns an `Sdp` within the limits below or raises
`SdpError`. Every section of an `Sdp` has a media kind we know and a mid of its own. `parse(render(s)) == s`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

MAX_BYTES: Final = 512 * 1024
MAX_LINE: Final = 2048
MAX_SECTIONS: Final = 256
MAX_LINES: Final = 20_000

_KINDS: Final = ("audio", "video", "application")
_MEDIA: Final = re.compile(r"m=([a-z]{1,16}) ([0-9]{1,5}) ([A-Za-z0-9/.\-]{1,40})((?: [A-Za-z0-9\-]{1,64}){1,128})")
_MID: Final = re.compile(r"[A-Za-z0-9_.{}\-]{1,16}")  # Janus refuses longer ones
_LINE: Final = re.compile(r"[a-z]=[\x20-\x7e]+")  # so characters are bytes: Janus counts those
_DIRECTIONS: Final = ("sendrecv", "sendonly", "recvonly", "inactive")


class SdpError(ValueError):
    """The SDP is malformed, too large, or not what was expected at this point."""


@dataclass(frozen=True, slots=True)
class Section:
    """One media section: its `m=` line and the lines below it."""

    lines: tuple[str, ...]

    @property
    def kind(self) -> str:
        """`audio`, `video` or `application`."""
        return self.lines[0][2:].split(" ", 1)[0]

    @property
    def port(self) -> int:
        """0 means rejected, unless the section is `bundle-only`."""
        return int(self.lines[0].split(" ")[1])

    @property
    def protocol(self) -> str:
        return self.lines[0].split(" ")[2]

    @property
    def formats(self) -> tuple[str, ...]:
        """Payload types of an RTP section, `webrtc-datachannel` of a data section."""
        return tuple(self.lines[0].split(" ")[3:])

    @property
    def mid(self) -> str:
        return self.value("mid") or ""

    @property
    def rejected(self) -> bool:
        return self.port == 0 and "a=bundle-only" not in self.lines

    @property
    def direction(self) -> str:
        for line in self.lines:
            if line[2:] in _DIRECTIONS and line.startswith("a="):
                return line[2:]
        return "sendrecv"

    @property
    def msid(self) -> tuple[str, str] | None:
        """`(stream id, track id)` of `a=msid`, when it names both."""
        words = (self.value("msid") or "").split(" ")
        return (words[0], words[1]) if len(words) >= 2 and words[0] and words[1] else None

    def value(self, name: str) -> str | None:
        """What stands behind the first `a=<name>:`."""
        return first_value(self.lines, name)

    def values(self, name: str) -> tuple[str, ...]:
        """What stands behind every `a=<name>:`."""
        prefix = f"a={name}:"
        return tuple(line[len(prefix) :] for line in self.lines if line.startswith(prefix))

    def without(self, *names: str) -> Section:
        """Without the attributes `names` (with or without a value)."""
        return Section(tuple(line for line in self.lines if attribute_name(line) not in names))

    def with_lines(self, lines: Iterable[str]) -> Section:
        """With `lines` below the others."""
        return Section((*self.lines, *lines))


@dataclass(frozen=True, slots=True)
class Sdp:
    """A session description: the lines before the first section, and the sections in their order."""

    head: tuple[str, ...]
    sections: tuple[Section, ...]

    def section(self, mid: str) -> Section | None:
        return next((section for section in self.sections if section.mid == mid), None)

    def without(self, mid: str) -> Sdp:
        """Without the section `mid`."""
        return replace(self, sections=tuple(section for section in self.sections if section.mid != mid))

    def render(self) -> str:
        lines = [*self.head, *(line for section in self.sections for line in section.lines)]
        return "\r\n".join(lines) + "\r\n"


def attribute_name(line: str) -> str | None:
    """`mid` of `a=mid:0`; `None` when the line is no attribute."""
    return line[2:].split(":", 1)[0] if line.startswith("a=") else None


def first_value(lines: Iterable[str], name: str) -> str | None:
    prefix = f"a={name}:"
    return next((line[len(prefix) :] for line in lines if line.startswith(prefix)), None)


def parse(text: str) -> Sdp:
    """Split `text` and check its limits. Raises `SdpError` for anything that is not plain, bounded SDP."""
    if len(text) > MAX_BYTES:
        raise SdpError(f"the SDP has more than {MAX_BYTES} characters")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line]
    if not lines or lines[0] != "v=0":
        raise SdpError("the SDP does not begin with v=0")
    if len(lines) > MAX_LINES:
        raise SdpError(f"the SDP has more than {MAX_LINES} lines")
    for line in lines:
        if len(line) > MAX_LINE or _LINE.fullmatch(line) is None:
            raise SdpError(f"not a line of SDP: {line[:40]!r}")
    head, sections = _split(lines)
    if len(sections) > MAX_SECTIONS:
        raise SdpError(f"the SDP has more than {MAX_SECTIONS} media sections")
    for section in sections:
        _check(section)
    mids = [section.mid for section in sections]
    if len(set(mids)) != len(mids):
        raise SdpError("two media sections have the same mid")
    return Sdp(head, sections)


def _split(lines: list[str]) -> tuple[tuple[str, ...], tuple[Section, ...]]:
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    ends = [*starts[1:], len(lines)]
    head = tuple(lines[: starts[0]] if starts else lines)
    return head, tuple(Section(tuple(lines[a:b])) for a, b in zip(starts, ends, strict=False))


def _check(section: Section) -> None:
    found = _MEDIA.fullmatch(section.lines[0])
    if found is None or found[1] not in _KINDS or int(found[2]) > 65535:
        raise SdpError(f"not a media section we know: {section.lines[0][:60]!r}")
    if len(section.values("mid")) != 1 or _MID.fullmatch(section.mid) is None:
        raise SdpError(f"the section {section.lines[0][:30]!r} has no usable a=mid")
