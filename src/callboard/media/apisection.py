"""The `m=application` section of the API channel, as text and as parameters.

Owns: `LocalEnd`, `RemoteEnd`, `render_section`, `parse_section`.

Always holds: pure. `parse_section` takes what clients send: a `RemoteEnd`, or `SdpError`. Sources: RFC 8841
(SCTP in SDP), RFC 8839 (ICE in SDP), RFC 8842 (DTLS in SDP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from callboard.media.candidates import IceCandidate, parse_candidate
from callboard.media.sdp import SdpError, Section
from callboard.media.splice import API_MID

SCTP_PORT: Final = 5000
MAX_MESSAGE: Final = 16 * 1024
"""Bytes of a message that we take, as told to the client."""
MAX_CANDIDATES: Final = 32

_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SHA256: Final = re.compile(r"(?i:sha-256) ([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31})")


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """What we offer. `fingerprint` is the SHA-256 of our certificate."""

    username: str
    password: str
    fingerprint: str
    candidates: tuple[IceCandidate, ...]


@dataclass(frozen=True, slots=True)
class RemoteEnd:
    """What the client answered. `role` is ours in the DTLS handshake that follows from it."""

    username: str
    password: str
    fingerprint: str
    role: Literal["client", "server"]
    sctp_port: int
    max_message: int
    candidates: tuple[IceCandidate, ...]


def render_section(local: LocalEnd, public_address: str | None = None) -> Section:
    """The section to offer. `public_address` stands in for our own of the same family (one-to-one NAT)."""
    candidates = [_public(candidate, public_address) for candidate in local.candidates]
    default = candidates[0] if candidates else None
    family = "IP6" if default is not None and ":" in default.address else "IP4"
    lines = [
        f"m=application {default.port if default else 9} UDP/DTLS/SCTP webrtc-datachannel",
        f"c=IN {family} {default.address if default else '0.0.0.0'}",  # noqa: S104 - RFC 8839 §4.2.1.1
        f"a=mid:{API_MID}",
        f"a=sctp-port:{SCTP_PORT}",
        f"a=max-message-size:{MAX_MESSAGE}",
        f"a=ice-ufrag:{local.username}",
        f"a=ice-pwd:{local.password}",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {local.fingerprint}",
        "a=setup:actpass",
        *(f"a={candidate.render()}" for candidate in candidates),
        "a=end-of-candidates",
    ]
    return Section(tuple(lines))


def parse_section(section: Section) -> RemoteEnd:
    """What the client's section says. Raises `SdpError` when it rejects the channel or something is missing."""
    if section.rejected:
        raise SdpError("the client rejected the API channel")
    username, password = section.value("ice-ufrag") or "", section.value("ice-pwd") or ""
    if _UFRAG.fullmatch(username) is None or _PASSWORD.fullmatch(password) is None:
        raise SdpError("the API section has no usable ICE credentials")
    fingerprint = _fingerprint(section.values("fingerprint"))
    setup = section.value("setup")
    if setup not in ("active", "passive"):
        raise SdpError("the API section has no usable a=setup")
    parsed = [parse_candidate(value) for value in section.values("candidate")[:MAX_CANDIDATES]]
    return RemoteEnd(
        username,
        password,
        fingerprint,
        "server" if setup == "active" else "client",
        _number(section.value("sctp-port"), SCTP_PORT, 65535),
        _number(section.value("max-message-size"), 65536, 2**32),
        tuple(candidate for candidate in parsed if candidate is not None),
    )


def _fingerprint(values: Sequence[str]) -> str:
    for value in values:
        found = _SHA256.fullmatch(value)
        if found is not None:
            return found[1].upper()
    raise SdpError("the API section has no SHA-256 fingerprint")


def _number(text: str | None, default: int, limit: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > limit:
        raise SdpError(f"the API section has an unusable number: {text[:20]!r}")
    return int(text)


def _public(candidate: IceCandidate, address: str | None) -> IceCandidate:
    if address is None or (":" in address) != (":" in candidate.address):
        return candidate
    return IceCandidate(candidate.foundation, candidate.priority, address, candidate.port, candidate.kind)
