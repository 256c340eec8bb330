"""What the receiver got, beside what the ledger has. Pure.

Owns: `Round`, `Verdict`, `judged`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

RANDOM = "any moment"


class Receipt(NamedTuple):
    """An event that the receiver accepted: its id, stream, seq; and in which round, counted from 0."""

    id: str
    stream: str
    seq: int
    round: int


@dataclass(frozen=True, slots=True)
class Round:
    """One life that ended by SIGKILL at `point`. `alone`: one event at a time."""

    point: str
    alone: bool


@dataclass(slots=True)
class Verdict:
    """`lost`: in the ledger, not received. `unknown`: received, not in the ledger. `forgotten`: their commit had
    returned, and the ledger has not got them. `repeated` counts, for each kill, the receipts of what had been received
    before; `most` is how often one event was repeated after one kill.
    """

    events: int
    lost: int = 0
    unknown: int = 0
    forgotten: int = 0
    disordered: int = 0
    repeated: list[int] = field(default_factory=list)
    most: int = 0
    broken: list[str] = field(default_factory=list)
    """What was promised and not kept, in words."""


def judged(
    rounds: Sequence[Round], ledger: Collection[str], acknowledged: Collection[str], receipts: Sequence[Receipt]
) -> Verdict:
    """`receipts` in their order: what was received in round n and received again later was not recorded when that
    round's kill came.
    """
    known = set(ledger)
    received = {receipt.id for receipt in receipts}
    verdict = Verdict(
        len(known), len(known - received), len(received - known), len(set(acknowledged) - known), _disordered(receipts)
    )
    verdict.repeated, verdict.most = _repeated(len(rounds), receipts)
    for count, what in (
        (verdict.lost, "events lost"),
        (verdict.unknown, "events received that the ledger has not got"),
        (verdict.forgotten, "events gone whose commit had returned"),
        (verdict.disordered, "events received before an earlier one of their stream"),
        (int(verdict.most > 1), "event received more than twice over one kill"),
    ):
        if count:
            verdict.broken.append(f"{count} {what}")
    if verdict.repeated.pop():
        verdict.broken.append("an end in good order made something be repeated")
    for number, (one, repeated) in enumerate(zip(rounds, verdict.repeated, strict=True), start=1):
        if one.alone and repeated > 1:
            verdict.broken.append(f"kill {number} ({one.point}): {repeated} events received twice, one under way")
    return verdict


def _disordered(receipts: Sequence[Receipt]) -> int:
    highest: dict[str, int] = {}
    seen: set[str] = set()
    disordered = 0
    for receipt in receipts:
        if receipt.id not in seen:
            seen.add(receipt.id)
            disordered += receipt.seq != highest.get(receipt.stream, 0) + 1
            highest[receipt.stream] = max(receipt.seq, highest.get(receipt.stream, 0))
    return disordered


def _repeated(kills: int, receipts: Sequence[Receipt]) -> tuple[list[int], int]:
    """After each kill, how many receipts were repetitions; and how often one event was at most, after one kill."""
    last: dict[str, int] = {}
    counts = [0] * (kills + 1)  # the last life ends in good order
    each: Counter[tuple[int, str]] = Counter()
    for receipt in receipts:
        if receipt.id in last:
            counts[last[receipt.id]] += 1
            each[last[receipt.id], receipt.id] += 1
        last[receipt.id] = receipt.round
    return counts, max(each.values(), default=0)
