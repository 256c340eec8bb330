"""ICE candidates that come from clients: parsed, judged and written anew.

Owns: `IceCandidate`, `parse_candidate`.

Always holds: nothing reaches an engine but component 1, UDP, a literal unicast address that is not this
host's loopback, in our own spelling. Browsers also trickle TCP, component 2, mDNS names and empty candidates
(janus.md §6); a client that is only behind mDNS is found as a peer-reflexive candidate instead.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

MAX_LENGTH: Final = 512

# RFC 8839 §5.1: foundation component transport priority address port "typ" type [raddr rport].
_CANDIDATE: Final = re.compile(
    r"(?:a=)?(?:candidate:)?(?P<foundation>[A-Za-z0-9+/]{1,32}) (?P<component>[0-9]{1,5})"
    r" (?P<transport>[A-Za-z]{3}) (?P<priority>[0-9]{1,10}) (?P<address>[0-9A-Fa-f:.]{2,45})"
    r" (?P<port>[0-9]{1,5}) typ (?P<type>host|srflx|prflx|relay)"
    r"(?: raddr (?P<raddr>[0-9A-Fa-f:.]{2,45}) rport (?P<rport>[0-9]{1,5}))?(?: .*)?"
)


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A usable candidate: UDP, component 1."""

    foundation: str
    priority: int
    address: str
    port: int
    kind: str

    def render(self) -> str:
        """As it stands in a trickled candidate, or behind `a=` in SDP."""
        base = f"candidate:{self.foundation} 1 udp {self.priority} {self.address} {self.port} typ {self.kind}"
        if self.kind == "host":
            return base
        # Where the client itself sits is nobody's business; the attribute is mandatory (RFC 8839 §5.1).
        return base + (" raddr :: rport 9" if ":" in self.address else " raddr 0.0.0.0 rport 9")


def parse_candidate(text: str) -> IceCandidate | None:
    """The candidate in `text`, or `None` when it is malformed or of no use here. Never raises."""
    if len(text) > MAX_LENGTH:
        return None
    found = _CANDIDATE.fullmatch(text.strip())
    if found is None or int(found["component"]) != 1 or found["transport"].lower() != "udp":
        return None
    priority, port = int(found["priority"]), int(found["port"])
    address = _unicast(found["address"])
    if address is None or not 0 < port < 65536 or not 0 < priority < 2**32:
        return None
    return IceCandidate(found["foundation"], priority, address, port, found["type"])


def _unicast(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return None
    return str(address)
