"""Composing a session as planned: FFmpeg in child processes, chunk by chunk, then all of it joined.

Owns: `Composer`, `Composed`, the names of the files.

Always holds: a file appears under its name whole or not at all, and what is there is not made again, by whomever the
work is taken up. Only files of this plan are in its folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from callboard.jobs.process import Finished, ReadProgress
from callboard.recording.capture.folder import new_part
from callboard.recording.composite.look import find_font
from callboard.recording.composite.picture import Task, picture_task
from callboard.recording.composite.plan import Chunk, Plan
from callboard.recording.composite.sound import part_tasks, sound_task
from callboard.recording.faults import written_whole

MEMORY = 6 * 1024**3
"""Bytes of address space that FFmpeg gets, unless set otherwise (it takes a tenth of it for 16 people at 720p)."""
_SLOWEST = 60.0
"""Times the length of what is made: FFmpeg that takes longer hangs."""
_LEAST_DEADLINE = 120.0
_PICTURES_SHARE, _SOUND_SHARE = 0.85, 0.1
SOUND_KILOBITS = 128
_COMPOSED = "composed.mp4"


class RunProcess(Protocol):
    """As `jobs.Run.process` and `jobs.process.run_process`."""

    async def __call__(
        self,
        command: Sequence[str],
        *,
        deadline: float,
        progress: ReadProgress | None = None,
        folder: Path | None = None,
        memory: int = 0,
    ) -> Finished: ...


class Composed(msgspec.Struct, frozen=True):
    """The recording. `size` in bytes, `seconds` its duration."""

    file: str
    size: int
    seconds: float


class Composer:
    """Composes one plan in a folder of its own, below `folder`. `tell` hears how much is done, 0.0 to 1.0.

    All raise `ProcessFailed`, `OSError`, and `LookError` if there is no font.
    """

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        process: RunProcess,
        tell: Callable[[float], None] = lambda _: None,
        memory: int = MEMORY,
    ) -> None:
        self._plan = plan
        self._process = process
        self._tell = tell
        self._memory = memory
        self.folder = folder / plan.digest

    async def chunk(self, number: int) -> list[str]:
        """Make the files of a chunk, those that are not there yet. Returns the names of all of them."""
        chunk = self._plan.chunks[number]
        font = await asyncio.to_thread(find_font, self._plan.look)
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        for scene in chunk.scenes:
            task = picture_task(scene, self._plan.look, font)
            await self._make(_picture(scene.first), task, ("-f", "mp4"), lambda done, at=scene.first: at + done)  # type: ignore[misc]
        if not (self.folder / _sound(number)).exists():
            await self._sound(number, chunk)
        return [*(_picture(scene.first) for scene in chunk.scenes), _sound(number)]

    async def join(self) -> Composed:
        """Make the recording of its chunks, which are made now if they are not there."""
        target = self.folder / _COMPOSED
        if not target.exists():
            names = [await self.chunk(number) for number in range(len(self._plan.chunks))]
            pictures = [name for chunk in names for name in chunk[:-1]]
            task = Task(
                inputs=(*_listed("pictures.txt"), *_listed("sounds.txt")),
                graph="",
                output=(
                    *("-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", "-b:a", f"{SOUND_KILOBITS}k"),
                    *("-movflags", "+faststart", "-map_metadata", "-1"),
                ),
                texts={
                    "pictures.txt": _list(pictures),
                    "sounds.txt": _list([chunk[-1] for chunk in names]),
                },
            )
            await self._make(target.name, task, ("-f", "mp4"))
        self._tell(1.0)
        return Composed(str(target), target.stat().st_size, self._plan.seconds)

    def tidy(self) -> None:
        """Remove what the recording was made of, once it is there. Blocks."""
        if (self.folder / _COMPOSED).exists():
            for pattern in ("picture-*.mp4", "sound-*.flac"):
                for file in self.folder.glob(pattern):
                    file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all files of the plan. Blocks; raises nothing for what is not there."""
        shutil.rmtree(self.folder, ignore_errors=True)

    async def _sound(self, number: int, chunk: Chunk) -> None:
        names = []
        for index, task in enumerate(part_tasks(chunk.mix)):
            names.append(f"part-{number:05d}-{index:03d}.wav")
            await self._make(names[-1], task, ("-f", "w64"))
        await self._make(
            _sound(number), sound_task(chunk.mix, [str(self.folder / name) for name in names]), ("-f", "flac")
        )
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    async def _make(
        self, name: str, task: Task, muxer: Sequence[str], place: Callable[[int], int] | None = None
    ) -> None:
        """Run FFmpeg for one file. `place` says how many pictures of the plan are made when the task has made some."""
        target = self.folder / name
        if target.exists():
            return
        own = await asyncio.to_thread(_prepared, target, task)
        graph = ("-filter_complex_script", "graph") if task.graph else ()
        command = (
            *("ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-v", "error", "-progress", "pipe:1", "-y"),
            *task.inputs,
            *graph,
            *task.output,
            *muxer,
            "made",
        )
        seconds = self._plan.seconds if place is None else task.pictures / self._plan.look.rate

        def read(line: str) -> float | None:
            name, _, value = line.partition("=")
            if place is None or name != "frame" or not value.strip().isdigit():
                return None
            done = _PICTURES_SHARE * min(1.0, place(int(value)) / self._plan.pictures)
            self._tell(done)
            return done

        deadline = max(_LEAST_DEADLINE, _SLOWEST * seconds)
        try:
            written_whole(
                await self._process(command, deadline=deadline, progress=read, folder=own, memory=self._memory)
            )
            await asyncio.to_thread(_keep, own / "made", target)
        finally:
            shutil.rmtree(own, ignore_errors=True)  # also when the disk is full: that is how it would stay so


def _prepared(target: Path, task: Task) -> Path:
    """A folder to make the file in."""
    folder = new_part(target)
    folder.mkdir(parents=True)
    for name, text in task.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if task.graph:
        (folder / "graph").write_text(task.graph, encoding="utf-8")
    return folder


def _keep(made: Path, target: Path) -> None:
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(target)


def _picture(first: int) -> str:
    return f"picture-{first:08d}.mp4"


def _sound(number: int) -> str:
    return f"sound-{number:05d}.flac"


def _listed(name: str) -> tuple[str, ...]:
    return "-f", "concat", "-safe", "0", "-i", name


def _list(names: Sequence[str]) -> str:
    """For FFmpeg's concat demuxer. The names are ours."""
    return "ffconcat version 1.0\n" + "".join(f"file ../{name}\n" for name in names)
