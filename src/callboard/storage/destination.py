"""Where a template's or room's recordings go, and the obstore client for it.

Owns: `Destination` (the values of `settings.recording.upload`, platform.md §2.2, and what an operator adds) and
`connect`, which makes its client. No I/O: a client connects when it is used.

Always holds: credentials are only those of the `Destination`. obstore also reads the environment (`AWS_*`, …): what
could lead a customer's recordings or our keys elsewhere is set here, so that it does not count.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from obstore.store import AzureStore, S3Store

from callboard.storage.errors import SettingsError

if TYPE_CHECKING:  # not there at run time
    from obstore.store import AzureAccessKey, ClientConfig, RetryConfig, S3Config, S3Credential

Store = S3Store | AzureStore

CONNECT_SECONDS: Final = 5.0
RETRIES: Final = 2
"""Of a request that failed without an answer or with 5xx or 429. Days of retries are the jobs' business."""

_BUCKET = re.compile(r"[A-Za-z0-9$][A-Za-z0-9._-]{1,253}[A-Za-z0-9]", re.ASCII)
_REGION = re.compile(r"[a-z0-9-]{0,63}", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+", re.ASCII)
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Destination:
    """A bucket (`location`; Azure: a container) and how to get in.

    `key` and `secret` are the access key's id and secret (`gs`: an HMAC key's), for Azure the storage account's name
    and its key. `endpoint` is an URL without the bucket, "" the
    provider's own; `path_style` None means path style with an `endpoint` or with dots in the bucket's name, and
    `https://<bucket>.<host>` else. OSS knows only the latter.
    """

    type: Literal["s3", "gs", "oss", "azure"]
    location: str
    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    region: str = ""
    endpoint: str = ""
    path_style: bool | None = None


def connect(destination: Destination, timeout: float) -> Store:
    """A client whose every request, retries included, ends within about `timeout` seconds.

    Raises `SettingsError` for settings that cannot be right.
    """
    _check(destination)
    options: ClientConfig = {
        "allow_http": destination.endpoint.startswith("http://"),
        "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, timeout)),
        "timeout": timedelta(seconds=timeout),
        "user_agent": "callboard",
    }
    # A request that hung until its timeout is not tried again: `retry_timeout` is over by then.
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=timeout),
        "backoff": {"init_backoff": timedelta(seconds=0.2), "max_backoff": timedelta(seconds=2), "base": 2},
    }
    if destination.type == "azure":
        return _azure(destination, options, retries)
    return _s3(destination, options, retries)


def s3_endpoint(destination: Destination) -> tuple[str, bool]:
    """The URL that obstore needs, with the bucket's name in it unless path style; and whether it is path style."""
    base = urlsplit(destination.endpoint or _provider_endpoint(destination))
    path_style = destination.path_style
    if destination.type == "oss":
        path_style = False
    elif path_style is None:
        path_style = bool(destination.endpoint) or destination.type == "gs" or "." in destination.location
    host = base.netloc if path_style else f"{destination.location}.{base.netloc}"
    return f"{base.scheme}://{host}", path_style


def _provider_endpoint(destination: Destination) -> str:
    match destination.type:
        case "gs":  # Google Cloud Storage, XML API, "Interoperability with other storage providers"
            return "https://storage.googleapis.com"
        case "oss":  # Alibaba Cloud OSS, "Regions and endpoints"
            return f"https://oss-{destination.region.removeprefix('oss-')}.aliyuncs.com"
        case _:
            suffix = ".cn" if destination.region.startswith("cn-") else ""
            return f"https://s3.{destination.region or 'us-east-1'}.amazonaws.com{suffix}"


def _s3(destination: Destination, options: ClientConfig, retries: RetryConfig) -> S3Store:
    endpoint, path_style = s3_endpoint(destination)
    region = destination.region.removeprefix("oss-") or ("auto" if destination.type == "gs" else "us-east-1")
    config: S3Config = {
        "endpoint": endpoint,
        "aws_endpoint_url_s3": endpoint,
        "region": region,
        "virtual_hosted_style_request": not path_style,
        "disable_bulk_delete": True,  # `POST /?delete` is not everywhere, and of a missing key not always an answer
        "request_payer": False,
        "s3_express": False,
        "skip_signature": False,
        "unsigned_payload": False,  # the server checks each body against the SHA-256 that we signed
    }

    def provide() -> S3Credential:
        return {"access_key_id": destination.key, "secret_access_key": destination.secret, "expires_at": None}

    return S3Store(
        destination.location,
        config=config,
        client_options=options,
        retry_config=retries,
        # Not in `config`: there the environment's session token would be added to them.
        credential_provider=provide,
    )


def azure_endpoint(destination: Destination) -> str:
    """The URL of the storage account's blobs."""
    return destination.endpoint or f"https://{destination.key}.blob.core.windows.net"


def _azure(destination: Destination, options: ClientConfig, retries: RetryConfig) -> AzureStore:
    def provide() -> AzureAccessKey:
        return {"access_key": destination.secret, "expires_at": None}

    return AzureStore(
        destination.location,
        config={
            "account_name": destination.key,
            "endpoint": azure_endpoint(destination),
            "skip_signature": False,
            "use_emulator": False,
            "use_fabric_endpoint": False,
            "use_azure_cli": False,
        },
        client_options=options,
        retry_config=retries,
        credential_provider=provide,
    )


def _check(destination: Destination) -> None:
    reason = _objection(destination)
    if reason:
        raise _wrong(destination, reason)


def _objection(destination: Destination) -> str:
    if not _BUCKET.fullmatch(destination.location):  # obstore panics on some
        return "the location is not a bucket's name"
    if not _REGION.fullmatch(destination.region):
        return "the region must have lower-case letters, digits and hyphens only"
    if destination.endpoint and not _is_endpoint(destination.endpoint, may_have_path=destination.type == "azure"):
        return "the endpoint must be http(s)://host[:port], without the bucket"
    if destination.type == "oss" and not (destination.region or destination.endpoint):
        return "OSS needs a region"
    return _credentials_objection(destination)


def _credentials_objection(destination: Destination) -> str:
    if destination.type == "azure":
        if not _ACCOUNT.fullmatch(destination.key):
            return "the key must be the storage account's name"
        return "" if _is_base64(destination.secret) else "the secret must be the storage account's key, in base64"
    return "" if destination.key and destination.secret else "credentials are missing"


def _is_endpoint(text: str, *, may_have_path: bool) -> bool:
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    rest = url.query or url.fragment or ("" if may_have_path else url.path.strip("/"))
    return url.scheme in {"http", "https"} and bool(_HOST.fullmatch(url.netloc)) and not rest


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True))
    except binascii.Error:
        return False


def _wrong(destination: Destination, reason: str) -> SettingsError:
    return SettingsError("connect", f"{destination.type}://{destination.location!r}", reason)
