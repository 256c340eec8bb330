"""The content type of an asset by its name. Pure.

Always holds: the same on every machine (`mimetypes` reads the system's files, so it is not asked).
"""

from __future__ import annotations

from pathlib import PurePosixPath
from types import MappingProxyType

UNKNOWN = "application/octet-stream"

BY_SUFFIX = MappingProxyType(
    {
        ".aac": "audio/aac",
        ".csv": "text/csv; charset=utf-8",
        ".jpeg": "image/jpeg",
        ".jpg": "image/jpeg",
        ".json": "application/json",
        ".m3u8": "application/vnd.apple.mpegurl",  # RFC 8216 §4
        ".m4a": "audio/mp4",
        ".m4s": "video/iso.segment",
        ".mjr": UNKNOWN,
        ".mkv": "video/matroska",  # RFC 9559 §27.3
        ".mp3": "audio/mpeg",
        ".mp4": "video/mp4",
        ".ogg": "audio/ogg",
        ".opus": "audio/ogg",
        ".png": "image/png",
        ".srt": "application/x-subrip",
        ".ts": "video/mp2t",
        ".txt": "text/plain; charset=utf-8",
        ".vtt": "text/vtt; charset=utf-8",
        ".wav": "audio/wav",
        ".webm": "video/webm",
        ".zip": "application/zip",
    }
)


def content_type_of(key: str) -> str:
    """By the suffix, whatever its case; `application/octet-stream` for one that is not in the table."""
    return BY_SUFFIX.get(PurePosixPath(key).suffix.lower(), UNKNOWN)
