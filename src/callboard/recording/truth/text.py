"""A report for reading.

Owns: `as_text`. Pure.

Always holds: the verdict comes first; each failure is a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from callboard.recording.truth.report import Duration, Picture, Publisher, Report, Skew, Sound, Stretch

_SHOWN = 5  # of the stretches of one kind


def as_text(report: Report) -> str:
    """A few lines, the last one ended too."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.file}: {'good' if report.passed else 'NOT good'}"
    yield from (f"  ! {failure}" for failure in report.failures)
    yield f"  format: {report.format}"
    yield f"  duration: {_duration(report.duration)}"
    for publisher in report.publishers:
        yield from _publisher(publisher)
    if report.participants is not None:
        yield f"  between participants: {_skew(report.participants)}"


def _duration(duration: Duration) -> str:
    parts = [f"{duration.decoded:.2f} s decoded"]
    if duration.container is not None:
        parts.append(f"{duration.container:.2f} s by the file's own word")
    if duration.expected is not None:
        parts.append(f"{duration.expected:.2f} s expected")
    if duration.error is not None:
        parts.append(f"error {duration.error:+.3f} s")
    return ", ".join(parts)


def _publisher(publisher: Publisher) -> Iterator[str]:
    yield f"  publisher {publisher.publisher}"
    picture, sound = publisher.picture, publisher.sound
    if picture is not None:
        yield f"    picture: {_common(picture)}"
        yield (
            f"      {picture.frames} frames, {picture.frames_missing} missing, {picture.frames_backwards} backwards; "
            f"{picture.pictures_hidden} pictures without mark in between"
        )
        yield from _stretches("frozen", picture.frozen)
        yield from _stretches("missing", picture.missing)
    if sound is not None:
        yield f"    sound: {_common(sound)}"
        yield f"      {sound.bursts} bursts understood"
        yield from _stretches("missing", sound.missing)
    if publisher.skew is not None:
        yield f"    sound after picture: {_skew(publisher.skew)}{_rate(', drift', publisher.drift_ms_per_minute)}"


def _common(medium: Picture | Sound) -> str:
    text = f"{medium.start:.2f} to {medium.end:.2f} s, {100 * medium.presence:.2f} % of what was published"
    if medium.start_offset_error_ms is not None:
        text += f", starts {medium.start_offset_error_ms:+.1f} ms off"
    return text + _rate(", pace", medium.pace_ms_per_minute)


def _skew(skew: Skew) -> str:
    return f"p50 {skew.p50_ms:+.1f}, p95 {skew.p95_ms:.1f}, max {skew.max_ms:.1f} ms ({skew.count} times measured)"


def _rate(name: str, value: float | None) -> str:
    return "" if value is None else f"{name} {value:+.1f} ms/min"


def _stretches(name: str, stretches: Sequence[Stretch]) -> Iterator[str]:
    if stretches:
        total = sum(stretch.duration for stretch in stretches)
        shown = ", ".join(f"{stretch.duration:.2f} s at {stretch.start:.2f}" for stretch in stretches[:_SHOWN])
        more = "" if len(stretches) <= _SHOWN else f", and {len(stretches) - _SHOWN} more"
        yield f"      {name}: {total:.2f} s in all: {shown}{more}"
