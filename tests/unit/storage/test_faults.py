"""What obstore says, as the kind of failure it is. The texts are obstore 0.12.1's, shortened where marked with …"""

from __future__ import annotations

import pytest
from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

from callboard.storage import (
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
from callboard.storage.faults import fault_of


def answered(status: str, body: str) -> str:
    return (
        "Generic S3 error: Error performing PUT http://127.0.0.1:9511/buck1/a in 52.5ms, after 1 retries,"
        f" max_retries: 1, retry_timeout: 10s  - Server returned non-2xx status code: {status}: {body}"
        "\n\nDebug source:\nGeneric {…}"
    )


def transport(cause: str) -> str:
    return (
        "Generic S3 error: Error performing PUT http://127.0.0.1:1/buck1/a in 51.9ms, after 1 retries, max_retries: 1,"
        ' retry_timeout: 10s  - HTTP error: error sending request\n\nDebug source:\nGeneric {\n    store: "S3",\n'
        f"    source: RetryError(… inner: Http(HttpError {{ {cause} }}) …)"
    )


@pytest.mark.parametrize(
    ("status", "code", "operation", "kind"),
    [
        ("404 Not Found", "NoSuchBucket", "head", NoSuchBucketError),
        ("404 Not Found", "NoSuchKey", "head", NoSuchObjectError),
        ("404 Not Found", "NoSuchKey", "put_file", UnreachableError),
        ("404 Not Found", "NoSuchUpload", "put_file", UnreachableError),
        ("404 Not Found", "", "head", NoSuchObjectError),
        ("404 Not Found", "", "put_file", NoSuchBucketError),
        ("404 Not Found", "", "list", NoSuchBucketError),
        ("404 The specified container does not exist.", "ContainerNotFound", "head", NoSuchBucketError),
        ("404 The specified blob does not exist.", "BlobNotFound", "head", NoSuchObjectError),
        ("403 Forbidden", "SignatureDoesNotMatch", "head", DeniedError),
        ("403 Forbidden", "RequestTimeTooSkewed", "head", DeniedError),
        ("403 Forbidden", "SecondLevelDomainForbidden", "head", SettingsError),
        ("403 Forbidden", "", "head", DeniedError),
        ("401 Unauthorized", "", "head", DeniedError),
        ("400 Bad Request", "XAmzContentSHA256Mismatch", "put_file", ChecksumError),
        ("400 Bad Request", "BadDigest", "put_file", ChecksumError),
        ("400 Bad Request", "RequestTimeout", "put_file", UnreachableError),
        ("400 Bad Request", "InvalidPart", "put_file", UnreachableError),
        ("400 Bad Request", "EntityTooLarge", "put_file", RejectedError),
        ("400 Bad Request", "AuthorizationHeaderMalformed", "put_file", SettingsError),
        ("412 Precondition Failed", "", "put_file", RejectedError),
        ("409 Conflict", "OperationAborted", "put_file", UnreachableError),
        ("408 Request Timeout", "", "put_file", UnreachableError),
        ("429 Too Many Requests", "", "put_file", UnreachableError),
        ("500 Internal Server Error", "InternalError", "put_file", UnreachableError),
        ("503 Service Unavailable", "SlowDown", "put_file", UnreachableError),
        ("507 Insufficient Storage", "", "put_file", OutOfSpaceError),
        ("507 Insufficient Storage", "XMinioStorageFull", "put_file", OutOfSpaceError),
        ("301 Moved Permanently", "PermanentRedirect", "put_file", SettingsError),
        ("307 Temporary Redirect", "", "put_file", SettingsError),
    ],
)
def test_an_answers_status_and_code(status: str, code: str, operation: str, kind: type[StorageError]) -> None:
    body = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>…</Message></Error>' if code else ""
    fault = fault_of(GenericError(answered(status, body)), operation, "s3://buck1/a")
    assert type(fault) is kind
    assert fault.detail == f"{status[:3]} {code}".strip()
    assert (fault.operation, fault.place) == (operation, "s3://buck1/a")


def test_a_gateways_full_disk_is_out_of_space() -> None:
    body = "<Error><Code>InternalError</Code><Message>… cause(no space left on device)</Message></Error>"
    fault = fault_of(GenericError(answered("500 Internal Server Error", body)), "put_file", "s3://b/a")
    assert type(fault) is OutOfSpaceError


@pytest.mark.parametrize(
    ("cause", "detail"),
    [
        (
            'kind: Connect, … ConnectError("tcp connect error", Os { code: 111, kind: ConnectionRefused …',
            "connection refused",
        ),
        ('kind: Connect, … ConnectError("dns error", Custom {…', "the host's name cannot be resolved"),
        ("kind: Timeout, source: reqwest::Error { kind: Request, source: TimedOut }", "no answer in time"),
        ("kind: Request, … SendRequest, hyper::Error(IncompleteMessage)", "the connection broke"),
        ("kind: Unknown, … SendRequest, hyper::Error(Parse(Version))", "no HTTP is spoken there"),
        ("kind: Connect, … error: InvalidMessage(InvalidContentType)", "no TLS, or no HTTP, is spoken there"),
        ("kind: Connect, … invalid peer certificate: UnknownIssuer", "the TLS certificate is not trusted"),
        ("kind: Connect, … Os { code: 113, kind: HostUnreachable", "no connection"),
    ],
)
def test_no_answer_says_why(cause: str, detail: str) -> None:
    fault = fault_of(GenericError(transport(cause)), "put_file", "s3://buck1/a")
    assert (type(fault), fault.detail, fault.retryable) == (UnreachableError, detail, True)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (GenericError("… - Received redirect without LOCATION, this normally indicates an …"), SettingsError),
        (GenericError("… Unable to extract metadata from headers: ETag Header missing from response"), RejectedError),
        (FileNotFoundError("Object at location a not found: …"), NoSuchObjectError),
        (PermissionDeniedError(answered("403 Forbidden", "")), DeniedError),
        (UnauthenticatedError(answered("401 Unauthorized", "")), DeniedError),
        (GenericError("something new"), RejectedError),
    ],
)
def test_what_else_it_says(error: Exception, kind: type[StorageError]) -> None:
    assert type(fault_of(error, "head", "s3://b/a")) is kind


def test_an_answer_cannot_pass_for_a_broken_connection_or_smuggle_text() -> None:
    body = (
        "<Error><Code>No Such\nBucket</Code><Code>Weird</Code> HTTP error kind: Timeout ConnectionRefused AKIAEXAMPLE"
    )
    fault = fault_of(GenericError(answered("400 Bad Request", body)), "head", "s3://b/a")
    assert type(fault) is RejectedError
    assert fault.detail == "400 Weird"
    assert str(fault) == "head s3://b/a: rejected: 400 Weird"
