"""Storage in a bucket: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure, Alibaba Cloud OSS.

Owns: `Bucket`.

Always holds: an upload holds at most a few parts in memory, whatever the file's size, and returns only when the
server has proved, one way or another, that it has the bytes that were read (`Proof`). Every request has a deadline.
An upload that is given up is aborted, so that its parts don't stay; when the server does not answer they may, and a
lifecycle rule of the bucket (`AbortIncompleteMultipartUpload`) has to remove them.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import obstore

from callboard.storage.content_types import content_type_of
from callboard.storage.destination import Destination, connect
from callboard.storage.errors import (
    ChecksumError,
    DeniedError,
    NoSuchBucketError,
    NoSuchObjectError,
    StorageError,
    UnreachableError,
)
from callboard.storage.faults import FAULTS, fault_of
from callboard.storage.interface import Entry, Progress, Proof, Scheme, Stored, check_range, check_url_seconds
from callboard.storage.keys import check_key, check_prefix
from callboard.storage.source import Source
from callboard.storage.upload import Parts, part_size_for

if TYPE_CHECKING:  # not there at run time
    from obstore import Bytes, ObjectMeta, PutResult

READ_BLOCK: Final = 4 << 20
"""Bytes that are fetched by one request when an object is read."""

_PAGE = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger("callboard.storage")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a bucket may take, and how much memory an upload.

    `request`: seconds for a request that carries no file. `slowest`: bytes a second; a transfer below it has failed.
    `part`: bytes, whole MiB and at least 5 of them (S3). `parts`: how many are under way at a time. `abort`: seconds
    for aborting an upload.
    """

    request: float = 30.0
    slowest: int = 128 * 1024
    part: int = 8 << 20
    parts: int = 3
    abort: float = 10.0

    @property
    def transfer(self) -> float:
        """Seconds for one request that carries a part, while others do too."""
        return self.request + self.part * self.parts / self.slowest

    def upload(self, size: int) -> float:
        """Seconds for a whole upload."""
        return 2 * self.transfer + size / self.slowest


class Bucket:
    """`Storage` in the bucket of a `Destination`. Raises `SettingsError` if that cannot be right; connects later."""

    def __init__(self, destination: Destination, limits: Limits | None = None) -> None:
        self.scheme: Scheme = destination.type
        self._location = destination.location
        self._limits = limits or Limits()
        self._small = connect(destination, self._limits.request)
        self._large = connect(destination, self._limits.transfer)

    def __repr__(self) -> str:
        return f"Bucket({self.uri('')!r})"

    def uri(self, key: str) -> str:
        return f"{self.scheme}://{self._location}/{key}"

    async def put_file(
        self, path: Path, key: str, content_type: str | None = None, progress: Progress | None = None
    ) -> Stored:
        check_key(key, "put_file")
        attributes = {"Content-Type": content_type or content_type_of(key)}
        async with Source(path) as source:
            put = self._put_whole if source.size <= self._limits.part else self._put_parts
            etag = await put(key, source, attributes, progress)
            proof = await self._prove(key, source, etag)
            return Stored(key, source.size, source.checksum, self.uri(key), proof)

    async def head(self, key: str) -> Entry:
        check_key(key, "head")
        try:
            return _entry(await self._call("head", key, lambda: obstore.head_async(self._small, key)))
        except NoSuchObjectError:
            await self._look_for_bucket(key)
            raise

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        check_range(start, length)
        size = (await self.head(key)).size
        end = size if length is None else min(start + length, size)
        while start < end:
            data = await self._fetch(key, start, min(READ_BLOCK, end - start))
            start += len(data)
            yield data

    async def delete(self, key: str) -> None:
        check_key(key, "delete")
        try:
            await self._call("delete", key, lambda: obstore.delete_async(self._small, key))
        except NoSuchObjectError:  # not S3, which answers 204
            return

    async def list(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        below = check_prefix(prefix, "list")
        pages = obstore.list(self._small, below or None, chunk_size=_PAGE)

        async def next_page() -> Sequence[ObjectMeta]:
            try:
                return await anext(pages)
            except StopAsyncIteration:
                return ()

        while page := await self._call("list", prefix, next_page):
            for found in page:
                yield _entry(found)

    async def presigned_url(self, key: str, seconds: int) -> str:
        check_key(key, "presigned_url")
        lifetime = timedelta(seconds=check_url_seconds(seconds))
        return await self._call("presigned_url", key, lambda: obstore.sign_async(self._small, "GET", key, lifetime))

    async def verify(self, key: str, size: int, checksum: str) -> None:
        digest = hashlib.sha256()
        found = 0
        async for data in self.read(key):
            await asyncio.to_thread(digest.update, data)
            found += len(data)
        if (found, digest.hexdigest()) != (size, checksum.lower()):
            raise self._mismatch(key, found, size)

    # --- uploading --------------------------------------------------------------------------------------------

    async def _put_whole(
        self, key: str, source: Source, attributes: dict[str, str], progress: Progress | None
    ) -> str | None:
        data = b"".join([block async for block in Parts(source, progress)])
        put = await self._call(
            "put_file",
            key,
            lambda: obstore.put_async(self._large, key, data, attributes=attributes, use_multipart=False),
            self._limits.transfer,
        )
        return put["e_tag"]

    async def _put_parts(
        self, key: str, source: Source, attributes: dict[str, str], progress: Progress | None
    ) -> str | None:
        part_size = part_size_for(source.size, self._limits.part)
        source.divide(part_size)
        parts = Parts(source, progress)
        upload = asyncio.ensure_future(
            obstore.put_async(
                self._large,
                key,
                parts,
                attributes=attributes,
                use_multipart=True,
                chunk_size=part_size,
                max_concurrency=self._limits.parts,
            )
        )
        try:
            put = await self._call(
                "put_file", key, lambda: asyncio.shield(upload), self._limits.upload(source.size) / 2
            )
        finally:
            if not upload.done():
                parts.abandon()
                await self._end(upload)
        return put["e_tag"]

    async def _end(self, upload: asyncio.Future[PutResult]) -> None:
        """Wait until an abandoned upload was aborted. It fails, which was reported already by why it is abandoned."""
        try:
            await asyncio.wait([upload], timeout=self._limits.abort)
        finally:
            upload.cancel()
        if upload.done() and not upload.cancelled():
            _log.info("upload aborted: %s", type(upload.exception()).__name__)

    async def _prove(self, key: str, source: Source, etag: str | None) -> Proof:
        """How it is known that the server has what was read. Raises `ChecksumError` if it has not."""
        is_expected = (etag or "").strip('"').lower() == source.etag()
        try:
            found = (await self.head(key)).size
            if found != source.size:
                raise self._mismatch(key, found, source.size)
            if is_expected:
                return "etag"
            # An ETag of another kind (encryption, Azure, Google) or of other bytes: only reading tells.
            await self.verify(key, source.size, source.checksum)
        except NoSuchObjectError:
            fault = ChecksumError("put_file", self.uri(key), "it is not there although the server took it")
        except DeniedError:  # a bucket that may only be written (platform.md §2.1: PutObject is enough)
            if is_expected:
                return "etag"
            if self.scheme == "s3":
                return "received"
            raise
        else:
            return "read_back"
        raise fault

    def _mismatch(self, key: str, found: int, size: int) -> ChecksumError:
        return ChecksumError("verify", self.uri(key), f"{found} bytes that are not the {size} bytes that were stored")

    # --- requests ---------------------------------------------------------------------------------------------

    async def _fetch(self, key: str, start: int, length: int) -> bytes:
        async def fetch() -> Bytes:
            return await obstore.get_range_async(self._large, key, start=start, length=length)

        data = bytes(await self._call("read", key, fetch, self._limits.transfer))
        if len(data) != length:
            raise UnreachableError("read", self.uri(key), "the answer ended early")
        return data

    async def _look_for_bucket(self, key: str) -> None:
        """The answer to HEAD has no body, so no error code: ask in a way that has. Raises `NoSuchBucketError`."""
        try:
            await self._call("head", key, lambda: obstore.get_range_async(self._small, key, start=0, length=1))
        except NoSuchBucketError:
            raise
        except StorageError:
            return

    async def _call(
        self, operation: str, key: str, start: Callable[[], Awaitable[_Result]], seconds: float | None = None
    ) -> _Result:
        """The result of a request, its failure as ours. The client ends it within `seconds`, or else we do."""
        place = self.uri(key)
        try:
            async with asyncio.timeout(2 * (seconds or self._limits.request)):
                return await start()
        except TimeoutError:
            fault: StorageError = UnreachableError(operation, place, "no answer in time")
        except FAULTS as error:
            fault = fault_of(error, operation, place)
        raise fault


def _entry(found: ObjectMeta) -> Entry:
    modified_at = (found["last_modified"] - _EPOCH) // timedelta(microseconds=1) * 1000
    return Entry(found["path"], found["size"], modified_at, found["e_tag"] or "")
