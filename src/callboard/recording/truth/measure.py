"""From what was seen and heard to numbers.

Owns: `measure`. Pure.

Always holds: nothing is guessed: what the marks don't say is None. Skew is the offset of a burst minus that of the
pictures around it, drift its growth, the skew between participants the difference of their offsets (`placing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median

from callboard.recording.truth.hearing import Heard
from callboard.recording.truth.numbers import percentile, slope
from callboard.recording.truth.placing import Placed, place_picture, place_sound
from callboard.recording.truth.report import Expected, Picture, Published, Publisher, Skew, SkewAt, Sound, Stretch
from callboard.recording.truth.spans import Span, common, lacking, length, union
from callboard.recording.truth.watching import Seen

_AROUND = 0.5  # seconds: pictures this near to a burst tell where the picture's clock is
_FROZEN = 0.25  # seconds: a picture that stands longer than this, and than 3 frames, is frozen
_GAP = 0.02  # seconds: shorter gaps are below what is resolved
_FIRST = 2.0  # seconds after its first mark in which a publisher's start is measured


def measure(
    seen: Mapping[int, Seen], heard: Mapping[int, Heard], expected: Expected
) -> tuple[list[Publisher], list[Placed], Skew | None]:
    """All publishers in the file, where their media lie, and the skew between the publishers."""
    sent = {published.publisher: published for published in expected.published}
    publishers: list[Publisher] = []
    media: list[Placed] = []
    leading: list[Placed] = []
    for publisher in sorted(seen.keys() | heard.keys()):
        picture = place_picture(seen[publisher]) if publisher in seen else None
        sound = None
        if publisher in heard:
            about = _about(picture, heard[publisher], sent.get(publisher), expected.starts_at)
            sound = place_sound(publisher, heard[publisher], about)
        placed = [medium for medium in (picture, sound) if medium is not None]
        if placed:
            media += placed
            leading.append(placed[0])
            skews = skews_of(picture, sound)
            growth = slope([one.at for one in skews], [one.ms for one in skews])
            promised = sent.get(publisher)
            publishers.append(
                Publisher(
                    publisher=publisher,
                    picture=_picture(seen[publisher], picture, promised, expected.starts_at) if picture else None,
                    sound=_sound(sound, promised, expected.starts_at) if sound else None,
                    skew=_skew([one.ms / 1000 for one in skews]),
                    drift_ms_per_minute=None if growth is None else growth * 60,
                    skews=skews,
                )
            )
    return publishers, media, skew_between(leading)


def skews_of(picture: Placed | None, sound: Placed | None) -> list[SkewAt]:
    """How much later than its picture the sound comes, at each burst with pictures around it."""
    if picture is None or sound is None:
        return []
    skews = []
    for at, offset in zip(sound.offsets.at, sound.offsets.offset, strict=True):
        shown = picture.offsets.near(at, _AROUND)
        if shown is not None:
            skews.append(SkewAt(at, 1000 * (offset - shown)))
    return skews


def skew_between(media: Sequence[Placed]) -> Skew | None:
    """How far apart the clocks of several publishers are in the file, once a second while there are two or more."""
    if not media:
        return None
    apart = []
    last = max(medium.end for medium in media)
    for second in range(int(last) + 1):
        around = (medium.offsets.near(second + 0.5, _AROUND) for medium in media)
        offsets = [offset for offset in around if offset is not None]
        if len(offsets) > 1:
            apart.append(max(offsets) - min(offsets))
    return _skew(apart)


def _about(picture: Placed | None, heard: Heard, sent: Published | None, starts_at: float | None) -> float | None:
    """Roughly the offset that the sound must have, from whatever is known."""
    if picture is not None:
        return picture.offsets.first(_FIRST)
    if starts_at is not None:
        return -starts_at
    if sent is not None and sent.sound and heard.stretches:
        return heard.stretches[0][0] - sent.sound[0][0]
    return None


def _picture(seen: Seen, placed: Placed, sent: Published | None, starts_at: float | None) -> Picture:
    steps = [late - early for early, late in pairwise(seen.counter)]
    usual = placed.interval
    frozen = [
        Stretch(start + usual, end - start - usual)
        for start, end in zip(seen.start, seen.end, strict=True)
        if end - start > max(_FROZEN, 3 * usual)
    ]
    missing, presence = _presence(placed, sent.picture if sent else (), 2 * usual)
    return Picture(
        start=placed.start,
        end=placed.end,
        frames=len(set(seen.counter)),
        frames_missing=sum(step - 1 for step in steps if step > 1),
        frames_backwards=sum(step < 0 for step in steps),
        pictures_hidden=seen.hidden,
        frozen=frozen,
        missing=missing,
        presence=presence,
        start_offset_error_ms=_start_offset_error(placed, starts_at),
        pace_ms_per_minute=placed.offsets.pace(),
    )


def _sound(placed: Placed, sent: Published | None, starts_at: float | None) -> Sound:
    missing, presence = _presence(placed, sent.sound if sent else (), _GAP)
    return Sound(
        start=placed.start,
        end=placed.end,
        bursts=len(placed.offsets.at),
        missing=missing,
        presence=presence,
        start_offset_error_ms=_start_offset_error(placed, starts_at),
        pace_ms_per_minute=placed.offsets.pace(),
    )


def _presence(placed: Placed, sent: Sequence[Span], least: float) -> tuple[list[Stretch], float]:
    """What of the published time is not in the file, in pieces of `least` seconds or more, and the share that is."""
    whole = union(sent) or [(placed.covered[0][0], placed.covered[-1][1])]
    missing = [
        Stretch(start + placed.offsets.nearest_to_source(start), end - start)
        for start, end in lacking(whole, placed.covered)
        if end - start >= least
    ]
    return missing, length(common(whole, placed.covered)) / length(whole)


def _start_offset_error(placed: Placed, starts_at: float | None) -> float | None:
    return None if starts_at is None else (placed.offsets.first(_FIRST) + starts_at) * 1000


def _skew(values: Sequence[float]) -> Skew | None:
    if not values:
        return None
    sizes = [abs(value) * 1000 for value in values]
    return Skew(p50_ms=median(values) * 1000, p95_ms=percentile(sizes, 0.95), max_ms=max(sizes), count=len(sizes))
