"""Streams in shards, and which node holds which of them. Pure.

Owns: `shard_of`, `Tenure`, `Pulses`, `plan`.

Always holds: a stream is in the same shard for ever. Whoever sees the same nodes and shards comes to the same plan, in
which no two nodes claim the same shard; where they see differently for a moment, the guards on the rows decide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from callboard.ledger import Recorded

SHARDS = 64
"""As many as there are rows in `delivery_shard`: so many nodes can deliver at most."""


def shard_of(stream: str) -> int:
    """The shard of this stream: 0 to 63."""
    return crc32(stream.encode()) % SHARDS


@dataclass(frozen=True, eq=False, slots=True)
class Tenure:
    """The shards that a node holds, from one change of them to the next: compared by identity."""

    shards: frozenset[int]

    @property
    def whole(self) -> bool:
        """Whether it is all of them."""
        return len(self.shards) == SHARDS

    def holds(self, stream: str) -> bool:
        return crc32(stream.encode()) % SHARDS in self.shards

    def among(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """Those of `events` whose streams it holds."""
        return events if self.whole else [event for event in events if self.holds(event.stream)]


WHOLE = Tenure(frozenset(range(SHARDS)))
NOTHING = Tenure(frozenset())


class Node(NamedTuple):
    """A row of `DELIVERY_NODE`."""

    id: str
    joined_at: int
    beat: int


class Shard(NamedTuple):
    """A row of `DELIVERY_SHARD`."""

    number: int
    owner: str
    epoch: int


class Pulses:
    """Which nodes still live: those whose beat has changed within the lease, by our own clock.

    No two machines' clocks are compared, so it does not matter how far apart they are.
    """

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, tuple[int, float]] = {}

    def dead(self, nodes: Iterable[Node], now: float) -> list[Node]:
        """Those of `nodes` (all there are) that have shown no other beat for a lease; `now` in seconds, monotonic."""
        seen = {}
        dead = []
        for node in nodes:
            beat, since = self._seen.get(node.id, (node.beat, now))
            seen[node.id] = (node.beat, since if beat == node.beat else now)
            if now - seen[node.id][1] > self._lease:
                dead.append(node)
        self._seen = seen
        return dead


@dataclass(frozen=True, slots=True)
class Plan:
    """What one node does next: shards without an owner that it claims, and shards of its own that it gives away."""

    claim: tuple[Shard, ...] = ()
    release: frozenset[int] = frozenset()


def plan(me: str, alive: Collection[str], shards: Sequence[Shard]) -> Plan:
    """An equal share for each node that lives (`me` among them), and as few moves as that takes."""
    share = -(-SHARDS // len(alive))
    owned = dict.fromkeys(sorted(alive), 0)
    free = []
    for shard in shards:
        if shard.owner in owned:
            owned[shard.owner] += 1
        else:
            free.append(shard)
    if owned[me] > share:
        mine = sorted(shard.number for shard in shards if shard.owner == me)
        return Plan(release=frozenset(mine[share:]))
    start = 0
    for node, count in owned.items():
        end = start + max(0, share - count)
        if node == me:
            return Plan(claim=tuple(free[start:end]))
        start = end
    raise AssertionError("a node plans for itself")
