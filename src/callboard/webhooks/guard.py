"""Which addresses, hosts and ports may be delivered to. Pure.

Owns: `Reach` and `reach_of` (what an address is), `Policy` (what the operator allows of it).

Always holds: an address that carries another one in it (IPv4 in IPv6) is reached no more easily than what it carries.
What belongs to this machine or to a private network is refused unless the operator names its network; metadata
services, link-local, multicast, broadcast, unspecified and reserved addresses are refused whatever is set. Who asks
learns only that an address is refused, the same for all of them.

The ranges are those of IANA's special-purpose registries (RFC 6890), and the clouds' metadata addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Reach(IntEnum):
    """Who may be delivered to at an address; the higher, the fewer."""

    PUBLIC = 0
    RESTRICTED = 1
    """Only where the operator names its network."""
    NEVER = 2


def _v4(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(IPv4Network(text) for text in texts)


def _v6(*texts: str) -> tuple[IPv6Network, ...]:
    return tuple(IPv6Network(text) for text in texts)


NEVER_V4 = _v4(
    "0.0.0.0/8",  # this host
    "169.254.0.0/16",  # link-local, and most metadata services
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "100.100.100.200/32",  # metadata: Alibaba
    "168.63.129.16/32",  # metadata: Azure
    "192.0.0.192/32",  # metadata: Oracle
)
RESTRICTED_V4 = _v4(
    "10.0.0.0/8",
    "100.64.0.0/10",  # shared, carrier-grade NAT
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays
    "192.168.0.0/16",
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
)
NEVER_V6 = _v6(
    "::/128",
    "100::/64",  # discarded
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
    "fd00:ec2::254/128",  # metadata: AWS
    "fd20:ce::254/128",  # metadata: Google
)
NAT64 = IPv6Network("64:ff9b::/96")
RESTRICTED_V6 = _v6(
    "::1/128",
    "::/96",  # IPv4-compatible
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b:1::/48",  # NAT64 of one's own
    "2001::/23",  # protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "3fff::/20",  # documentation
    "fc00::/7",  # unique local
    "fec0::/10",  # site-local
)
GLOBAL_V6 = IPv6Network("2000::/3")
"""What is neither in here nor named above is not assigned to anybody."""

_LOOPBACK = IPv6Address("::1")
_COMPATIBLE, _TRANSLATED, _OWN_NAT64 = RESTRICTED_V6[1:4]
_LOW = 0xFFFF_FFFF


def reach_of(address: Address) -> Reach:
    """What the address is, with what it carries."""
    address = plain(address)
    return max(_alone(one) for one in (address, *carried_by(address)))


def plain(address: Address) -> Address:
    """An IPv4-mapped address as what it is; the kernel makes an IPv4 connection of it (RFC 4291 §2.5.5.2)."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def carried_by(address: Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses in an IPv6 address that a router on the way may unwrap."""
    if not isinstance(address, IPv6Address) or address == _LOOPBACK:
        return
    bits = int(address)
    low = IPv4Address(bits & _LOW)
    if any(address in network for network in (NAT64, _COMPATIBLE, _TRANSLATED, _OWN_NAT64)):
        yield low
    if bits >> 32 & 0xFCFF_FFFF == 0x5EFE:  # ISATAP, the interface identifier 0:5efe or 200:5efe (RFC 5214 §6.1)
        yield low
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def _alone(address: Address) -> Reach:
    """What the address is, whatever it carries."""
    return _reach_v4(address) if isinstance(address, IPv4Address) else _reach_v6(address)


def _reach_v4(address: IPv4Address) -> Reach:
    if any(address in network for network in NEVER_V4):
        return Reach.NEVER
    return Reach.RESTRICTED if any(address in network for network in RESTRICTED_V4) else Reach.PUBLIC


def _reach_v6(address: IPv6Address) -> Reach:
    if address.scope_id or any(address in network for network in NEVER_V6):
        return Reach.NEVER
    if any(address in network for network in RESTRICTED_V6):
        return Reach.RESTRICTED
    return Reach.PUBLIC if address in GLOBAL_V6 or address in NAT64 else Reach.NEVER


DENIED_PORTS = (
    *(20, 21, 22, 23, 25, 53, 69, 110, 111, 119, 123, 135, 137, 139, 143, 161, 179, 389, 445, 465, 512, 513, 514, 515),
    *(587, 636, 993, 995, 1433, 1521, 2049, 2375, 2376, 2379, 2380, 3306, 3389, 5432, 5672, 5900, 6000, 6379, 6443),
    *(9042, 9200, 9300, 10250, 11211, 27017),
)
"""Ports of well-known services that are not web servers for the public: mail, shells, databases, orchestrators."""


def parse_network(text: str) -> Network:
    """A network that may be allowed. Raises `ValueError`, saying what is wrong with it."""
    network = ip_network(text)
    if network.version == 6 and (mapped := plain(network.network_address)).version == 4:
        raise ValueError(f"{text}: must be written as an IPv4 network ({mapped}/…)")
    if any(_within(network, other) for other in _NEVER):
        raise ValueError(f"{text}: is never delivered to (link-local, metadata, multicast, reserved, unspecified)")
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError(f"{text}: is too wide: name the networks that are meant, as 10.0.0.0/8")
    return network


_NEVER: tuple[Network, ...] = (*NEVER_V4, *NEVER_V6)
_WIDEST = {4: 8, 6: 7}


def _within(network: Network, other: Network) -> bool:
    """Whether all of `network` is in `other`."""
    if isinstance(network, IPv4Network):
        return isinstance(other, IPv4Network) and network.subnet_of(other)
    return isinstance(other, IPv6Network) and network.subnet_of(other)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator lets deliveries reach: `allowed` networks beside the public ones, no `denied_ports`, and
    never `own_ports` on this machine, where we listen ourselves.
    """

    allowed: tuple[Network, ...] = ()
    denied_ports: frozenset[int] = frozenset(DENIED_PORTS)
    own_ports: frozenset[int] = frozenset()

    def permits(self, address: Address, port: int, *, local: bool = False) -> bool:
        """Whether connections to `address` and `port` may be made. `local`: the address is this machine's."""
        address = plain(address)
        reach = reach_of(address)
        local = local or address.is_loopback
        if reach is Reach.NEVER or port in self.denied_ports or (local and port in self.own_ports):
            return False
        if reach is Reach.PUBLIC and not local:
            return True
        if local and not self._named(address):
            return False
        return all(self._named(one) for one in (address, *carried_by(address)) if _alone(one))

    def _named(self, address: Address) -> bool:
        return any(address in network for network in self.allowed)
