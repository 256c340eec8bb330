"""Where the marks of one medium lie: on the file's time line and on the publisher's.

Owns: `Placed`, made from what was seen or heard. Pure.

Always holds: each mark says when it was made (source time) and stands somewhere in the file (file time). The difference
is the offset, from which everything is measured. Times and offsets are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from callboard.recording.truth.hearing import Heard
from callboard.recording.truth.numbers import Offsets
from callboard.recording.truth.sound import SECONDS, slot
from callboard.recording.truth.spans import Span, union
from callboard.recording.truth.watching import Seen

_TOLERATED = 2.5  # frames: a longer step from one frame's clock to the next is a piece that is missing
_STRAY = 2.0  # seconds: a burst whose offset is this far from the others' was something else
_SHORTEST = 0.08  # seconds: a shorter whiff of a pilot is the edge of another sound


@dataclass(frozen=True, slots=True)
class Placed:
    """`covered`: the source time that is in the file. `start`, `end`: file time of its first and last mark.

    `interval`: of pictures, the publisher's time from frame to frame.
    """

    offsets: Offsets
    covered: list[Span]
    start: float
    end: float
    interval: float = 0.0


def place_picture(seen: Seen) -> Placed | None:
    """What was seen, or None when it was less than two frames."""
    frames = sorted(dict(zip(seen.counter, seen.clock, strict=True)).items())
    if len(frames) < 2:
        return None
    interval = median((late[1] - early[1]) / (late[0] - early[0]) for early, late in pairwise(frames))
    clocks = sorted(clock for _, clock in frames)
    shown = median(late - early for early, late in pairwise(seen.start))
    tolerated = _TOLERATED * max(interval, shown)
    steps = ((early, late if late - early <= tolerated else early + interval) for early, late in pairwise(clocks))
    return Placed(
        offsets=Offsets(seen.start, seen.clock),
        covered=union([*steps, (clocks[-1], clocks[-1] + interval)]),
        start=seen.start[0],
        end=seen.end[-1],
        interval=interval,
    )


def place_sound(publisher: int, heard: Heard, about: float | None) -> Placed | None:
    """What was heard, or None when it was less than two bursts that agree.

    Bursts count seconds modulo 256; `about` is roughly what the offset must be. Without it, the first burst is taken
    for the second that it names.
    """
    if not heard.bursts:
        return None
    first, said = heard.bursts[0]
    guess = first - slot(publisher) - said if about is None else about
    instants = [(at, _unwrap(said, at - slot(publisher) - guess) + slot(publisher)) for at, said in heard.bursts]
    usual = median(at - instant for at, instant in instants)
    instants = [(at, instant) for at, instant in instants if abs(at - instant - usual) < _STRAY]
    if len(instants) < 2:
        return None
    offsets = Offsets(*zip(*instants, strict=True))
    stretches = [(start, end) for start, end in heard.stretches if end - start >= _SHORTEST]
    covered = union((start - offsets.nearest(start), end - offsets.nearest(end)) for start, end in stretches)
    if not covered:
        return None
    return Placed(offsets=offsets, covered=covered, start=stretches[0][0], end=stretches[-1][1])


def _unwrap(said: int, about: float) -> int:
    """The second nearest to `about` that is `said` modulo `SECONDS`."""
    return said + SECONDS * round((about - said) / SECONDS)
