"""From what obstore raises to what kind of failure it is. Pure.

Owns: reading obstore's texts. It has no other way to say what happened: they hold the server's status and body, and
below "Debug source" the cause in the HTTP client.

Always holds: of those texts only a status, an error code of letters, and phrases from the tables here get into an
error of ours. The rest may quote request headers, access key ids or signed URLs.
"""

from __future__ import annotations

import re
from typing import Final

from obstore.exceptions import BaseError

from callboard.storage.errors import (
    ChecksumError,
    DeniedError,
    NoSuchBucketError,
    NoSuchObjectError,
    OutOfSpaceError,
    RejectedError,
    SettingsError,
    StorageError,
    UnreachableError,
)

FAULTS: Final = (BaseError, FileNotFoundError)
"""What obstore raises for a request that failed."""

Kind = type[StorageError]

_STATUS = re.compile(r"Server returned non-2xx status code: (\d{3})")
_CODE = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")

_BY_CODE: Final[dict[str, Kind]] = {
    # Amazon S3 API Reference, "Error Responses"; MinIO, Ceph and OSS use the same and some of their own.
    "AuthorizationHeaderMalformed": SettingsError,  # another region
    "BadDigest": ChecksumError,
    "IllegalLocationConstraintException": SettingsError,
    "IncompleteBody": ChecksumError,
    "InvalidBucketName": SettingsError,
    "InvalidDigest": ChecksumError,
    "InvalidPart": UnreachableError,  # the server lost a part, or the whole upload: it is begun anew
    "NoSuchBucket": NoSuchBucketError,
    "NoSuchKey": NoSuchObjectError,
    "NoSuchUpload": UnreachableError,
    "PermanentRedirect": SettingsError,
    "QuotaExceeded": OutOfSpaceError,
    "RequestTimeout": UnreachableError,  # 400
    "SecondLevelDomainForbidden": SettingsError,  # OSS: path style
    "SlowDown": UnreachableError,
    "XAmzContentSHA256Mismatch": ChecksumError,
    "XMinioAdminBucketQuotaExceeded": OutOfSpaceError,
    "XMinioStorageFull": OutOfSpaceError,
    # Azure Storage REST API, "Blob service error codes"
    "BlobNotFound": NoSuchObjectError,
    "ContainerNotFound": NoSuchBucketError,
    "Md5Mismatch": ChecksumError,
}
_BY_STATUS: Final[dict[int, Kind]] = {
    401: DeniedError,
    403: DeniedError,
    408: UnreachableError,
    409: UnreachableError,
    425: UnreachableError,
    429: UnreachableError,
    507: OutOfSpaceError,
}
_TRANSPORT: Final = (
    ("ConnectionRefused", "connection refused"),
    ("dns error", "the host's name cannot be resolved"),
    ("kind: Timeout", "no answer in time"),
    ("TimedOut", "no answer in time"),
    ("certificate", "the TLS certificate is not trusted"),
    ("InvalidMessage", "no TLS, or no HTTP, is spoken there"),
    ("Parse(", "no HTTP is spoken there"),
    ("kind: Connect", "no connection"),
)


def fault_of(error: BaseException, operation: str, place: str) -> StorageError:
    """The error for what obstore raised, one of `FAULTS`, in `operation` at `place`."""
    text = str(error)
    status = _STATUS.search(text)
    if status:
        return _from_answer(int(status[1]), text[status.end() :], operation, place)
    if isinstance(error, FileNotFoundError):
        return NoSuchObjectError(operation, place, "not found")
    if "Received redirect without LOCATION" in text:
        return SettingsError(operation, place, "redirected: the bucket is in another region or at another endpoint")
    if "HTTP error" in text or "HttpError" in text:
        reason = next((phrase for sign, phrase in _TRANSPORT if sign in text), "the connection broke")
        return UnreachableError(operation, place, reason)
    return RejectedError(operation, place, f"not understood ({type(error).__name__})")


def _from_answer(status: int, body: str, operation: str, place: str) -> StorageError:
    code = _CODE.search(body)
    detail = f"{status} {code[1]}" if code else str(status)
    kind = (_BY_CODE.get(code[1]) if code else None) or _kind_of_status(status, body, operation)
    if operation == "put_file" and kind is NoSuchObjectError:  # storing needs none: something of the server's is lost
        kind = UnreachableError
    return kind(operation, place, detail)


def _kind_of_status(status: int, body: str, operation: str) -> Kind:
    if status >= 500 and "no space left on device" in body:  # seen in gateways in front of a file system
        return OutOfSpaceError
    if status == 404:
        return NoSuchBucketError if operation in {"put_file", "list"} else NoSuchObjectError
    if 300 <= status < 400:
        return SettingsError
    return _BY_STATUS.get(status, UnreachableError if status >= 500 else RejectedError)
