"""What FFmpeg is told to make the picture of one scene. Pure.

Owns: `Task`, `picture_task`.

Always holds: what people call themselves reaches FFmpeg in files of its own, never in a command or a filter graph.

FFmpeg does not know how long the last picture of a clip lasts; we do: it stands (`eof_action=repeat`) until the clip's
end in the plan. Of each clip only what the scene shows is decoded (from the key picture before it on). A picture is
shown from the output picture on that is nearest to its time: clips come half an output picture early. Sizes that change
within a clip (VP8 does that all the time) go through `scale` and `pad` that look at each frame, with `-reinit_filter
0`, so that the graph is never built anew (media-workers.md §5: then FFmpeg loses the rest of the video, exit code 0).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from callboard.recording.composite.look import Look
from callboard.recording.composite.scenes import Scene, Tile
from callboard.recording.truth.spans import Span, common

_FLOOR, _WALL, _INK, _QUIET = "0x101318", "0x252b33", "0xf2f4f7", "0x9aa4b2"
_LEAST_LETTERS = 4
CLOCK = 90_000
KEY_SECONDS = 4
"""A key picture at least so often: how exactly a player can seek."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A run of FFmpeg: what it is told before and after its filter graph, the graph, and small files to be written
    beside it (by name). `{target}` in `output` is the file to be made; the graph's file is named by the runner."""

    inputs: tuple[str, ...]
    graph: str
    output: tuple[str, ...]
    texts: dict[str, str]
    pictures: int = 0


def picture_task(scene: Scene, look: Look, font: str) -> Task:
    """The scene as H.264 without sound, exactly as many pictures as it has."""
    begin = scene.first / look.rate
    inputs: list[str] = []
    chains: list[str] = []
    texts: dict[str, str] = {}
    names: list[str] = []
    labels: list[str] = []
    below, number = "[0]", 0
    for index, tile in enumerate(scene.tiles):
        box, size = tile.box, _letter_size(tile)
        texts[f"name{index}"] = shortened(tile.name, box.width, size)
        names += [_wall(tile), _text(f"name{index}", font, size, _QUIET, _centred(tile))]
        for clip in tile.clips:
            inputs += _input(clip.file, clip.start - begin, 0.5 / look.rate)
            chains.append(f"[{number}:v]{_fitted(tile)}[t{number}]")
            upper = f"[v{number}]"
            when = _when(scene, common(tile.seen, [(clip.start, clip.end)]), look)
            chains.append(f"{below}[t{number}]overlay=x={box.x}:y={box.y}:eof_action=repeat{when}{upper}")
            below, number = upper, number + 1
        if tile.seen:
            small = max(10, size * 2 // 3)
            texts[f"label{index}"] = shortened(tile.name, box.width, small)
            labels.append(_label(f"label{index}", font, small, tile, _when(scene, tile.seen, look)))
    if scene.hidden:
        texts["hidden"] = f"+{scene.hidden} more"
        labels.append(_text("hidden", font, max(12, look.height // 36), _INK, "x=w-tw-12:y=h-th-12") + _BOXED)
    chains.insert(0, f"{_floor(look, names)}{_still(scene, look)}[0]")
    chains.append(f"{below}{','.join([*labels, 'format=yuv420p'])}[out]")
    return Task(
        inputs=tuple(inputs),
        graph=";\n".join(chains),
        output=(*_encoder(look), "-frames:v", str(scene.last - scene.first)),
        texts=texts,
        pictures=scene.last - scene.first,
    )


def shortened(name: str, width: int, size: int) -> str:
    """As much of a name as fits into so many pixels: one line, without control characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    most = max(_LEAST_LETTERS, int(width * 0.9 / (size * 0.6)))
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _input(file: str, start: float, early: float) -> list[str]:
    """A clip that begins `start` seconds after the scene (or before it). Not `accurate_seek`: it would drop the picture
    that stands when the scene begins."""
    tuned = ["-reinit_filter", "0", "-threads", "1"]
    if start >= 0:
        return [*tuned, "-itsoffset", f"{start - early:.6f}", "-i", f"file:{file}"]
    return [*tuned, "-noaccurate_seek", "-ss", f"{-start:.6f}", "-itsoffset", f"{-early:.6f}", "-i", f"file:{file}"]


def _fitted(tile: Tile) -> str:
    width, height = tile.box.width, tile.box.height
    return (
        f"scale=w={width}:h={height}:force_original_aspect_ratio=decrease:force_divisible_by=2:eval=frame"
        f":flags=bilinear,setsar=1,pad=w={width}:h={height}:x=(ow-iw)/2:y=(oh-ih)/2:eval=frame:color={_FLOOR}"
    )


def _floor(look: Look, names: Sequence[str]) -> str:
    """The picture behind all clips, drawn once: everybody's place, with their name in it."""
    drawn = ",".join([f"color=c={_FLOOR}:s={look.width}x{look.height}:r={look.rate}:d=1,format=yuv420p", *names])
    return f"{drawn},loop=loop=-1:size=1"


def _still(scene: Scene, look: Look) -> str:
    """Its pictures, in a time base that the clips' times fit into: `overlay` rounds them to that of what is below."""
    return f",settb=1/{CLOCK},setpts=N/({look.rate}*TB),trim=end_frame={scene.last - scene.first}"


def _wall(tile: Tile) -> str:
    box = tile.box
    return f"drawbox=x={box.x}:y={box.y}:w={box.width}:h={box.height}:color={_WALL}:t=fill"


def _centred(tile: Tile) -> str:
    box = tile.box
    return f"x={box.x}+({box.width}-tw)/2:y={box.y}+({box.height}-th)/2"


def _text(name: str, font: str, size: int, colour: str, where: str) -> str:
    return (
        f"drawtext=fontfile={_quoted(font)}:textfile={name}:expansion=none:fontsize={size}:fontcolor={colour}:{where}"
    )


_BOXED = ":box=1:boxcolor=black@0.55:boxborderw=4"


def _label(name: str, font: str, size: int, tile: Tile, when: str) -> str:
    box = tile.box
    where = f"x={box.x + 8}:y={box.y + box.height - 8}-th"
    return _text(name, font, size, _INK, where) + _BOXED + when


def _when(scene: Scene, spans: Sequence[Span], look: Look) -> str:
    """An option that shows something in these spans only; none if that is all of the scene."""
    begin, end = scene.first / look.rate, scene.last / look.rate
    if any(start <= begin and stop >= end for start, stop in spans):
        return ""
    return ":enable='" + ("+".join(_during(span, begin, look) for span in spans) or "0") + "'"


def _during(span: Span, begin: float, look: Look) -> str:
    """In whole pictures of the scene. A quarter of a picture more or less keeps clear of rounding."""
    first, last = (math.floor((instant - begin) * look.rate + 0.5) for instant in span)
    return f"between(t,{(first - 0.25) / look.rate:.4f},{(last - 0.75) / look.rate:.4f})"


def _letter_size(tile: Tile) -> int:
    return max(12, min(tile.box.height // 8, 40))


def _encoder(look: Look) -> tuple[str, ...]:
    return (
        *("-map", "[out]", "-an", "-c:v", "libx264", "-preset", look.preset, "-crf", str(look.quality)),
        *("-maxrate", f"{look.kilobits}k", "-bufsize", f"{2 * look.kilobits}k", "-profile:v", "high"),
        *("-g", str(KEY_SECONDS * look.rate), "-r", str(look.rate), "-video_track_timescale", str(look.rate * 512)),
    )


def _quoted(path: str) -> str:
    """A path within a filter's options. Raises `ValueError` for what would have to be escaped twice."""
    if set(path) & set("':\\,;[]"):
        raise ValueError(f"{path}: a font's path must be without any of ' : \\ , ; [ ]")
    return path
