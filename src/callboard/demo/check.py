"""Is what was received what happened, and did everything that opened close? Pure.

Owns: `check`: the invariants of DESIGN §1 over a finished run, as an observer from outside can see them.

Always holds: every broken invariant gives at least one finding, and a run that keeps them all gives none.
A delivery that comes twice is no finding: delivery is at least once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from callboard.demo.seen import Event


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken invariant: its name, and what shows it."""

    rule: str
    what: str


@dataclass(frozen=True, slots=True)
class Pair:
    """`opener` must be followed by one of `closers` about the same `key`.

    `exact`: no closer without an opener and no second one. Beams, streams and ingests may report an end
    without a start: one that failed before it ran (platform.md §10.9). `alone` may come so although it is exact.
    """

    opener: str
    closers: tuple[str, ...]
    key: str
    exact: bool = False
    alone: str = ""


PAIRS = (
    Pair("session.open.success", ("session.close.success",), "session_id", exact=True),
    Pair("peer.join.success", ("peer.leave.success",), "peer_id", exact=True),
    Pair(
        "track.recording.started.success",
        ("track.recording.success", "track.recording.failure"),
        "track_id",
        exact=True,
        alone="track.recording.failure",  # nothing of it could be captured: the disk was full
    ),
    Pair("beam.started.success", ("beam.stopped.success",), "beam_id"),
    Pair("hls.started.success", ("hls.stopped.success",), "beam_id"),
    Pair("ingest.start.success", ("ingest.end.success", "ingest.failure"), "ingest_id"),
    Pair(
        "transcription.started.success",
        ("transcription.success", "transcription.failure"),
        "transcription_id",
        exact=True,
    ),
)

OPEN, CLOSE = "session.open.success", "session.close.success"
WHILE_OPEN = frozenset({"peer.join.success", "peer.leave.success", "role.change.success", "room.end.success"})


def check(received: Sequence[Event], ledger: Sequence[Event]) -> list[Finding]:
    """What is wrong. `received` is in the order of arrival, repeats included; `ledger` in any order."""
    return [*_same(received, ledger), *_in_order(received), *_gapless(ledger), *_closed(ledger)]


def _same(received: Sequence[Event], ledger: Sequence[Event]) -> Iterator[Finding]:
    arrived = {event.id: event for event in received}
    committed = {event.id: event for event in ledger}
    for event in ledger:
        if event.id not in arrived:
            yield Finding("received all", f"{_name(event)} is in the ledger and was not received")
    for event in arrived.values():
        if event.id not in committed:
            yield Finding("received nothing else", f"{_name(event)} was received and is not in the ledger")
        elif event != committed[event.id]:
            yield Finding("received as committed", f"{_name(event)} differs from the ledger")


def _in_order(received: Sequence[Event]) -> Iterator[Finding]:
    """The first arrivals of a stream's events come with rising seq."""
    known: set[str] = set()
    latest: dict[str, Event] = {}
    for event in received:
        if event.id in known:
            continue
        known.add(event.id)
        before = latest.get(event.stream)
        if before is not None and event.seq <= before.seq:
            yield Finding("received in order", f"{_name(event)} arrived after {_name(before)}")
        latest[event.stream] = event


def _gapless(ledger: Iterable[Event]) -> Iterator[Finding]:
    for stream, events in _streams(ledger).items():
        seqs = [event.seq for event in events]
        if seqs != list(range(1, len(seqs) + 1)):
            yield Finding("gapless seq", f"stream {stream} has the seqs {seqs}, not 1 to {len(seqs)}")
    for event_id, times in Counter(event.id for event in ledger).items():
        if times > 1:
            yield Finding("one id, one event", f"{event_id} is in the ledger {times} times")


def _closed(ledger: Iterable[Event]) -> Iterator[Finding]:
    for stream, events in _streams(ledger).items():
        yield from _bounds(stream, events)
        for pair in PAIRS:
            yield from _pairs(pair, events)


def _bounds(stream: str, events: Sequence[Event]) -> Iterator[Finding]:
    """The session's opening comes first; nobody comes, goes or changes after its close."""
    types = [event.type for event in events]
    if not ({OPEN, CLOSE} | WHILE_OPEN).intersection(types):
        return
    if types[0] != OPEN:
        yield Finding("open comes first", f"stream {stream} begins with {_name(events[0])}")
    if CLOSE not in types:
        return
    for event in events[types.index(CLOSE) + 1 :]:
        if event.type in WHILE_OPEN:
            yield Finding("close comes last", f"{_name(event)} comes after the close")


def _pairs(pair: Pair, events: Sequence[Event]) -> Iterator[Finding]:
    opened: dict[str, Event] = {}
    for event in events:
        key = event.text(pair.key)
        if event.type == pair.opener:
            if key in opened:
                yield Finding("opened once", f"{_name(event)} while {_name(opened[key])} is open")
            opened[key] = event
        elif event.type in pair.closers and opened.pop(key, None) is None and pair.exact and event.type != pair.alone:
            yield Finding("closed once", f"{_name(event)} closes what is not open ({pair.key} {key})")
    for event in opened.values():
        yield Finding("everything closes", f"{_name(event)} has no {' or '.join(pair.closers)}")


def _streams(ledger: Iterable[Event]) -> dict[str, list[Event]]:
    """Each stream's events in the order of their seq."""
    streams: dict[str, list[Event]] = {}
    for event in sorted(ledger, key=lambda event: event.seq):
        streams.setdefault(event.stream, []).append(event)
    return streams


def _name(event: Event) -> str:
    who = f" of {event.who}" if event.who else ""
    return f"{event.type}{who} (stream {event.stream}, seq {event.seq})"
