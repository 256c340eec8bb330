"""A local file as the parts of a multipart upload.

Owns: how large the parts are, and `Parts`, which obstore pulls the file's blocks from.

Always holds: blocks are read only when obstore has room for them. `abandon` makes the next pull fail, which is how an
upload is told to abort: cancelling obstore's future would leave the parts in the bucket (seen with obstore 0.12.1).
"""

from __future__ import annotations

from typing import Final, Self

from callboard.storage.interface import Progress
from callboard.storage.source import BLOCK, Source

MAXIMUM_PARTS: Final = 10_000
"""Of an upload (Amazon S3 User Guide, "Amazon S3 multipart upload limits")."""


class AbandonedError(Exception):
    """The upload was given up."""


class Parts:
    """An asynchronous iterator over what is left of `source`."""

    def __init__(self, source: Source, progress: Progress | None) -> None:
        self._source = source
        self._progress = progress
        self._abandoned = False

    def abandon(self) -> None:
        """Let the upload fail at its next pull."""
        self._abandoned = True

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._abandoned:
            raise AbandonedError
        data = await self._source.block()
        if not data:
            raise StopAsyncIteration
        if self._progress is not None:
            self._progress(self._source.sent, self._source.size)
        return data


def part_size_for(size: int, least: int) -> int:
    """Bytes of a part for a file of `size` bytes: `least`, or as many whole blocks as 10,000 parts need."""
    return max(least, -(-size // (MAXIMUM_PARTS * BLOCK)) * BLOCK)
