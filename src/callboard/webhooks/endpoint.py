"""What an endpoint is, and what may be said about one. Pure.

Owns: `Endpoint`, `EndpointRequest`, their rules, and the way to and from the endpoint's row.

Always holds: an `Endpoint` can be sent to: its URL is http or https without credentials, its headers cannot
break a request or take the place of ours, its secrets sign. Neither secrets nor the values of headers are in
a `repr`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import UNSET, Struct, UnsetType

from callboard.database import Put, Row
from callboard.database.tables import ENDPOINT
from callboard.errors import Invalid
from callboard.ledger import Recorded
from callboard.webhooks import keys, selection
from callboard.webhooks.keys import SigningKey
from callboard.webhooks.keys_text import Scheme
from callboard.webhooks.manner import Manner
from callboard.webhooks.selection import Selection
from callboard.webhooks.tls import Identity
from callboard.webhooks.vault import Vault, VaultError

T = TypeVar("T")

MAX_URL: Final = 2048
MAX_DESCRIPTION: Final = 500
MAX_HEADERS: Final = 32
MAX_HEADER_BYTES: Final = 4096
"""Of all names and values together."""

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
    """Where events are sent. `keys` sign, each until it expires; `headers` are sent as they are (names to values).

    `tls` is whom we trust there and who we say we are, where that is not as usual. `selection` says which events,
    `delivery` in which manner.

    While it is not `enabled`, or is `paused`, nothing is sent, and its events wait: an endpoint that failed for too
    long is not enabled any more, somebody who wants it to rest pauses it. Instants are nanoseconds since the epoch
    (UTC).
    """

    id: str
    url: str
    keys: tuple[SigningKey, ...]
    headers: dict[str, str]
    enabled: bool
    description: str
    created_at: int
    updated_at: int
    tls: Identity = Identity()
    selection: Selection = Selection()
    paused: bool = False
    delivery: Manner = Manner()

    def wants(self, event: Recorded) -> bool:
        """Whether `event` is to be sent there."""
        return self.selection.wants(event)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts of the keys, the newest first."""
        return tuple(key.text for key in self.keys)

    def __repr__(self) -> str:
        return f"Endpoint(id={self.id!r}, url={self.url!r}, headers={sorted(self.headers)}, enabled={self.enabled})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("id", self.id), ("url", self.url), ("headers", sorted(self.headers)), ("enabled", self.enabled)]


class EndpointRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants an endpoint to be. What is not said stays as it is; a new one has a secret of its own.

    `secrets` are keys that are brought along (`whsec_…`, `whsk_…`), in place of those of the same scheme; `schemes` are
    those that are on. Not validated: see `new_endpoint`, `changed_endpoint`.
    """

    url: str | UnsetType = UNSET
    secrets: Sequence[str] | UnsetType = UNSET
    schemes: Sequence[Scheme] | UnsetType = UNSET
    headers: Mapping[str, str] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tls: Identity | UnsetType = UNSET
    template_id: str | UnsetType = UNSET
    room_id: str | UnsetType = UNSET
    events: Sequence[str] | UnsetType = UNSET
    paused: bool | UnsetType = UNSET
    delivery: Manner | UnsetType = UNSET

    def __repr__(self) -> str:
        return f"EndpointRequest(url={self.url!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("url", self.url)]


class _Document(Struct, frozen=True, kw_only=True):
    """What is in the row's `document`. `sealed` is `_Private`, encrypted; without a vault that is there as it is."""

    url: str
    enabled: bool
    description: str
    sealed: str = ""
    selection: Selection = Selection()
    paused: bool = False
    delivery: Manner = Manner()


class _Private(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What nobody may read in the database. `secrets` are keys without dates, in rows of before there were dates."""

    headers: dict[str, str] = {}
    keys: tuple[SigningKey, ...] = ()
    secrets: tuple[str, ...] = ()
    tls: Identity = Identity()


def new_endpoint(request: EndpointRequest, id_: str, random_bytes: Callable[[int], bytes], now: int) -> Endpoint:
    """The endpoint that `request` asks for. Raises `Invalid`, with a detail for each thing that is wrong."""
    if request.url is UNSET:
        raise Invalid("invalid endpoint", ("url: is required: an http or https URL",))
    blank = Endpoint(
        id=id_,
        url="",
        keys=(),
        headers={},
        enabled=True,
        description="",
        created_at=now,
        updated_at=now,
    )
    return changed_endpoint(blank, request, random_bytes, now)


def changed_endpoint(
    endpoint: Endpoint, request: EndpointRequest, random_bytes: Callable[[int], bytes], now: int
) -> Endpoint:
    """`endpoint` with what `request` says, without the keys that have expired.

    Raises `Invalid`, with a detail for each thing that is wrong.
    """
    chosen = _chosen(endpoint.selection, request)
    wrong = (*_problems(request), *selection.problems(chosen))
    if wrong:
        raise Invalid("invalid endpoint", wrong)
    secrets, schemes = _given(request.secrets), _given(request.schemes)
    return Endpoint(
        id=endpoint.id,
        url=endpoint.url if request.url is UNSET else request.url,
        keys=keys.chosen(endpoint.keys, secrets, schemes, random_bytes, now),
        headers=endpoint.headers if request.headers is UNSET else dict(request.headers),
        enabled=endpoint.enabled if request.enabled is UNSET else request.enabled,
        description=endpoint.description if request.description is UNSET else request.description,
        created_at=endpoint.created_at,
        updated_at=now,
        tls=endpoint.tls if request.tls is UNSET else request.tls,
        selection=chosen,
        paused=endpoint.paused if request.paused is UNSET else request.paused,
        delivery=endpoint.delivery if request.delivery is UNSET else request.delivery,
    )


def rotated_endpoint(
    endpoint: Endpoint, overlap_seconds: float, random_bytes: Callable[[int], bytes], now: int
) -> Endpoint:
    """`endpoint` with new keys; its present ones sign on for `overlap_seconds`. Raises `Invalid`, `Conflict`."""
    new = keys.rotated(endpoint.keys, overlap_seconds, random_bytes, now)
    return msgspec.structs.replace(endpoint, keys=new, updated_at=now)


def endpoint_row(endpoint: Endpoint, vault: Vault | None = None) -> Put:
    """The endpoint's row. Its keys and headers are sealed in `vault`; without one they can be read there."""
    private = _Private(headers=endpoint.headers, keys=endpoint.keys, tls=endpoint.tls)
    sealed = vault.seal(msgspec.json.encode(private), _name(endpoint.id)) if vault else ""
    document = _Document(
        url=endpoint.url,
        enabled=endpoint.enabled,
        description=endpoint.description,
        sealed=sealed,
        selection=endpoint.selection,
        paused=endpoint.paused,
        delivery=endpoint.delivery,
    )
    shown = msgspec.to_builtins(document) | ({} if vault else msgspec.to_builtins(private))
    return Put(ENDPOINT, (endpoint.id, msgspec.json.encode(shown).decode(), endpoint.created_at, endpoint.updated_at))


def endpoint_of(row: Row, vault: Vault | None = None) -> Endpoint:
    """The endpoint that a row (columns as in `ENDPOINT`) describes. Raises `VaultError` if it cannot be opened."""
    id_, text, created_at, updated_at = row
    assert isinstance(id_, str)
    assert isinstance(text, str)
    assert isinstance(created_at, int)
    assert isinstance(updated_at, int)
    document = msgspec.json.decode(text, type=_Document)
    private = msgspec.json.decode(_opened(document, text, id_, vault), type=_Private)
    undated = (SigningKey(text=secret, created_at=created_at) for secret in private.secrets)
    return Endpoint(
        id=id_,
        url=document.url,
        keys=(*private.keys, *undated),
        headers=private.headers,
        enabled=document.enabled,
        description=document.description,
        created_at=created_at,
        updated_at=updated_at,
        tls=private.tls,
        selection=document.selection,
        paused=document.paused,
        delivery=document.delivery,
    )


def sealed_with(row: Row) -> str:
    """The row's secrets as they are sealed in it; "" if they can be read there."""
    return msgspec.json.decode(str(row[1]), type=_Document).sealed


def _opened(document: _Document, text: str, id_: str, vault: Vault | None) -> bytes | str:
    if not document.sealed:
        return text
    if vault is None:
        raise VaultError(f"{_name(id_)} is encrypted, and there is no master key")
    return vault.open(document.sealed, _name(id_))


def _name(id_: str) -> str:
    """What the row's secrets are sealed for: they open in no other row."""
    return f"endpoint {id_}"


# What is wrong, where, and what is allowed. Secrets and the values of headers are never repeated.


def _problems(request: EndpointRequest) -> Iterator[str]:
    if request.url is not UNSET and (problem := url_problem(request.url)):
        yield f"url: {problem}"
    yield from keys.problems(_given(request.secrets), _given(request.schemes))
    if request.headers is not UNSET:
        yield from headers_problems(request.headers)
    if request.description is not UNSET and not _is_text(request.description):
        yield f"description: must be at most {MAX_DESCRIPTION} characters of text"


def _chosen(present: Selection, request: EndpointRequest) -> Selection:
    """The selection that the request asks for. One that names a room has no template any more, and the other way."""
    template_id, room_id = _given(request.template_id), _given(request.room_id)
    events = _given(request.events)
    return Selection(
        template_id=("" if room_id else present.template_id) if template_id is None else template_id,
        room_id=("" if template_id else present.room_id) if room_id is None else room_id,
        events=present.events if events is None else tuple(events),
    )


def _given(value: T | UnsetType) -> T | None:
    return None if isinstance(value, UnsetType) else value


def url_problem(url: str) -> str:
    """What is wrong with the URL of an endpoint, and what is allowed; "" if nothing is."""
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


def headers_problems(headers: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the headers of an endpoint, where, and what is allowed."""
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
