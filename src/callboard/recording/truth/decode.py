"""Decoding a media file with FFmpeg, frame by frame with exact times.

Owns: `probe`, `pictures`, `sounds`: child processes `ffprobe` and `ffmpeg` (5.1 or newer).

Always holds: one decoded frame is in memory at a time; every child dies with us (`media/launch.py`), is killed when the
deadline passes or the reader stops reading, and leaves nothing behind. Times are the container's own, not made up from
a frame rate.

How times come along: the filter `showinfo` writes a line to stderr for every frame *before* FFmpeg hands the frame on
to stdout, so a line and then its bytes are read, in turn, and neither pipe can fill up while we wait for the other.

File time zero is the container's zero, as for a player of webm or MP4; of MPEG-TS and HLS, which start anywhere, it is
the first timestamp.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from array import array
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from callboard.media import launch

_LINE = re.compile(rb"^\[Parsed_a?showinfo\S* @ .*? pts_time:\s*(\S+)")
_SAMPLES = re.compile(rb" nb_samples:\s*(\d+)")
_FLOATING_START = ("mpegts", "hls")
_LARGEST_WIDTH = 1280
_LONGEST_LINE = 65536


class Unreadable(Exception):  # noqa: N818 - what is wrong is the file, not the program
    """The file cannot be decoded, or not in time. The text says why."""


@dataclass(frozen=True, slots=True)
class Container:
    """What the file says of itself. Pixels and seconds; `duration` is None when it does not say."""

    path: Path
    format: str
    duration: float | None
    zero: float
    width: int
    height: int
    has_sound: bool

    @property
    def has_picture(self) -> bool:
        return self.width > 0


class _Stream(msgspec.Struct):
    codec_type: str = ""
    codec_name: str = ""
    width: int = 0
    height: int = 0


class _Format(msgspec.Struct):
    format_name: str = ""
    start_time: str = "0"
    duration: str | None = None


class _Probe(msgspec.Struct):
    streams: list[_Stream] = []
    format: _Format = msgspec.field(default_factory=_Format)


def probe(path: Path, deadline: float) -> Container:
    """What is in the file.

    Raises `Unreadable`, also when it takes longer than `deadline` seconds; `FileNotFoundError` without FFmpeg.
    """
    command = ("ffprobe", "-v", "error", "-show_streams", "-show_format", "-of", "json", *_input(path))
    try:
        done = subprocess.run(_launched(command), capture_output=True, timeout=deadline, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as late:
        raise Unreadable(f"{path.name}: ffprobe did not finish within {deadline:g} s") from late
    if done.returncode != 0:
        raise Unreadable(f"{path.name}: {_reason(path, [done.stderr])}")
    told = msgspec.json.decode(done.stdout, type=_Probe)
    picture = next((stream for stream in told.streams if stream.codec_type == "video"), _Stream())
    floating = any(name in _FLOATING_START for name in told.format.format_name.split(","))
    return Container(
        path=path,
        format=" ".join((told.format.format_name, *(stream.codec_name for stream in told.streams))),
        duration=None if told.format.duration is None else float(told.format.duration),
        zero=float(told.format.start_time) if floating else 0.0,
        width=picture.width,
        height=picture.height,
        has_sound=any(stream.codec_type == "audio" for stream in told.streams),
    )


def plane_size(container: Container) -> tuple[int, int]:
    """The size in which pictures are decoded: their first, or, when that is large, smaller; even."""
    width = min(container.width, _LARGEST_WIDTH)
    height = container.height * width // container.width
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def pictures(container: Container, deadline: float) -> Generator[tuple[float, bytes], None, None]:
    """The luma planes of the first video stream, all of `plane_size`, with their file times in seconds.

    Pictures whose size changes on the way are scaled to it. Raises `Unreadable`.
    """
    width, height = plane_size(container)
    chain = f"scale={width}:{height}:flags=area,format=yuv420p,extractplanes=y,showinfo=checksum=0"
    output = ("-map", "0:v:0", "-vf", chain, "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
    with _Decoder(container.path, output, deadline) as decoder:
        for at, _ in decoder.frames():
            yield at - container.zero, decoder.read(width * height)


def sounds(container: Container, rate: int, deadline: float) -> Generator[tuple[float, array[int]], None, None]:
    """The first audio stream as mono at `rate` samples a second, in pieces, with their file times in seconds.

    Where the file has a hole, the times have one. Raises `Unreadable`.
    """
    chain = f"aresample={rate},aformat=sample_fmts=s16:channel_layouts=mono,ashowinfo"
    output = ("-map", "0:a:0", "-af", chain, "-f", "s16le", "pipe:1")
    with _Decoder(container.path, output, deadline) as decoder:
        for at, line in decoder.frames():
            count = _SAMPLES.search(line)
            assert count is not None, line
            yield at - container.zero, array("h", decoder.read(2 * int(count[1])))


class _Decoder:
    """One run of FFmpeg that writes frames to stdout and a line about each to stderr; a context manager."""

    def __init__(self, path: Path, output: Sequence[str], deadline: float) -> None:
        # -copyts: no shifting of times; -reinit_filter 0: a new picture size does not start the filters anew.
        command = (
            *("ffmpeg", "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info"),
            *("-copyts", "-reinit_filter", "0", *_input(path), *output),
        )
        self._path, self._deadline = path, deadline
        self._said: deque[bytes] = deque(maxlen=20)
        self._late = False
        self._child = subprocess.Popen(  # noqa: S603 - the command is ours
            _launched(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._timer = threading.Timer(deadline, self._give_up)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._child.kill()
        self._child.communicate()

    def frames(self) -> Iterator[tuple[float, bytes]]:
        """The time of each frame, as the container has it, and the line about it; its bytes are next to be read."""
        assert self._child.stderr is not None
        while line := self._child.stderr.readline(_LONGEST_LINE):
            found = _LINE.match(line)
            if found is None:
                self._said.append(line)
            elif found[1] == b"NOPTS":
                raise Unreadable(f"{self._path.name}: it has frames without a time")
            else:
                yield float(found[1]), line
        self._check_end()

    def read(self, size: int) -> bytes:
        """The next `size` bytes of what was decoded."""
        assert self._child.stdout is not None
        data = self._child.stdout.read(size)
        if len(data) < size:
            self._check_end()
            raise Unreadable(f"{self._path.name}: FFmpeg ended in the middle of a frame")
        return data

    def _check_end(self) -> None:
        code = self._child.wait()
        if self._late:
            raise Unreadable(f"{self._path.name}: not decoded within {self._deadline:g} s")
        if code != 0:
            raise Unreadable(f"{self._path.name}: {_reason(self._path, self._said)}")

    def _give_up(self) -> None:
        self._late = True
        self._child.kill()


def _input(path: Path) -> tuple[str, ...]:
    """Only local files are opened, also by playlists."""
    return "-protocol_whitelist", "file,crypto,data", "-i", f"file:{path}"


def _launched(command: Sequence[str]) -> tuple[str, ...]:
    """The command, to die with us. Raises `FileNotFoundError`."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"the program {command[0]} was not found: install FFmpeg 5.1 or newer")
    return sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command


def _reason(path: Path, said: Iterable[bytes]) -> str:
    """The last line of what a program said, without the place of the file."""
    lines = b"".join(said).decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip().removeprefix(f"file:{path}: ") if lines else "FFmpeg gave no reason"
