"""Making a media file of captured stretches: a program of its own, so that it can be killed, and is, when it hangs.

Owns: `Order`, `Rendered`, `render`, and the program: `python -m callboard.recording.capture.render`, which reads an
order (JSON) as its argument and prints what it made (JSON).

Always holds: the file appears under its name whole or not at all. Memory is some seconds of media, however long it is.
"""

from __future__ import annotations

import heapq
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from callboard.recording.capture import h264, matroska, opus
from callboard.recording.capture.folder import new_part
from callboard.recording.capture.media import Found, Stretch, Unit, silence, survey, units_of
from callboard.recording.capture.mjr import Unreadable

UNREADABLE = 3
NO_SPACE = 4
"""Exit codes of the program: an input cannot be read; the disk is full (or another fault of it)."""

_MATROSKA = {"vp8": "V_VP8", "h264": "V_MPEG4/ISO/AVC", "opus": "A_OPUS"}


class Part(msgspec.Struct, frozen=True):
    """As `media.Stretch`."""

    path: str
    since: int = 0
    until: int = 0


class Order(msgspec.Struct, frozen=True):
    """The tracks of the file to be made at `target` (without its ending), each of stretches in the order of time."""

    target: str
    tracks: tuple[tuple[Part, ...], ...]


class RenderedTrack(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a track: see `timeline.Placement`."""

    codec: str
    first_at: int
    last_at: int
    units: int
    width: int = 0
    height: int = 0
    drift_ppm: float = 0.0
    lost: int = 0


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The file. `tracks` are as ordered, None for one in which nothing arrived. `first_at` is its second 0.0."""

    file: str
    size: int
    first_at: int
    last_at: int
    tracks: tuple[RenderedTrack | None, ...]


def render(order: Order) -> Rendered | None:
    """Make the file; None if nothing arrived in any stretch. Raises `Unreadable`, `OSError`."""
    try:
        surveys = [_survey(parts) for parts in order.tracks]
    except FileNotFoundError as error:
        raise Unreadable(str(error)) from error
    real = [found for found in surveys if found]
    if not real:
        return None
    states = [_State(found) for found in real]
    first_at = min(state.start for state in states)
    ending = "mkv" if any(found[0].mjr.codec == "h264" for found in real) else "webm"
    target = Path(f"{order.target}.{ending}")
    part = new_part(target)
    try:
        with matroska.Writer(part, [_track(found) for found in real]) as writer:
            for number, unit in _merged(states):
                milliseconds = (unit.at - first_at + 500_000) // 1_000_000
                writer.write(number, milliseconds, unit.data, key=unit.key, length=unit.length // 1_000_000)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    done = iter(state.result() for state in states)
    tracks = tuple(next(done) if found else None for found in surveys)
    last_at = max(track.last_at for track in tracks if track is not None)
    return Rendered(file=str(target), size=writer.size, first_at=first_at, last_at=last_at, tracks=tracks)


def _survey(parts: tuple[Part, ...]) -> list[Found]:
    """What is in a track's stretches; those without anything to see or hear are left out."""
    found = [survey(Stretch(Path(part.path), part.since, part.until)) for part in parts]
    return [one for one in found if one is not None and next(units_of(one), None) is not None]


def _track(found: list[Found]) -> matroska.Track:
    codec = found[0].mjr.codec
    private = b""
    if codec == "opus":
        private = opus.head()
    elif codec == "h264":
        private = h264.configuration(*found[0].parameters)
    largest = max(found, key=lambda one: one.width * one.height)
    return matroska.Track(found[0].kind, _MATROSKA[codec], private, largest.width, largest.height)  # type: ignore[arg-type]


class _State:
    """One track on its way into the file."""

    def __init__(self, found: list[Found]) -> None:
        self._found = [one for one in found if one.mjr.codec == found[0].mjr.codec]
        self._units = 0
        self._end = 0
        self._fresh = self._chain()
        self._next = next(self._fresh)
        self.start = self._next.at

    def units(self) -> Iterator[Unit]:
        yield self._next
        yield from self._fresh

    def _chain(self) -> Iterator[Unit]:
        """All stretches, one after the other. Where two overlap by what was on its way, the earlier one counts."""
        for number, one in enumerate(self._found):
            begun = number == 0
            for unit in units_of(one):
                at = max(unit.at, self._end - unit.length)
                if one.kind == "audio" and at - unit.at > unit.length // 2:
                    continue
                if not begun and one.kind == "audio":
                    yield from silence(self._end, at)
                begun = True
                self._units += 1
                self._end = max(self._end, at + unit.length)
                yield unit._replace(at=at)

    def result(self) -> RenderedTrack:
        largest = max(self._found, key=lambda one: one.width * one.height)
        return RenderedTrack(
            codec=self._found[0].mjr.codec,
            first_at=self.start,
            last_at=self._end,
            units=self._units,
            width=largest.width,
            height=largest.height,
            drift_ppm=round(self._found[0].fit.drift_ppm, 2),
            lost=sum(one.lost for one in self._found),
        )


def _merged(states: list[_State]) -> Iterator[tuple[int, Unit]]:
    numbered = [_numbered(number, state.units()) for number, state in enumerate(states)]
    return heapq.merge(*numbered, key=lambda pair: pair[1].at)


def _numbered(number: int, units: Iterator[Unit]) -> Iterator[tuple[int, Unit]]:
    for unit in units:
        yield number, unit


def main(argument: str) -> int:
    """The program."""
    try:
        rendered = render(msgspec.json.decode(argument, type=Order))
    except Unreadable as error:
        print(error, file=sys.stderr)  # noqa: T201 - for whoever started it
        return UNREADABLE
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return NO_SPACE
    sys.stdout.write(msgspec.json.encode(rendered).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
