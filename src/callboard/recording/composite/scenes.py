"""A session as scenes: stretches in which everybody has one place. Pure.

Owns: `Tile`, `Scene`, `scenes_of`.

Always holds: scenes follow each other without gap or overlap from picture 0 to the last one; they are counted in whole
pictures, so nothing adds up. With more people than places those with a picture are shown first, then those with a
sound, then who came first; how many are left out is said.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain, pairwise
from operator import itemgetter

import msgspec

from callboard.recording.composite.cast import Clip, Figure
from callboard.recording.composite.layout import Box, arrange, most_people
from callboard.recording.composite.look import Look
from callboard.recording.truth.spans import Span, common

CALM = 5.0
"""Seconds: no more often do people take each other's places because they show or say something. (A scene is a run of
FFmpeg, and nobody wants to look at a picture in which everything jumps.)"""


class Tile(msgspec.Struct, frozen=True):
    """A figure in its place. `clips` and `seen` are those of the scene, in seconds of the session."""

    box: Box
    name: str
    clips: tuple[Clip, ...]
    seen: tuple[Span, ...]


class Scene(msgspec.Struct, frozen=True):
    """Pictures `first` to `last`, the latter not included. `hidden`: how many people there is no place for."""

    first: int
    last: int
    tiles: tuple[Tile, ...]
    hidden: int = 0


def scenes_of(figures: Sequence[Figure], pictures: int, look: Look) -> list[Scene]:
    """The scenes of a recording of so many pictures; none is longer than a chunk, or reaches from one into another."""
    cuts = {0, pictures, *range(0, pictures, look.chunk * look.rate)}
    cuts |= {round(instant * look.rate) for instant in _changes(figures, look)}
    frames = sorted(cut for cut in cuts if 0 <= cut <= pictures)
    scenes = []
    for first, last in pairwise(frames):
        middle = (first + last) / 2 / look.rate
        shown, hidden = _shown([one for one in figures if _within(one.spans, middle)], middle, look.tiles)
        screen = bool(shown) and shown[0].kind == "screen"
        boxes = arrange(look.width, look.height, len(shown) - screen, shared=screen)
        span = first / look.rate, last / look.rate
        tiles = tuple(_tile(figure, box, span) for figure, box in zip(shown, boxes, strict=True))
        scenes.append(Scene(first, last, tiles, hidden))
    return _merged(scenes, look.chunk * look.rate)


def _changes(figures: Sequence[Figure], look: Look) -> Iterable[float]:
    """When somebody may have another place than before."""
    crowded = sum(one.kind == "person" for one in figures) > most_people(look.tiles, shared=False)
    screens = any(one.kind == "screen" for one in figures)
    crowded = crowded or (screens and len(figures) > most_people(look.tiles, shared=True))
    for figure in figures:
        yield from chain.from_iterable(figure.spans)
        if crowded:
            for instant in chain.from_iterable((*figure.seen, *figure.heard)):
                yield math.ceil(instant / CALM) * CALM


def _shown(there: Sequence[Figure], instant: float, tiles: int) -> tuple[list[Figure], int]:
    """Who gets a place, the newest screen first, and how many do not."""
    screens = [one for one in reversed(there) if one.kind == "screen"]
    people = [one for one in there if one.kind == "person"]
    places = most_people(tiles, shared=bool(screens))
    others = [*screens[1:], *people]
    ranked = sorted(range(len(others)), key=lambda number: (*_rank(others[number], instant), number))
    chosen = [others[number] for number in sorted(ranked[:places])]
    return [*screens[:1], *chosen], len(others) - len(chosen)


def _rank(figure: Figure, instant: float) -> tuple[bool, bool]:
    """Lower is better."""
    return not _within(figure.seen, instant), not _within(figure.heard, instant)


def _within(spans: Sequence[Span], instant: float) -> bool:
    """Whether it is in one of the spans, which are in order and apart."""
    index = bisect_right(spans, instant, key=itemgetter(0))
    return index > 0 and instant < spans[index - 1][1]


def _tile(figure: Figure, box: Box, span: Span) -> Tile:
    clips = tuple(clip for clip in figure.clips if clip.start < span[1] and clip.end > span[0])
    return Tile(box, figure.name, clips, tuple(common(figure.seen, [span])))


def _merged(scenes: Sequence[Scene], chunk: int) -> list[Scene]:
    """Neighbours in which everybody has the same place are one, unless another chunk begins between them."""
    merged: list[Scene] = []
    for scene in scenes:
        before = merged[-1] if merged else None
        if before is not None and scene.first % chunk and _same(before, scene):
            tiles = tuple(_joined(one, other) for one, other in zip(before.tiles, scene.tiles, strict=True))
            merged[-1] = Scene(before.first, scene.last, tiles, scene.hidden)
        else:
            merged.append(scene)
    return merged


def _same(one: Scene, other: Scene) -> bool:
    places = [[(tile.box, tile.name) for tile in scene.tiles] for scene in (one, other)]
    return places[0] == places[1] and one.hidden == other.hidden


def _joined(one: Tile, other: Tile) -> Tile:
    clips = one.clips + tuple(clip for clip in other.clips if clip not in one.clips)
    seen = list(one.seen)
    for start, end in other.seen:
        if seen and seen[-1][1] == start:
            seen[-1] = seen[-1][0], end
        else:
            seen.append((start, end))
    return Tile(one.box, one.name, clips, tuple(seen))
