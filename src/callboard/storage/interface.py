"""The one interface of every storage: a local folder, S3-compatible buckets, Azure containers.

Owns: `Storage`, what its methods take and return, and the lifetimes of signed URLs (platform.md §5.3).

Always holds: an object is there whole or not at all, and `put_file` returns only when it is known to be there as it
was read. Every call has a deadline. Failures are `StorageError`s. Keys are `keys.py`'s and raise `InvalidKeyError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

Scheme = Literal["local", "s3", "gs", "oss", "azure"]

Proof = Literal["synced", "etag", "read_back", "received"]
"""How it is known that what was stored is what was read:

`synced`: it was written to disk and `fsync` succeeded; `etag`: the server's ETag is the one these bytes must have;
`read_back`: the object was read again and hashed; `received`: the server checked the SHA-256 of every request's body
(AWS Signature Version 4) but lets us neither read the object nor compare its ETag.
"""

Progress = Callable[[int, int], None]
"""Called on the event loop with (bytes handed over so far, bytes in all). What it raises ends the upload."""

MAXIMUM_URL_SECONDS: Final = 604_800
"""Seven days (Amazon S3 API, "Authenticating Requests: Using Query Parameters", X-Amz-Expires)."""

EVENT_URL_SECONDS: Final = 86_400
"""Of URLs in events, unless the template's `presignDuration` says otherwise (platform.md §11.3 C9)."""


def api_url_seconds(scheme: Scheme) -> int:
    """Of URLs that the REST API makes without `presign_duration` (platform.md §5.3)."""
    return 32_400 if scheme == "oss" else 259_200


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is stored. `size` in bytes, `checksum` its SHA-256 in hexadecimal, `uri` as events name it."""

    key: str
    size: int
    checksum: str
    uri: str
    proof: Proof


@dataclass(frozen=True, slots=True)
class Entry:
    """An object. `size` in bytes, `modified_at` nanoseconds since the epoch; `etag` as in HTTP, quotes included, or
    "" if the server has none."""

    key: str
    size: int
    modified_at: int
    etag: str


class Storage(Protocol):
    """Where assets are kept. Safe for any number of concurrent calls on one event loop."""

    scheme: Scheme

    def uri(self, key: str) -> str:
        """`<scheme>://<location>/<key>` (platform.md §5.2)."""
        ...

    async def put_file(
        self, path: Path, key: str, content_type: str | None = None, progress: Progress | None = None
    ) -> Stored:
        """Store the file at `path`, replacing what is at `key`, and verify it.

        `content_type` None: what `content_types.py` says for the key. When this fails or is cancelled, `key` is as
        it was, or already the new object (a network can lose the answer): storing it again is always safe.

        Raises `SourceError` if the local file cannot be read or changes meanwhile, `ChecksumError` if what arrived is
        something else.
        """
        ...

    async def head(self, key: str) -> Entry:
        """Raises `NoSuchObjectError`. (A bucket that may be written only answers `DeniedError` for every key.)"""
        ...

    def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The object's bytes from `start` on, `length` of them or to its end, in blocks of at most a few MiB.

        A range beyond the end is cut. Use it in `contextlib.aclosing`. Raises `NoSuchObjectError`.
        """
        ...

    async def delete(self, key: str) -> None:
        """Afterwards nothing is at `key`; nothing having been there is no error."""
        ...

    def list(self, prefix: str = "") -> AsyncGenerator[Entry, None]:
        """The objects whose key starts with the segments of `prefix` and "/", in no particular order."""
        ...

    async def presigned_url(self, key: str, seconds: int) -> str:
        """An URL that anybody may GET for `seconds` (1 to `MAXIMUM_URL_SECONDS`, else `ValueError`).

        Does not look whether there is an object.
        """
        ...

    async def verify(self, key: str, size: int, checksum: str) -> None:
        """Read the object and return if it has this size and SHA-256 (hexadecimal).

        Raises `ChecksumError` if not, `NoSuchObjectError` if there is none.
        """
        ...


def check_url_seconds(seconds: int) -> int:
    """Return `seconds`. Raises `ValueError` if a signed URL cannot be valid for so long."""
    if not 1 <= seconds <= MAXIMUM_URL_SECONDS:
        raise ValueError(f"a signed URL is valid for 1 to {MAXIMUM_URL_SECONDS} seconds, not {seconds}")
    return seconds


def check_range(start: int, length: int | None) -> None:
    """Raises `ValueError` for a range that starts before the object or has a negative length."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"no range: {length} bytes from {start} on")
