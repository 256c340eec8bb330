"""What a failure of a program that we ran is called, and how long it is tried again. Pure.

Owns: the codes of jobs and assets, `code_of`, `written_whole`, `tried`.

Always holds: the code names the cause that was seen, not the step in which it was seen. They are those of the seed
(`recording.failed`, "Error types"), but `DISK_ERROR`: the disk is full, which is nobody's fault and may pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from callboard.jobs import JobError, ProcessFailed, Run
from callboard.jobs.process import Finished

INPUT_ERROR, CONFIG_ERROR, MEMORY_ERROR = "INPUT_ERROR", "CONFIG_ERROR", "MEMORY_ERROR"
PROCESSING_ERROR, DISK_ERROR = "PROCESSING_CMD_ERROR", "DISK_ERROR"

MOST_TRIES: Final = 8
"""Of what fails each time. A full disk is waited out until the job's deadline."""

_NO_MEMORY = re.compile(
    r"Cannot allocate memory|ailed to allocate|malloc of size \d+ failed|std::bad_alloc|failed to map segment"
    r"|MemoryError"
)
"""As FFmpeg, x264, the dynamic linker and Python say it (seen at limits from 160 to 340 MB)."""
_UNREADABLE = re.compile(r"Invalid data found when processing input|No such file or directory|moov atom not found")
_NOT_FOUND = 127
_FULL = "No space left on device"
_UNFINISHED = re.compile(rf"{_FULL}|Error writing trailer")


def code_of(error: ProcessFailed) -> str:
    """The code of a program's failure."""
    if _FULL in error.complaints:
        return DISK_ERROR
    if error.starved or _NO_MEMORY.search(error.complaints):
        return MEMORY_ERROR
    if error.code == _NOT_FOUND:
        return CONFIG_ERROR
    return INPUT_ERROR if _UNREADABLE.search(error.complaints) else PROCESSING_ERROR


def written_whole(finished: Finished) -> None:
    """FFmpeg has written its file to the end. Raises `ProcessFailed`.

    It ends with 0 also when the end of a file did not fit on the disk (seen with 5.1: an MP4 without its index), unless
    it is told to stop at any error, damaged input included.
    """
    if _UNFINISHED.search(finished.complaints):
        raise ProcessFailed("ffmpeg", "could not write its file to the end", 0, finished.complaints)


@contextmanager
def tried(run: Run) -> Iterator[None]:
    """Within it, what has failed for the `MOST_TRIES`th time is final. Raises `JobError`."""
    try:
        yield
    except JobError as error:
        if error.final or error.code == DISK_ERROR or run.job.tries < MOST_TRIES:
            raise
        raise JobError(error.code, error.message, final=True) from error
