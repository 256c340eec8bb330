"""Storage in a local folder, with URLs that we sign and serve ourselves.

Owns: `Folder` and everything below its root.

Always holds: an object gets its name after its bytes were synced, so it is whole or not there, also after a power
cut. No key leads out of the root, not even through a symbolic link that somebody put there. The disk is touched
outside the event loop, a block at a time, with a deadline each time.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from callboard.clock import NANOSECONDS, Clock
from callboard.storage import disk, links
from callboard.storage.content_types import content_type_of
from callboard.storage.errors import (
    ChecksumError,
    DeniedError,
    InvalidKeyError,
    NoSuchBucketError,
    NoSuchObjectError,
    OutOfSpaceError,
    StorageError,
    UnreachableError,
)
from callboard.storage.interface import Entry, Progress, Scheme, Stored, check_range, check_url_seconds
from callboard.storage.keys import check_key, check_prefix
from callboard.storage.source import BLOCK, Source

PATIENCE: Final = 60.0
"""Seconds that a disk has for one operation, and as many more as its bytes need at `SLOWEST`."""

SLOWEST: Final = 1 << 20
"""Bytes a second."""

_KINDS: Final[dict[int, type[StorageError]]] = {
    errno.ENOSPC: OutOfSpaceError,
    errno.EDQUOT: OutOfSpaceError,
    errno.EACCES: DeniedError,
    errno.EPERM: DeniedError,
    errno.EROFS: DeniedError,
    errno.EEXIST: InvalidKeyError,  # an object's key is a folder in another's: a bucket could, a disk cannot
    errno.ENOTDIR: InvalidKeyError,
    errno.EISDIR: InvalidKeyError,
    errno.ENOTEMPTY: InvalidKeyError,
    errno.ELOOP: InvalidKeyError,
    errno.ENAMETOOLONG: InvalidKeyError,
}
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Folder:
    """`Storage` below `root`, which must exist. `root` may be read and not changed.

    `name` is the location in `local://<name>/<key>`; `base_url` is where the HTTP server serves keys; the first of
    `secrets` signs URLs, each of them verifies them.
    """

    scheme: Scheme = "local"

    def __init__(self, root: Path, name: str, base_url: str, secrets: Sequence[bytes], clock: Clock) -> None:
        self.root = root
        self._name = name
        self._base_url = base_url
        self._secrets = links.check_secrets(secrets)
        self._clock = clock

    def __repr__(self) -> str:
        return f"Folder({str(self.root)!r})"

    def uri(self, key: str) -> str:
        return f"{self.scheme}://{self._name}/{key}"

    async def put_file(
        self, path: Path, key: str, content_type: str | None = None, progress: Progress | None = None
    ) -> Stored:
        target = await self._path("put_file", key)
        async with Source(path) as source:
            await self._run("put_file", key, 0, disk.check_space, self.root, source.size)
            incoming = disk.Incoming(self.root)
            try:
                await self._run("put_file", key, 0, incoming.open)
                while data := await source.block():
                    await self._run("put_file", key, len(data), incoming.write, data)
                    if progress is not None:
                        progress(source.sent, source.size)
                kind = content_type or content_type_of(key)
                await self._run("put_file", key, source.size, incoming.publish, target, kind)
            finally:
                await self._run("put_file", key, 0, incoming.close)
            return Stored(key, source.size, source.checksum, self.uri(key), "synced")

    async def head(self, key: str) -> Entry:
        return await self._run("head", key, 0, disk.entry_of, key, await self._path("head", key))

    async def content_type(self, key: str) -> str:
        """What `put_file` was told, or else the name says; for the HTTP server. Raises `NoSuchObjectError`."""
        return await self._run("content_type", key, 0, disk.content_type, await self._path("content_type", key))

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        check_range(start, length)
        file = await self._run("read", key, 0, disk.open_object, await self._path("read", key))
        try:
            left = length
            while left is None or left > 0:
                size = BLOCK if left is None else min(BLOCK, left)
                data = await self._run("read", key, size, disk.read_block, file, start, size)
                if not data:
                    return
                start += len(data)
                left = None if left is None else left - len(data)
                yield data
        finally:
            await self._run("read", key, 0, file.close)

    async def delete(self, key: str) -> None:
        await self._run("delete", key, 0, disk.remove, self.root, await self._path("delete", key))

    async def list(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        below = check_prefix(prefix, "list")
        folders = [(await self._path("list", f"{below}/x")).parent if below else self.root]
        while folders:
            entries, inner = await self._run("list", prefix, 0, disk.scan, self.root, folders.pop())
            folders += inner
            for entry in entries:
                yield entry

    async def presigned_url(self, key: str, seconds: int) -> str:
        await self._path("presigned_url", key)
        expires = self._now() + check_url_seconds(seconds)
        return links.sign(self._base_url, key, expires, self._secrets[0])

    def check_link(self, key: str, expires: str, signature: str) -> None:
        """Return if this link may be followed now. Raises `InvalidLinkError`, `ExpiredLinkError` (links.py)."""
        links.verify(self._secrets, key, expires, signature, self._now())

    async def verify(self, key: str, size: int, checksum: str) -> None:
        digest = hashlib.sha256()
        found = 0
        async for data in self.read(key):
            await asyncio.to_thread(digest.update, data)
            found += len(data)
        if (found, digest.hexdigest()) != (size, checksum.lower()):
            raise ChecksumError(
                "verify", self.uri(key), f"{found} bytes that are not the {size} bytes that were stored"
            )

    async def remove_leftovers(self) -> int:
        """Remove what processes that were killed were writing; how many files that were. For the start."""
        return await self._run("remove_leftovers", "", 0, disk.remove_leftovers, self.root)

    def _now(self) -> int:
        return self._clock.now() // NANOSECONDS

    async def _path(self, operation: str, key: str) -> Path:
        """Where the object's file is, or would be. Raises `InvalidKeyError`."""
        path = self.root / check_key(key, operation)
        if key.split("/", 1)[0] == disk.INCOMING:
            raise InvalidKeyError(operation, self.uri(key), f"{disk.INCOMING!r} is where files are being written")
        if not await self._run(operation, key, 0, disk.is_inside, self.root, path):
            raise InvalidKeyError(operation, self.uri(key), "a symbolic link leads out of the folder")
        return path

    async def _run(
        self,
        operation: str,
        key: str,
        size: int,
        function: Callable[_Arguments, _Result],
        *args: _Arguments.args,
        **kwargs: _Arguments.kwargs,
    ) -> _Result:
        """`function` in a thread, its `OSError` as ours. A thread that hangs is left behind: none can be ended."""
        try:
            async with asyncio.timeout(PATIENCE + size / SLOWEST):
                return await asyncio.to_thread(function, *args, **kwargs)
        except TimeoutError:
            fault: StorageError = UnreachableError(operation, self.uri(key), "the disk does not answer")
        except OSError as error:
            fault = self._fault(operation, key, error)
        raise fault

    def _fault(self, operation: str, key: str, error: OSError) -> StorageError:
        kind = _KINDS.get(error.errno or 0, UnreachableError)
        if isinstance(error, FileNotFoundError):
            kind = NoSuchObjectError if self.root.is_dir() else NoSuchBucketError
        elif kind is InvalidKeyError and operation != "put_file":
            kind = NoSuchObjectError
        return kind(operation, self.uri(key), error.strerror or type(error).__name__)
