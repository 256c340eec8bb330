"""What is asked of a recording, and what was found.

Owns: `Expected` (what is known of the recording beforehand), `Gates`, `Report` and its parts.

Always holds: a report is plain data; as JSON it is read back equal. Times named `start` are file times in seconds,
durations are seconds, presences shares from 0 to 1; names that end in `_ms` are milliseconds. Skew is positive when
the sound comes later than its picture. None means: could not be measured, or is not there.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from callboard.recording.truth.spans import Span


@dataclass(frozen=True, slots=True)
class Published:
    """What a publisher really sent, as spans of seconds since the epoch: mutes and absences are left out."""

    publisher: int
    picture: tuple[Span, ...] = ()
    sound: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a recording; each part may be unknown.

    `starts_at`: the source time (seconds since the epoch) that the recording's metadata puts at file time zero.
    `duration`: seconds; without it, from `starts_at` (or the first thing published) to the last thing published.
    `published`: what was sent; without it, what lies between the first and the last mark counts as published.
    """

    starts_at: float | None = None
    duration: float | None = None
    published: tuple[Published, ...] = ()

    @property
    def length(self) -> float | None:
        """The duration that the file ought to have, in seconds."""
        spans = [span for sent in self.published for span in (*sent.picture, *sent.sound)]
        if self.duration is not None or not spans:
            return self.duration
        start = min(start for start, _ in spans) if self.starts_at is None else self.starts_at
        return max(end for _, end in spans) - start


class Gates(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording has to reach (EBU R37 allows sound 40 ms early to 60 ms late). None: is not asked for."""

    skew_p95_ms: float = 45.0
    presence: float = 0.99
    duration_error: float = 0.2
    start_offset_error_ms: float = 20.0
    participants_p95_ms: float | None = None


class Stretch(msgspec.Struct, frozen=True):
    start: float
    duration: float


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """`p50_ms` has its sign; `p95_ms` and `max_ms` are magnitudes. `count` is how often it was measured."""

    p50_ms: float
    p95_ms: float
    max_ms: float
    count: int


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """`frames` different frames were shown; `frames_missing` between the first and the last were not (a recording of a
    lower frame rate shows fewer by nature; `presence` takes that into account); `frames_backwards` came after a later
    one; `pictures_hidden` showed no mark though ones before and after did. `pace` is how much faster the file's time
    runs than the publisher's.
    """

    start: float
    end: float
    frames: int
    frames_missing: int
    frames_backwards: int
    pictures_hidden: int
    frozen: list[Stretch]
    missing: list[Stretch]
    presence: float
    start_offset_error_ms: float | None
    pace_ms_per_minute: float | None


class Sound(msgspec.Struct, frozen=True, kw_only=True):
    """`bursts` were understood; `missing` are the gaps: stretches of 20 ms or more without the pilot tone."""

    start: float
    end: float
    bursts: int
    missing: list[Stretch]
    presence: float
    start_offset_error_ms: float | None
    pace_ms_per_minute: float | None


class SkewAt(msgspec.Struct, frozen=True):
    """The skew that was measured at one file time."""

    at: float
    ms: float


class Publisher(msgspec.Struct, frozen=True, kw_only=True):
    """One publisher in the file. `drift_ms_per_minute` is how fast the skew grows, `skews` what `skew` is made of."""

    publisher: int
    picture: Picture | None = None
    sound: Sound | None = None
    skew: Skew | None = None
    drift_ms_per_minute: float | None = None
    skews: list[SkewAt] = []


class Duration(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. `container` is what the file says, `decoded` what is in it, `expected` what ought to be in it.

    `error` is decoded minus expected; when nothing was expected, it is the time between the first and the last mark
    as it passes in the file, minus the same as it passed for the publishers.
    """

    container: float | None
    decoded: float
    expected: float | None
    error: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The measurements, and the gates that were missed, each as a sentence."""

    file: str
    format: str
    has_picture: bool
    has_sound: bool
    duration: Duration
    publishers: list[Publisher]
    participants: Skew | None
    """How far apart the publishers are: between the earliest and the latest, once a second."""

    failures: list[str] = []

    @property
    def passed(self) -> bool:
        return not self.failures

    def json(self) -> bytes:
        """The report as JSON, with its verdict in `passed`."""
        return msgspec.json.encode({"passed": self.passed} | msgspec.to_builtins(self))
