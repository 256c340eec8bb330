"""Spans of time, and what is common to them or missing.

Owns: arithmetic on sets of spans. Pure. A span is (from, to) in seconds; a set is a list in ascending order without
overlaps, as all functions here return it.
"""

from __future__ import annotations

from collections.abc import Iterable

Span = tuple[float, float]


def union(spans: Iterable[Span]) -> list[Span]:
    """All that is in any of the spans, which may come in any order and overlap."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def common(one: Iterable[Span], other: Iterable[Span]) -> list[Span]:
    """What is in both sets."""
    return lacking(one, lacking(one, other))


def lacking(whole: Iterable[Span], parts: Iterable[Span]) -> list[Span]:
    """What of the set `whole` is not in the set `parts`."""
    left: list[Span] = []
    rest = union(parts)
    index = 0
    for start, end in union(whole):
        here = start
        while index < len(rest) and rest[index][1] <= here:
            index += 1
        probe = index
        while probe < len(rest) and rest[probe][0] < end:
            if rest[probe][0] > here:
                left.append((here, rest[probe][0]))
            here = rest[probe][1]
            probe += 1
        if here < end:
            left.append((here, end))
    return left


def length(spans: Iterable[Span]) -> float:
    """Seconds in a set."""
    return sum(end - start for start, end in spans)
