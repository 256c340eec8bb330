"""The local file that is being stored: read once, from start to end, hashed on the way.

Owns: `Source`: the bytes in blocks, their SHA-256, and the ETag that an S3 server must give them.

Always holds: the file is read outside the event loop, a block at a time, so cancelling waits for one block at most.
The digests are of exactly the bytes that `block` returned. A file that is not the same at the end as it was at the
start is an error: half of two files is no file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self, TypeVar

from callboard.storage.errors import SourceError

BLOCK = 1 << 20
"""Bytes that are read at a time."""

PATIENCE: Final = 60.0
"""Seconds that the disk has for a block."""

_Result = TypeVar("_Result")


class Source:
    """`async with Source(path) as source`. `size` in bytes. Blocks are whole but for the last one."""

    def __init__(self, path: Path) -> None:
        self.size = 0
        self._path = path
        self._blocks_per_part = 0
        self._read = 0
        self._file: BinaryIO | None = None
        self._identity = (0, 0)
        self._sha256 = hashlib.sha256()
        self._parts: list[bytes] = []
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._blocks = 0

    async def __aenter__(self) -> Self:
        """Raises `SourceError` if it is no file that can be read."""
        await self._in_thread(self._open)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            # A read that was cancelled may still be under way in its thread: closing waits for it.
            await self._in_thread(self._file.close)

    def divide(self, part_size: int) -> None:
        """Before the first block: from now on the parts' MD5s are kept. `part_size` in bytes, whole blocks."""
        if part_size % BLOCK or self._read:
            raise ValueError(f"parts of {part_size} bytes are not whole blocks, or reading has begun")
        self._blocks_per_part = part_size // BLOCK

    async def block(self) -> bytes:
        """The next block; b"" after the last. Raises `SourceError` if the file changed or cannot be read."""
        return await self._in_thread(self._next)

    @property
    def sent(self) -> int:
        """Bytes that `block` returned so far."""
        return self._read

    @property
    def checksum(self) -> str:
        """SHA-256 of what was read, in hexadecimal."""
        return self._sha256.hexdigest()

    def etag(self) -> str:
        """The ETag, without quotes, that S3 gives what was read unless it encrypts it with keys of its own.

        The MD5 of the bytes; if they were divided, of the parts' MD5s, and their number (Amazon S3 User Guide,
        "Checking object integrity", ETags of multipart uploads).
        """
        if not self._blocks_per_part:
            return self._md5.hexdigest()
        parts = [*self._parts, self._md5.digest()] if self._blocks % self._blocks_per_part else self._parts
        return f"{hashlib.md5(b''.join(parts), usedforsecurity=False).hexdigest()}-{len(parts)}"

    async def _in_thread(self, function: Callable[[], _Result]) -> _Result:
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.to_thread(function)
        except TimeoutError:
            fault = self._fault("the disk does not answer")
        raise fault

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
            self._identity = self._identify()
        except OSError as error:
            fault = self._fault(f"it cannot be read ({error.strerror})")
        else:
            self.size = self._identity[0]
            return
        raise fault

    def _next(self) -> bytes:
        assert self._file is not None
        try:
            data = self._file.read(min(BLOCK, self.size - self._read))
            changed = self._identify() != self._identity or (not data and self._read < self.size)
        except OSError as error:
            fault = self._fault(f"it cannot be read ({error.strerror})")
        else:
            if not changed:
                self._hash(data)
                return data
            fault = self._fault("it changed while it was read")
        raise fault

    def _hash(self, data: bytes) -> None:
        if not data:
            return
        self._read += len(data)
        self._sha256.update(data)
        self._md5.update(data)
        self._blocks += 1
        if self._blocks_per_part and self._blocks % self._blocks_per_part == 0:
            self._parts.append(self._md5.digest())
            self._md5 = hashlib.md5(usedforsecurity=False)

    def _identify(self) -> tuple[int, int]:
        assert self._file is not None
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def _fault(self, reason: str) -> SourceError:
        return SourceError("put_file", str(self._path), reason)
