"""How often something may be asked: token buckets, one for each who asks.

Owns: `Rates`, and under which name an address counts.

Always holds: memory is bounded: when there are `most` buckets, the one that was used longest ago makes room. Who comes
back after that has a full bucket, which it would soon have had anyway.
"""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, IPv6Network, ip_address


class Rates:
    """`burst` at once, and `per_second` on and on. Instants are seconds of a clock that never goes back."""

    def __init__(self, per_second: float, burst: int, *, most: int = 10_000) -> None:
        self._per_second = per_second
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, who: str, now: float) -> float:
        """0 if `who` may ask now, which counts; else after how many seconds it may."""
        left, since = self._buckets.pop(who, (float(self._burst), now))
        left = min(self._burst, left + (now - since) * self._per_second)
        wait = 0.0 if left >= 1 else (1 - left) / self._per_second
        self._buckets[who] = (left if wait else left - 1, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return wait


def counted_as(address: str) -> str:
    """The name under which an address counts: all of an IPv6 network of 64 bits, which one customer has, are one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or IPv6Network((found, 64), strict=False))
    return str(found)
