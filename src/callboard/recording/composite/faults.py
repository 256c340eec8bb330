"""Which of the seed's error types a failure is (seed, `recording.failed`, "Error types"; platform.md §10.9). Pure.

Owns: `fault_of`, `error_type`.

Always holds: the type names the cause that was seen, not the step in which it was seen.
"""

from __future__ import annotations

import errno

from callboard.events import RecordingErrorType
from callboard.jobs import JobError, ProcessFailed
from callboard.recording.composite.look import LookError
from callboard.recording.composite.plan import NothingCaptured
from callboard.recording.faults import DISK_ERROR, code_of

INPUT, CONFIG, MEMORY, PROCESSING, API = (
    RecordingErrorType.INPUT_ERROR,
    RecordingErrorType.CONFIG_ERROR,
    RecordingErrorType.MEMORY_ERROR,
    RecordingErrorType.PROCESSING_CMD_ERROR,
    RecordingErrorType.API_ERROR,
)

ELSEWHERE = "CAPTURE_ELSEWHERE"
"""A code of jobs only, like `DISK_ERROR`: the captures lie on another machine."""


_ERRNO = {errno.ENOMEM: str(MEMORY), errno.ENOSPC: DISK_ERROR, errno.EDQUOT: DISK_ERROR}


def fault_of(error: Exception) -> JobError:
    """The failure as a job's: final when trying again is no use."""
    match error:
        case JobError():
            return error
        case NothingCaptured():
            return JobError(INPUT, "nothing was captured in this session", final=True)
        case ProcessFailed():
            return JobError(code_of(error), str(error))
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
