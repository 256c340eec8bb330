"""When on our clock was it that the publisher's RTP clock showed a timestamp?

Owns: `Block`, `blocks_of`, `Fit`, `fit`. Pure.

Always holds: a packet can be late, but never early. So, of the delays (arrival minus RTP time), the smallest are those
with nothing in the way, and the line below all of them is the relation of the two clocks: its height is the offset, its
slope the drift (Moon, Skelly, Towsley: Estimation and Removal of Clock Skew from Network Delay Measurements, 1999).
Queues in the network, retransmissions and pacing lie above the line and do not move it. Janus keeps no RTCP sender
reports; sound and picture of one peer travel the same way, so what offset is left is the same for both.

Where the publisher's clock jumps (it was suspended, or began anew), a new line begins.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

BLOCK = 1.0
"""Seconds for which only the packet with the least delay is kept."""
JUMP = 0.25
"""Seconds. A delay that changes more than this from one packet to the next may be a jump of the clock."""
BEFORE, AFTER = 5, 30
"""Blocks that are looked at on both sides of a jump. A network that stalls for longer than `AFTER` is given up."""
LEAST_SPAN = 60.0
"""Seconds that it takes to tell drift (a few ms a minute) from jitter."""
MOST_DRIFT = 1000e-6


@dataclass(slots=True)
class Block:
    """A second of packets: the first one's timestamp, and the least delay with the RTP time at which it was seen.

    `delay` and `at` are seconds; delays count from the first packet's.
    """

    timestamp: int
    at: float
    delay: float
    step: float = 0.0
    """How much the delay changed from the packet before, if that is why the block begins."""


@dataclass(frozen=True, slots=True)
class Line:
    """From `timestamp` on: our clock = origin + RTP time + height + slope · (RTP time − at)."""

    timestamp: int
    at: float
    height: float
    slope: float


def blocks_of(packets: Iterable[tuple[int, int]], rate: int) -> tuple[tuple[int, int], list[Block]]:
    """The blocks of packets (arrival in nanoseconds, RTP timestamp, in the order of arrival), and the first packet.

    Raises `ValueError` if there are none.
    """
    first: tuple[int, int] | None = None
    blocks: list[Block] = []
    before = begun = 0.0
    for arrived_at, timestamp in packets:
        if first is None:
            first = (arrived_at, timestamp)
        at = (timestamp - first[1]) / rate
        delay = (arrived_at - first[0]) / 1e9 - at
        step = delay - before if blocks and abs(delay - before) > JUMP else 0.0
        if not blocks or step or at - begun >= BLOCK:
            blocks.append(Block(timestamp, at, delay, step))
            begun = at
        elif delay < blocks[-1].delay:
            blocks[-1].delay, blocks[-1].at = delay, at
        before = delay
    if first is None:
        raise ValueError("there are no packets")
    return first, blocks


class Fit:
    """`instant(timestamp)` for the packets that it was made of."""

    def __init__(self, first: tuple[int, int], rate: int, lines: Sequence[Line]) -> None:
        self._arrived_at, self._timestamp = first
        self._rate = rate
        self._lines = lines
        self._starts = [line.timestamp for line in lines]

    @property
    def drift_ppm(self) -> float:
        """How much faster the publisher's clock runs, in the first line."""
        return -1e6 * self._lines[0].slope

    @property
    def lines(self) -> int:
        """How many there are: one, and one more for each jump."""
        return len(self._lines)

    def instant(self, timestamp: int) -> int:
        """Nanoseconds since the epoch, on our clock."""
        line = self._lines[max(0, bisect_right(self._starts, timestamp) - 1)]
        at = (timestamp - self._timestamp) / self._rate
        return self._arrived_at + round(1e9 * (at + line.height + line.slope * (at - line.at)))


def fit(first: tuple[int, int], blocks: Sequence[Block], rate: int) -> Fit:
    """The lines below the blocks."""
    ordered = sorted(blocks, key=lambda block: block.timestamp)
    return Fit(first, rate, [_line(part) for part in _parts(ordered)])


def _parts(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    """The blocks, cut where the clock jumped: suddenly, and for good.

    A stall of the network also begins suddenly, but ends in a burst, packet by packet.
    """
    cuts = [0]
    for index in range(1, len(blocks)):
        before = blocks[max(cuts[-1], index - BEFORE) : index]
        after = blocks[index : index + AFTER]
        step = blocks[index].step
        ahead = step < 0 and blocks[index].delay < min(block.delay for block in before) - JUMP
        behind = step > 0 and min(block.delay for block in after) > max(block.delay for block in before) + JUMP
        if ahead or behind:
            cuts.append(index)
    return [blocks[start:end] for start, end in zip(cuts, [*cuts[1:], len(blocks)], strict=True)]


def _line(blocks: Sequence[Block]) -> Line:
    hull = _lower_hull(sorted((block.at, block.delay) for block in blocks))
    lowest = min(hull, key=lambda point: point[1])
    flat = Line(blocks[0].timestamp, lowest[0], lowest[1], 0.0)
    if len(hull) < 2 or hull[-1][0] - hull[0][0] < LEAST_SPAN:
        return flat
    middle = sum(block.at for block in blocks) / len(blocks)
    (x, y), (right, top) = next((a, b) for a, b in pairwise(hull) if b[0] >= middle or b is hull[-1])
    slope = (top - y) / (right - x)
    return Line(blocks[0].timestamp, x, y, slope) if abs(slope) <= MOST_DRIFT else flat


def _lower_hull(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Andrew's monotone chain; points with equal x: the lowest counts."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        if hull and hull[-1][0] == x:
            continue
        while len(hull) > 1 and (hull[-1][0] - hull[-2][0]) * (y - hull[-2][1]) <= (hull[-1][1] - hull[-2][1]) * (
            x - hull[-2][0]
        ):
            hull.pop()
        hull.append((x, y))
    return hull
