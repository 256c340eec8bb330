"""Packets in the order in which they were sent.

Owns: `Ordered`, `in_order`, `Unwrapped`.

Always holds: numbers only grow; a packet that came twice is there once. A packet that came late (a retransmission) is
in its place if it was no later than `PATIENCE`; what is missing then is passed over.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from callboard.clock import NANOSECONDS
from callboard.recording.capture.mjr import Packet

PATIENCE = 2 * NANOSECONDS
_MOST_WAITING = 4096


class Ordered(NamedTuple):
    """A packet; `sequence` and `timestamp` go on beyond 16 and 32 bits."""

    sequence: int
    timestamp: int
    arrived_at: int
    marker: bool
    payload: bytes


class Unwrapped:
    """A counter of `bits` bits that wraps, as one that does not (RFC 3550, A.1)."""

    def __init__(self, bits: int) -> None:
        self._size = 1 << bits
        self._last: int | None = None

    def __call__(self, value: int) -> int:
        if self._last is None:
            self._last = value
            return value
        half = self._size >> 1
        step = (value - self._last + half) % self._size - half
        found = self._last + step
        self._last = max(self._last, found)
        return found


def unwrapped(packets: Iterable[Packet]) -> Iterator[Ordered]:
    """The packets as they came, with numbers that do not wrap."""
    sequences, timestamps = Unwrapped(16), Unwrapped(32)
    for arrived_at, sequence, timestamp, marker, payload in packets:
        yield Ordered(sequences(sequence), timestamps(timestamp), arrived_at, marker, payload)


def in_order(packets: Iterable[Ordered]) -> Iterator[Ordered]:
    """The packets by sequence number."""
    waiting: list[Ordered] = []
    following: int | None = None
    for packet in packets:
        if following is not None and packet.sequence < following:
            continue  # came before, or far too late
        heapq.heappush(waiting, packet)
        while waiting and (
            following is None
            or waiting[0].sequence <= following
            or packet.arrived_at - waiting[0].arrived_at > PATIENCE
            or len(waiting) > _MOST_WAITING
        ):
            first = heapq.heappop(waiting)
            if following is None or first.sequence >= following:
                following = first.sequence + 1
                yield first
    while waiting:
        first = heapq.heappop(waiting)
        if following is None or first.sequence >= following:
            following = first.sequence + 1
            yield first
