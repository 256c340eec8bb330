"""What FFmpeg is told to mix the sound of one chunk. Pure.

Owns: `Mix`, `mixes_of`, `sound_task`, `part_tasks`.

Always holds: a chunk has exactly its number of samples, with silence where nobody speaks; whatever is decoded is placed
by its timestamps. Nothing is scaled down because many are there, a limiter keeps the sum from clipping. No more than
`MOST_INPUTS` files are open at the same time: what is more is mixed in parts first, without loss (32 bit floats).
Captures are decoded with libopus: it conceals packets that were lost (`capture/opus.py`: `absent`), where FFmpeg's own
decoder drops out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from callboard.recording.composite.cast import Clip
from callboard.recording.composite.look import SOUND_RATE
from callboard.recording.composite.picture import Task

MOST_INPUTS = 24
DECODER = ("-c:a", "libopus")
"""Of captures, which are Opus all."""
LIMIT = 0.9
"""Of full scale: what the encoder adds stays below it."""
_BEFORE = 0.5
"""Seconds: a decoder of Opus needs 80 ms to settle (RFC 7845 §4.6); Matroska is sought by clusters."""


class Mix(msgspec.Struct, frozen=True):
    """Samples `first` to `last`, the latter not included, and what is to be heard in them."""

    first: int
    last: int
    clips: tuple[Clip, ...]


def mixes_of(clips: Sequence[Clip], samples: int, chunk: int) -> list[Mix]:
    """The chunks (of `chunk` seconds) of a recording of so many samples."""
    mixes = []
    for first in range(0, samples, chunk * SOUND_RATE):
        last = min(samples, first + chunk * SOUND_RATE)
        heard = tuple(one for one in clips if one.start < last / SOUND_RATE and one.end > first / SOUND_RATE)
        mixes.append(Mix(first, last, heard))
    return mixes


def part_tasks(mix: Mix) -> list[Task]:
    """What is to be mixed beforehand: none if all fits into one run."""
    if len(mix.clips) <= MOST_INPUTS:
        return []
    groups = [mix.clips[n : n + MOST_INPUTS] for n in range(0, len(mix.clips), MOST_INPUTS)]
    return [_mixed(Mix(mix.first, mix.last, group), DECODER, ("-c:a", "pcm_f32le"), "") for group in groups]


def sound_task(mix: Mix, parts: Sequence[str] = ()) -> Task:
    """The chunk as FLAC, of its clips or of the files that the `part_tasks` have made."""
    limiter = f",alimiter=limit={LIMIT}:level=false:latency=true"
    encoder = ("-c:a", "flac", "-sample_fmt", "s16")
    begin = mix.first / SOUND_RATE
    if not parts:
        return _mixed(mix, DECODER, encoder, limiter)
    mixed = tuple(Clip(part, begin, mix.last / SOUND_RATE) for part in parts)
    return _mixed(Mix(mix.first, mix.last, mixed), (), encoder, limiter)


def _mixed(mix: Mix, decoder: tuple[str, ...], encoder: tuple[str, ...], after: str) -> Task:
    begin, samples = mix.first / SOUND_RATE, mix.last - mix.first
    whole = f"apad=whole_len={samples},atrim=end_sample={samples}"
    inputs: list[str] = []
    chains = [f"anullsrc=r={SOUND_RATE}:cl=stereo,atrim=end_sample={samples},aformat=sample_fmts=fltp[0]"]
    for number, clip in enumerate(mix.clips):
        inputs += [*decoder, *_input(clip, begin)]
        chains.append(
            f"[{number}:a]aresample={SOUND_RATE}:async=1000:first_pts=0,"
            f"aformat=sample_fmts=fltp:channel_layouts=stereo,{whole}[c{number}]"
        )
    together = "".join(f"[c{number}]" for number in range(len(mix.clips)))
    mixing = f"amix=inputs={len(mix.clips) + 1}:duration=first:normalize=0" if mix.clips else "anull"
    chains.append(f"[0]{together}{mixing}{after},{whole}[out]")
    return Task(
        inputs=tuple(inputs),
        graph=";\n".join(chains),
        output=("-map", "[out]", "-vn", *encoder),
        texts={},
    )


def _input(clip: Clip, begin: float) -> list[str]:
    """A clip, from a little before the chunk on; what lies before it has negative times, and is dropped."""
    start = clip.start - begin
    if start >= 0:
        return ["-itsoffset", f"{start:.6f}", "-i", f"file:{clip.file}"]
    before = min(_BEFORE, -start)
    seek = ["-ss", f"{-start - before:.6f}", "-itsoffset", f"{-before:.6f}"]
    return ["-noaccurate_seek", *seek, "-i", f"file:{clip.file}"]
