"""Which of this host's addresses media may use.

Owns: `host_addresses`, `choose_addresses`.

Always holds: the result is never empty and never loopback. Janus never offers loopback, and given a list in
which nothing matches it silently offers every address instead (janus.md §3): so the list is checked here.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import ifaddr

from callboard.media.contract import EngineStartError


def host_addresses() -> list[str]:
    """This host's addresses but loopback and link-local ones, IPv4 first."""
    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            address = ipaddress.ip_address(text)
            if not address.is_loopback and not address.is_link_local:
                found.append(address)
    return [str(address) for address in sorted(set(found), key=lambda a: (a.version, int(a)))]


def choose_addresses(wanted: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """The addresses to offer: `wanted`, or all that are `present`. Raises `EngineStartError` with what to do."""
    if not wanted:
        if not present:
            raise EngineStartError(
                "this host has no network address but loopback, and WebRTC media cannot use loopback: "
                "give the host an address that clients can reach (on one machine alone, for example: "
                "`ip link add dummy0 type dummy; ip addr add 192.0.2.1/32 dev dummy0; ip link set dummy0 up`)"
            )
        return tuple(present)
    missing = [address for address in wanted if address not in present]
    if missing:
        raise EngineStartError(
            f"the ICE addresses {', '.join(missing)} are not addresses of this host that media can use; "
            f"it has {', '.join(present) or 'none but loopback'}"
        )
    return tuple(wanted)
