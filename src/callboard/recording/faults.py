"""What a failure of a program that we ran is called, and how long it is tried again. Pure.

Owns: the codes of jobs and assets, `code_of`, `tried`.

Always holds: the code names the cause that was seen, not the step in which it was seen. They are those of the seed
(`recording.failed`, "Error types"), but `DISK_ERROR`: the disk is full, which is nobody's fault and may pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from callboard.jobs import JobError, ProcessFailed, Run

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


def code_of(error: ProcessFailed) -> str:
    """The code of a program's failure."""
    if "No space left on device" in error.complaints:
        return DISK_ERROR
    if error.starved or _NO_MEMORY.search(error.complaints):
        return MEMORY_ERROR
    if error.code == _NOT_FOUND:
        return CONFIG_ERROR
    return INPUT_ERROR if _UNREADABLE.search(error.complaints) else PROCESSING_ERROR


@contextmanager
def tried(run: Run) -> Iterator[None]:
    """Within it, what has failed for the `MOST_TRIES`th time is final. Raises `JobError`."""
    try:
        yield
    except JobError as error:
        if error.final or error.code == DISK_ERROR or run.job.tries < MOST_TRIES:
            raise
        raise JobError(error.code, error.message, final=True) from error
