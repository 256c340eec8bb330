"""Everything that is to be done to compose a session, step by step. Pure.

Owns: `Plan`, `Chunk`, `plan_of`.

Always holds: the same time line and look make the same plan, and `Plan.digest` names it: files of a plan are never
mistaken for those of another.
"""

from __future__ import annotations

import hashlib
import math

import msgspec

from callboard.recording.composite.cast import end_of, figures_of, sounds_of
from callboard.recording.composite.look import SOUND_RATE, Look, check
from callboard.recording.composite.scenes import Scene, scenes_of
from callboard.recording.composite.sound import Mix, mixes_of
from callboard.recording.timeline import Timeline

VERSION = 3
"""Of what FFmpeg is told for a plan: files made by another version are not used."""


class NothingCaptured(Exception):  # noqa: N818 - it is what is the case
    """There is no picture and no sound in the session."""


class Chunk(msgspec.Struct, frozen=True):
    """What is composed in one step."""

    scenes: tuple[Scene, ...]
    mix: Mix


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    look: Look
    pictures: int
    chunks: tuple[Chunk, ...]

    @property
    def seconds(self) -> float:
        """How long the recording will be."""
        return self.pictures / self.look.rate

    @property
    def digest(self) -> str:
        return hashlib.sha256(b"%d" % VERSION + msgspec.json.encode(self)).hexdigest()[:16]


def plan_of(timeline: Timeline, look: Look) -> Plan:
    """How to compose the session. Raises `NothingCaptured`, `LookError`."""
    check(look)
    pictures = math.ceil(end_of(timeline) * look.rate)
    if pictures == 0:
        raise NothingCaptured
    scenes = scenes_of(figures_of(timeline), pictures, look)
    samples = pictures * SOUND_RATE // look.rate
    mixes = mixes_of(sounds_of(timeline), samples, look.chunk)
    length = look.chunk * look.rate
    by_chunk: list[list[Scene]] = [[] for _ in mixes]
    for scene in scenes:
        by_chunk[scene.first // length].append(scene)
    chunks = (Chunk(tuple(group), mix) for group, mix in zip(by_chunk, mixes, strict=True))
    return Plan(look=look, pictures=pictures, chunks=tuple(chunks))
