"""What an endpoint is, and what may be said about one. Pure.

Owns: `Endpoint`, `EndpointRequest`, their rules, and the way to and from the endpoint's row.

Always holds: an `Endpoint` can be sent to: its URL is http or https without credentials, its headers cannot
break a request or take the place of ours, its secrets sign. Neither secrets nor the values of headers are in
a `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType

from callboard.database import Put, Row
from callboard.database.tables import ENDPOINT
from callboard.errors import Invalid
from callboard.webhooks.signing import InvalidSecret, key_of, new_secret

MAX_URL: Final = 2048
MAX_DESCRIPTION: Final = 500
MAX_HEADERS: Final = 32
MAX_HEADER_BYTES: Final = 4096
"""Of all names and values together."""
MAX_SECRETS: Final = 5

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 §5.6.2
_VALUE: Final = re.compile(r"[!-~]([ \t!-~]*[!-~])?")  # printable ASCII, no white space at the ends
_URL: Final = re.compile(r"[!-~]+")
_OURS: Final = frozenset(
    [
        "accept-encoding",
        "connection",
        "date",
        "expect",
        "forwarded",
        "host",
        "http2-settings",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "via",
    ]
)
_OUR_PREFIXES: Final = ("callboard-", "content-", "proxy-", "webhook-", "x-forwarded-")


class Endpoint(Struct, frozen=True, kw_only=True):
    """Where events are sent. `secrets` sign, each of them; `headers` are sent as they are (names to values).

    While it is not `enabled` nothing is sent, and its events wait. Instants are nanoseconds since the epoch
    (UTC).
    """

    id: str
    url: str
    secrets: tuple[str, ...]
    headers: dict[str, str]
    enabled: bool
    description: str
    created_at: int
    updated_at: int

    def __repr__(self) -> str:
        return f"Endpoint(id={self.id!r}, url={self.url!r}, headers={sorted(self.headers)}, enabled={self.enabled})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("url", self.url), ("headers", sorted(self.headers)), ("enabled", self.enabled)]


class EndpointRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants an endpoint to be. What is not said stays as it is; a new one has secrets of its
    own.

    Not validated: see `new_endpoint`, `changed_endpoint`.
    """

    url: str | UnsetType = UNSET
    secrets: Sequence[str] | UnsetType = UNSET
    headers: Mapping[str, str] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"EndpointRequest(url={self.url!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url)]


class _Document(Struct, frozen=True, kw_only=True):
    """What is in the row's `document`."""

    url: str
    secrets: tuple[str, ...]
    headers: dict[str, str]
    enabled: bool
    description: str


def new_endpoint(request: EndpointRequest, id_: str, random_bytes: Callable[[int], bytes], now: int) -> Endpoint:
    """The endpoint that `request` asks for. Raises `Invalid`, with a detail for each thing that is wrong."""
    if request.url is UNSET:
        raise Invalid("invalid endpoint", ("url: is required: an http or https URL",))
    blank = Endpoint(
        id=id_,
        url="",
        secrets=(new_secret(random_bytes),) if request.secrets is UNSET else (),
        headers={},
        enabled=True,
        description="",
        created_at=now,
        updated_at=now,
    )
    return changed_endpoint(blank, request, now)


def changed_endpoint(endpoint: Endpoint, request: EndpointRequest, now: int) -> Endpoint:
    """`endpoint` with what `request` says. Raises `Invalid`, with a detail for each thing that is wrong."""
    wrong = tuple(_problems(request))
    if wrong:
        raise Invalid("invalid endpoint", wrong)
    return Endpoint(
        id=endpoint.id,
        url=endpoint.url if request.url is UNSET else request.url,
        secrets=endpoint.secrets if request.secrets is UNSET else tuple(request.secrets),
        headers=endpoint.headers if request.headers is UNSET else dict(request.headers),
        enabled=endpoint.enabled if request.enabled is UNSET else request.enabled,
        description=endpoint.description if request.description is UNSET else request.description,
        created_at=endpoint.created_at,
        updated_at=now,
    )


def endpoint_row(endpoint: Endpoint) -> Put:
    """The endpoint's row."""
    document = _Document(
        url=endpoint.url,
        secrets=endpoint.secrets,
        headers=endpoint.headers,
        enabled=endpoint.enabled,
        description=endpoint.description,
    )
    text = msgspec.json.encode(document).decode()
    return Put(ENDPOINT, (endpoint.id, text, endpoint.created_at, endpoint.updated_at))


def endpoint_of(row: Row) -> Endpoint:
    """The endpoint that a row (columns as in `ENDPOINT`) describes."""
    id_, text, created_at, updated_at = row
    assert isinstance(id_, str)
    assert isinstance(text, str)
    assert isinstance(created_at, int)
    assert isinstance(updated_at, int)
    document = msgspec.json.decode(text, type=_Document)
    return Endpoint(
        id=id_,
        url=document.url,
        secrets=document.secrets,
        headers=document.headers,
        enabled=document.enabled,
        description=document.description,
        created_at=created_at,
        updated_at=updated_at,
    )


# What is wrong, where, and what is allowed. Secrets and the values of headers are never repeated.


def _problems(request: EndpointRequest) -> Iterator[str]:
    if request.url is not UNSET and (problem := _url_problem(request.url)):
        yield f"url: {problem}"
    if request.secrets is not UNSET:
        yield from _secrets_problems(request.secrets)
    if request.headers is not UNSET:
        yield from _headers_problems(request.headers)
    if request.description is not UNSET and not _is_text(request.description):
        yield f"description: must be at most {MAX_DESCRIPTION} characters of text"


def _url_problem(url: str) -> str:
    if len(url) > MAX_URL:
        return f"must be at most {MAX_URL} characters"
    if not _URL.fullmatch(url) or "\\" in url:
        return "must be printable ASCII without spaces and backslashes (international names in their xn-- form)"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # brackets that don't match, a port that is no number or too large
        return "must have a host and, if any, a port from 1 to 65535"
    return _parts_problem(parts, port)


def _parts_problem(parts: SplitResult, port: int | None) -> str:
    if parts.scheme not in {"http", "https"}:
        return "must begin with http:// or https://"
    if "@" in parts.netloc:
        return "must not hold credentials: put them into a header"
    if not parts.hostname or len(parts.hostname) > 253 or port == 0:
        return "must have a host and, if any, a port from 1 to 65535"
    if parts.fragment:
        return "must have no fragment (#…): it would not be sent"
    return ""


def _secrets_problems(secrets: Sequence[str]) -> Iterator[str]:
    if not 1 <= len(secrets) <= MAX_SECRETS:
        yield f"secrets: must be 1 to {MAX_SECRETS}"
    for index, secret in enumerate(secrets):
        try:
            key_of(secret)
        except InvalidSecret as error:
            yield f"secrets[{index}]: {error}"


def _headers_problems(headers: Mapping[str, str]) -> Iterator[str]:
    if len(headers) > MAX_HEADERS:
        yield f"headers: must be at most {MAX_HEADERS}"
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADER_BYTES:
        yield f"headers: must be at most {MAX_HEADER_BYTES} bytes of names and values together"
    seen: set[str] = set()
    for name, value in headers.items():
        place = f"headers.{name[:60]!r}"
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            yield f"{place}: a name must be letters, digits and !#$%&'*+-.^_`|~"
        elif lower in _OURS or lower.startswith(_OUR_PREFIXES):
            yield f"{place}: this header is set by the sender"
        elif lower in seen:
            yield f"{place}: is there twice (capitals make no difference)"
        seen.add(lower)
        if value and not _VALUE.fullmatch(value):
            yield f"{place}: a value must be printable ASCII, without spaces at its ends"


def _is_text(text: str) -> bool:
    """Whether a database can store it: no U+0000, no lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return len(text) <= MAX_DESCRIPTION and "\0" not in text
