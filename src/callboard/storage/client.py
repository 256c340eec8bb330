"""Requests to one bucket: obstore's, each with a deadline and its failure as one of ours.

Owns: `Client` and `Limits`.

Always holds: a request ends within its deadline, retries included. A multipart upload that is given up is aborted, so
that its parts don't stay; when the server does not answer they may, and a lifecycle rule of the bucket
(`AbortIncompleteMultipartUpload`) has to remove them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

import obstore

from callboard.clock import NANOSECONDS, Clock
from callboard.storage import azure_links
from callboard.storage.destination import Destination, azure_endpoint, connect
from callboard.storage.errors import StorageError, UnreachableError
from callboard.storage.faults import FAULTS, fault_of
from callboard.storage.interface import Entry
from callboard.storage.upload import Parts

if TYPE_CHECKING:  # not there at run time
    from obstore import Bytes, ObjectMeta, PutResult

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


class Client:
    """The bucket of a `Destination`. Raises `SettingsError` if that cannot be right; connects later.

    Every method may raise any `StorageError`; `uri` says what they call a key.
    """

    def __init__(self, destination: Destination, limits: Limits, clock: Clock, uri: Callable[[str], str]) -> None:
        self._destination = destination
        self._limits = limits
        self._clock = clock
        self._uri = uri
        self._small = connect(destination, limits.request)
        self._large = connect(destination, limits.transfer)

    async def head(self, key: str) -> Entry:
        return _entry(await self._call("head", key, lambda: obstore.head_async(self._small, key)))

    async def look_at(self, key: str) -> None:
        """As `head`, but a failure has an error code, which the answer to a HEAD has no body for."""
        await self._call("head", key, lambda: obstore.get_range_async(self._small, key, start=0, length=1))

    async def fetch(self, key: str, start: int, length: int) -> bytes:
        """Exactly these bytes, which must be there."""

        async def get() -> Bytes:
            return await obstore.get_range_async(self._large, key, start=start, length=length)

        data = bytes(await self._call("read", key, get, self._limits.transfer))
        if len(data) != length:
            raise UnreachableError("read", self._uri(key), "the answer ended early")
        return data

    async def delete(self, key: str) -> None:
        await self._call("delete", key, lambda: obstore.delete_async(self._small, key))

    async def list(self, prefix: str) -> AsyncGenerator[Entry, None]:
        pages = obstore.list(self._small, prefix or None, chunk_size=_PAGE)

        async def next_page() -> Sequence[ObjectMeta]:
            try:
                return await anext(pages)
            except StopAsyncIteration:
                return ()

        while page := await self._call("list", prefix, next_page):
            for found in page:
                yield _entry(found)

    async def sign(self, key: str, seconds: int) -> str:
        """An URL to GET the object. No request."""
        to = self._destination
        if to.type == "azure":
            expires = self._clock.now() // NANOSECONDS + seconds
            return azure_links.sign(azure_endpoint(to), to.key, to.secret, to.location, key, expires)
        lifetime = timedelta(seconds=seconds)
        return await self._call("presigned_url", key, lambda: obstore.sign_async(self._small, "GET", key, lifetime))

    async def put(self, key: str, data: bytes, content_type: str) -> str:
        """Store `data` in one request; the ETag, "" if there is none."""
        attributes = {"Content-Type": content_type}
        put = await self._call(
            "put_file",
            key,
            lambda: obstore.put_async(self._large, key, data, attributes=attributes, use_multipart=False),
            self._limits.transfer,
        )
        return put["e_tag"] or ""

    async def put_parts(self, key: str, parts: Parts, part_size: int, size: int, content_type: str) -> str:
        """Store `size` bytes as parts; the ETag, "" if there is none. What `parts` raises ends it."""
        upload = asyncio.ensure_future(
            obstore.put_async(
                self._large,
                key,
                parts,
                attributes={"Content-Type": content_type},
                use_multipart=True,
                chunk_size=part_size,
                max_concurrency=self._limits.parts,
            )
        )
        try:
            put = await self._call("put_file", key, lambda: asyncio.shield(upload), self._limits.upload(size))
        finally:
            if not upload.done():
                parts.abandon()
                await self._end(upload)
        return put["e_tag"] or ""

    async def _end(self, upload: asyncio.Future[PutResult]) -> None:
        """Wait until an abandoned upload was aborted. It fails, which was reported already by why it is abandoned."""
        try:
            await asyncio.wait([upload], timeout=self._limits.abort)
        finally:
            upload.cancel()
        if upload.done() and not upload.cancelled():
            _log.info("upload given up, and aborted: %s", type(upload.exception()).__name__)

    async def _call(
        self, operation: str, key: str, start: Callable[[], Awaitable[_Result]], seconds: float | None = None
    ) -> _Result:
        """The result of a request. obstore ends it after about `seconds`; if not, we do, after twice as many."""
        try:
            async with asyncio.timeout(2 * (seconds or self._limits.request)):
                return await start()
        except TimeoutError:
            fault: StorageError = UnreachableError(operation, self._uri(key), "no answer in time")
        except FAULTS as error:
            fault = fault_of(error, operation, self._uri(key))
        raise fault  # out here, so that obstore's error and its texts are not even its context


def _entry(found: ObjectMeta) -> Entry:
    modified_at = (found["last_modified"] - _EPOCH) // timedelta(microseconds=1) * 1000
    return Entry(found["path"], found["size"], modified_at, found["e_tag"] or "")
