"""Which of the seed's error types a failure is (seed, `recording.failed`, "Error types"; platform.md §10.9). Pure, but
for asking the kernel how many processes it has killed for want of memory.

Owns: `fault_of`, `error_type`, `oom_kills`.

Always holds: the type names the cause that was seen, not the step in which it was seen.
"""

from __future__ import annotations

import errno
import re
import signal
from pathlib import Path

from callboard.events import RecordingErrorType
from callboard.jobs import JobError, ProcessFailed
from callboard.recording.composite.look import LookError
from callboard.recording.composite.plan import NothingCaptured

INPUT, CONFIG, MEMORY, PROCESSING, API = (
    RecordingErrorType.INPUT_ERROR,
    RecordingErrorType.CONFIG_ERROR,
    RecordingErrorType.MEMORY_ERROR,
    RecordingErrorType.PROCESSING_CMD_ERROR,
    RecordingErrorType.API_ERROR,
)

_NO_MEMORY = re.compile(
    r"Cannot allocate memory|ailed to allocate|malloc of size \d+ failed|std::bad_alloc|failed to map segment"
)
"""As FFmpeg, x264 and the dynamic linker say it (seen at limits from 160 to 340 MB)."""
_UNREADABLE = re.compile(r"Invalid data found when processing input|No such file or directory|moov atom not found")
_NOT_FOUND = 127
DISK_ERROR, ELSEWHERE = "DISK_ERROR", "CAPTURE_ELSEWHERE"
"""Codes of jobs only: the disk is full; the captures lie on another machine. Others are those of the seed."""


_ERRNO = {errno.ENOMEM: str(MEMORY), errno.ENOSPC: DISK_ERROR, errno.EDQUOT: DISK_ERROR}


def fault_of(error: Exception, oom_before: int) -> JobError:
    """The failure as a job's: final when trying again is no use. `oom_before` is what `oom_kills` said before."""
    match error:
        case JobError():
            return error
        case NothingCaptured():
            return JobError(INPUT, "nothing was captured in this session", final=True)
        case ProcessFailed():
            return JobError(_of_process(error, oom_before), str(error))
    return JobError(_of_ours(error), f"{type(error).__name__}: {error}")


def _of_ours(error: Exception) -> str:
    """What went wrong in this process; what is none of these is a refusal of our own database or rooms."""
    match error:
        case LookError():
            return CONFIG
        case MemoryError():
            return MEMORY
        case TimeoutError():  # the database's; an OSError by inheritance
            return API
        case OSError():
            return _ERRNO.get(error.errno or 0, PROCESSING)
    return API


def error_type(code: str) -> RecordingErrorType:
    """What is told of a failure with this code. A full disk keeps programs from doing their work."""
    try:
        return RecordingErrorType(code)
    except ValueError:
        return {DISK_ERROR: PROCESSING, ELSEWHERE: INPUT}.get(code, API)


def oom_kills(file: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel (or a control group) has killed for want of memory since it started."""
    try:
        found = re.search(r"^oom_kill (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0


def _of_process(error: ProcessFailed, oom_before: int) -> str:
    if "No space left on device" in error.complaints:
        return DISK_ERROR
    if _NO_MEMORY.search(error.complaints):
        return MEMORY
    if error.code == -signal.SIGKILL and oom_kills() > oom_before:
        return MEMORY
    if error.code == _NOT_FOUND:
        return CONFIG
    return INPUT if _UNREADABLE.search(error.complaints) else PROCESSING
