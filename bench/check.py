"""Whether a measured run kept the promises: nothing lost, nothing out of order. A run that did not gives no figure.

Owns: `Log`, `Verdict`, `judge`, `percentile`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Key = tuple[str, int]
"""A stream, and a seq in it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`lost`: committed, never received. `disordered`: received for the first time after a later one of its stream."""

    lost: int
    duplicates: int
    disordered: int
    latencies: list[float]
    """Seconds from commit (or sending) to first receipt, sorted."""

    @property
    def kept(self) -> bool:
        return not self.lost and not self.disordered


def judge(sent: Path, received: Path) -> Verdict:
    """Compare the log of commits with the log of receipts (lines `stream seq nanoseconds`)."""
    receipts: dict[Key, int] = {}
    highest: dict[str, int] = {}
    duplicates = disordered = 0
    for key, at in _lines(received):
        if key in receipts:
            duplicates += 1
            continue
        receipts[key] = at
        stream, seq = key
        disordered += seq < highest.get(stream, 0)
        highest[stream] = max(seq, highest.get(stream, 0))
    commits = dict(_lines(sent))
    latencies = sorted((receipts[key] - at) / 1e9 for key, at in commits.items() if key in receipts)
    return Verdict(len(commits) - len(latencies), duplicates, disordered, latencies)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of `ordered` lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _lines(path: Path) -> Iterator[tuple[Key, int]]:
    with path.open() as file:
        for line in file:
            stream, seq, at = line.split()
            yield (stream, int(seq)), int(at)
