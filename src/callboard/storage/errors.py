"""What kind of failure it is when storage fails, and whether trying again can help.

Owns: `StorageError` and its kinds. A file that cannot be stored *now* is a `retryable` error; one that somebody has
to change something for first (a key, a bucket's name, a permission) is not.

Always holds: the text has the operation, the place (`s3://bucket/key`) and, of a server's answer, only its status
and error code: never its body, a header, a credential or a signed URL.
"""

from __future__ import annotations

from typing import ClassVar


class StorageError(Exception):
    """Base of all. `retryable`: the same call may succeed later without anybody changing a setting.

    `operation` is the method that was called, `place` a storage URI, `detail` says what was seen.
    """

    what: ClassVar[str] = "failed"
    retryable: ClassVar[bool] = False

    def __init__(self, operation: str, place: str, detail: str) -> None:
        super().__init__(operation, place, detail)
        self.operation = operation
        self.place = place
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.operation} {self.place}: {self.what}: {self.detail}"


class UnreachableError(StorageError):
    """Nobody answers, or not in time, or the answer is that the server is busy or broken (429, 5xx)."""

    what = "storage is not available"
    retryable = True


class OutOfSpaceError(StorageError):
    """The disk or the bucket's quota is full. Space may be freed, so trying again can help."""

    what = "out of space"
    retryable = True


class ChecksumError(StorageError):
    """What is stored is not what was to be stored. Storing it again can help."""

    what = "checksum mismatch"
    retryable = True


class DeniedError(StorageError):
    """The credentials are wrong, or do not permit this."""

    what = "access denied"


class NoSuchBucketError(StorageError):
    """The bucket, container or root folder does not exist."""

    what = "no such bucket"


class NoSuchObjectError(StorageError):
    """There is nothing at this key."""

    what = "no such object"


class InvalidKeyError(StorageError):
    """The key is not one (`keys.py` says what is), or this storage cannot hold it beside another."""

    what = "invalid key"


class SettingsError(StorageError):
    """The settings cannot be right: a bucket name that is none, another region, an unusable endpoint."""

    what = "wrong settings"


class RejectedError(StorageError):
    """The server understood and refuses (another 4xx), or its answer is not one of an object store."""

    what = "rejected"


class SourceError(StorageError):
    """The local file cannot be read, or changed while it was."""

    what = "the local file cannot be stored"
