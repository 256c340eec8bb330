"""Methods of clients for what this server does not do yet (signal.md §3.5, §3.7): refused in words that a user can be
shown, because the official page shows them.

Owns: `NOT_HERE`, `refuse`. Always holds: the code is one that clients do not try again (signal.md §3.1).
"""

from __future__ import annotations

from typing import Final

from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call, Nothing

NOT_HERE: Final = (
    "rtmp-start",
    "rtmp-stop",
    "hls-start",
    "hls-stop",
    "hls-timed-metadata",
    "transcription-start",
    "transcription-stop",
    "transcription-config-update",
    "whiteboard-create",
    "whiteboard-get",
)
NOT_FOUND: Final = 404


async def refuse(_: Call, __: Nothing) -> None:
    """Raise `SignalError`."""
    raise SignalError(NOT_FOUND, "Recording, streaming, captions and whiteboards are not available on this server")
