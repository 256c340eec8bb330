"""Storage in a bucket: Amazon S3 and what speaks its protocol, Google Cloud Storage, Azure, Alibaba Cloud OSS.

Owns: `Bucket`: what its requests (`client.py`) mean for an object.

Always holds: an upload holds at most a few parts in memory, whatever the file's size, and returns only when the
server has proved, one way or another, that it has the bytes that were read (`Proof`).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from callboard.clock import Clock, SystemClock
from callboard.storage.client import Client, Limits
from callboard.storage.content_types import content_type_of
from callboard.storage.destination import Destination
from callboard.storage.errors import ChecksumError, DeniedError, NoSuchBucketError, NoSuchObjectError, StorageError
from callboard.storage.interface import Entry, Progress, Proof, Scheme, Stored, check_range, check_url_seconds
from callboard.storage.keys import check_key, check_prefix
from callboard.storage.source import Source
from callboard.storage.upload import Parts, part_size_for

READ_BLOCK: Final = 4 << 20
"""Bytes that are fetched by one request when an object is read."""


class Bucket:
    """`Storage` in the bucket of a `Destination`. Raises `SettingsError` if that cannot be right; connects later."""

    def __init__(self, destination: Destination, limits: Limits | None = None, clock: Clock | None = None) -> None:
        self.scheme: Scheme = destination.type
        self._location = destination.location
        self._limits = limits or Limits()
        self._client = Client(destination, self._limits, clock or SystemClock(), self.uri)

    def __repr__(self) -> str:
        return f"Bucket({self.uri('')!r})"

    def uri(self, key: str) -> str:
        return f"{self.scheme}://{self._location}/{key}"

    async def put_file(
        self, path: Path, key: str, content_type: str | None = None, progress: Progress | None = None
    ) -> Stored:
        check_key(key, "put_file")
        async with Source(path) as source:
            etag = await self._put(key, source, content_type or content_type_of(key), progress)
            proof = await self._prove(key, source, etag)
            return Stored(key, source.size, source.checksum, self.uri(key), proof)

    async def head(self, key: str) -> Entry:
        check_key(key, "head")
        try:
            return await self._client.head(key)
        except NoSuchObjectError:
            await self._look_for_bucket(key)
            raise

    async def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        check_range(start, length)
        size = (await self.head(key)).size
        end = size if length is None else min(start + length, size)
        while start < end:
            data = await self._client.fetch(key, start, min(READ_BLOCK, end - start))
            start += len(data)
            yield data

    async def delete(self, key: str) -> None:
        check_key(key, "delete")
        try:
            await self._client.delete(key)
        except NoSuchObjectError:  # not S3, which answers 204
            return

    def list(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        return self._client.list(check_prefix(prefix, "list"))

    async def presigned_url(self, key: str, seconds: int) -> str:
        return await self._client.sign(check_key(key, "presigned_url"), check_url_seconds(seconds))

    async def verify(self, key: str, size: int, checksum: str) -> None:
        digest = hashlib.sha256()
        found = 0
        async for data in self.read(key):
            await asyncio.to_thread(digest.update, data)
            found += len(data)
        if (found, digest.hexdigest()) != (size, checksum.lower()):
            raise self._mismatch(key, found, size)

    async def _put(self, key: str, source: Source, content_type: str, progress: Progress | None) -> str:
        parts = Parts(source, progress)
        if source.size <= self._limits.part:
            return await self._client.put(key, b"".join([block async for block in parts]), content_type)
        part_size = part_size_for(source.size, self._limits.part)
        source.divide(part_size)
        return await self._client.put_parts(key, parts, part_size, source.size, content_type)

    async def _prove(self, key: str, source: Source, etag: str) -> Proof:
        """How it is known that the server has what was read. Raises `ChecksumError` if it has not."""
        is_expected = etag.strip('"').lower() == source.etag()
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

    async def _look_for_bucket(self, key: str) -> None:
        """Raises `NoSuchBucketError` if it is the bucket that is missing."""
        try:
            await self._client.look_at(key)
        except NoSuchBucketError:
            raise
        except StorageError:  # the missing object, or what HEAD did not run into: HEAD's answer stands
            return

    def _mismatch(self, key: str, found: int, size: int) -> ChecksumError:
        return ChecksumError("verify", self.uri(key), f"{found} bytes that are not the {size} bytes that were stored")
