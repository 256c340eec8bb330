"""A report as a picture: who is in the file when, where something is missing or stands still, and the skew over time.

Owns: `as_svg`. Pure.

Always holds: one SVG document without anything outside of it; every mark has a title that says its numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from callboard.recording.truth.report import Gates, Picture, Publisher, Report, Skew, Sound, Stretch

_WIDTH, _LEFT, _RIGHT, _TOP = 1200, 150, 20, 96
_BAR, _PLOT, _SPACE = 18, 60, 22
_ROWS = _BAR * 2 + 8 + _PLOT + _SPACE
_GOOD, _BAD, _FROZEN, _INK, _QUIET = "#2e9e5b", "#d43c3c", "#e8a33d", "#1f2933", "#7b8794"
_MOST_SKEW = 200.0
"""Milliseconds at the edge of the plot; what is beyond is drawn there."""


def as_svg(report: Report, gates: Gates) -> str:
    """The picture. The band in each plot is what the gate for the skew allows."""
    seconds = max(report.duration.decoded, 0.001)
    height = _TOP + max(1, len(report.publishers)) * _ROWS + 30
    parts = [*_head(report, height), *_axis(seconds, height)]
    for number, publisher in enumerate(report.publishers):
        parts += _publisher(publisher, _TOP + number * _ROWS, seconds, gates)
    return "\n".join([*parts, "</svg>\n"])


def _head(report: Report, height: int) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="13" fill="{_INK}">'
    )
    yield f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
    verdict = "good" if report.passed else f"NOT good: {len(report.failures)} gates missed"
    colour = _GOOD if report.passed else _BAD
    yield f'<text x="20" y="28" font-size="18">{escape(report.file)}: <tspan fill="{colour}">{verdict}</tspan></text>'
    for number, failure in enumerate(report.failures[:2]):
        yield f'<text x="20" y="{48 + 16 * number}" fill="{_BAD}">{escape(failure)}</text>'
    key = (("there", _GOOD), ("missing", _BAD), ("stands still", _FROZEN))
    for number, (word, colour) in enumerate(key):
        x = _WIDTH - 330 + 105 * number
        yield f'<rect x="{x}" y="18" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="29">{word}</text>'


def _axis(seconds: float, height: int) -> Iterator[str]:
    step = next((step for step in (1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600) if seconds / step <= 16), 7200)
    for number in range(int(seconds / step) + 1):
        x = _x(number * step, seconds)
        yield f'<line x1="{x}" y1="{_TOP - 8}" x2="{x}" y2="{height - 26}" stroke="#e4e7eb"/>'
        yield f'<text x="{x}" y="{height - 10}" text-anchor="middle" fill="{_QUIET}">{_clock(number * step)}</text>'


def _publisher(publisher: Publisher, top: int, seconds: float, gates: Gates) -> Iterator[str]:
    yield f'<text x="20" y="{top + 14}">publisher {publisher.publisher}</text>'
    media: Sequence[tuple[str, Picture | Sound | None]] = (("picture", publisher.picture), ("sound", publisher.sound))
    for row, (word, medium) in enumerate(media):
        y = top + row * (_BAR + 4)
        yield f'<text x="{_LEFT - 8}" y="{y + 14}" text-anchor="end" fill="{_QUIET}">{word}</text>'
        if medium is not None:
            yield from _medium(word, medium, y, seconds)
    yield from _plot(publisher, top + 2 * (_BAR + 4), seconds, gates)


def _medium(word: str, medium: Picture | Sound, y: int, seconds: float) -> Iterator[str]:
    share = f"{word}: {100 * medium.presence:.2f} % of what was published"
    yield _bar(Stretch(medium.start, medium.end - medium.start), _GOOD, share, y, seconds)
    for stretch in medium.missing:
        yield _bar(stretch, _BAD, f"{word} missing", y, seconds)
    for stretch in medium.frozen if isinstance(medium, Picture) else ():
        yield _bar(stretch, _FROZEN, "picture stands still", y, seconds)


def _bar(stretch: Stretch, colour: str, title: str, y: int, seconds: float) -> str:
    x, end = _x(stretch.start, seconds), _x(stretch.start + stretch.duration, seconds)
    said = f"{title}, {stretch.duration:.2f} s at {stretch.start:.2f} s"
    return (
        f'<rect x="{x}" y="{y}" width="{max(1.0, end - x):.1f}" height="{_BAR}" fill="{colour}">'
        f"<title>{escape(said)}</title></rect>"
    )


def _plot(publisher: Publisher, top: int, seconds: float, gates: Gates) -> Iterator[str]:
    middle, limit = top + _PLOT / 2, _height(gates.skew_p95_ms)
    right = _WIDTH - _RIGHT
    yield (
        f'<rect x="{_LEFT}" y="{middle - limit:.1f}" width="{right - _LEFT}" height="{2 * limit:.1f}" fill="#e3f4ea"/>'
        f'<line x1="{_LEFT}" y1="{middle}" x2="{right}" y2="{middle}" stroke="#9aa5b1"/>'
        f'<text x="{_LEFT - 8}" y="{middle + 4}" text-anchor="end" fill="{_QUIET}">{_said(publisher.skew)}</text>'
    )
    for one in publisher.skews:
        colour = _GOOD if abs(one.ms) <= gates.skew_p95_ms else _BAD
        yield (
            f'<circle cx="{_x(one.at, seconds)}" cy="{middle - _height(one.ms):.1f}" r="2" fill="{colour}">'
            f"<title>sound {one.ms:+.1f} ms after picture at {one.at:.2f} s</title></circle>"
        )


def _said(skew: Skew | None) -> str:
    return "no skew measured" if skew is None else f"skew {skew.p50_ms:+.0f} ms"


def _height(milliseconds: float) -> float:
    """Pixels above the plot's middle; the sound's being late is up."""
    return max(-1.0, min(1.0, milliseconds / _MOST_SKEW)) * _PLOT / 2


def _x(at: float, seconds: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * min(max(at / seconds, 0.0), 1.0), 1)


def _clock(at: int) -> str:
    hours, minutes = divmod(at // 60, 60)
    return f"{hours}:{minutes:02d}:{at % 60:02d}" if hours else f"{minutes}:{at % 60:02d}"
