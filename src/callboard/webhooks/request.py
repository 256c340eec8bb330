"""The request that carries an event: rendered once per endpoint, filled in once per attempt. Pure.

Owns: `Renderer`, and where an endpoint's URL leads (`target_of`).

Always holds: the body is the very bytes of the ledger. `webhook-id` is the event's id in every attempt;
timestamp and signature are new in each (Standard Webhooks 1.0.0). A batch has an id of its own, that of its events.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from callboard import __version__
from callboard.clock import NANOSECONDS
from callboard.database import Put
from callboard.database.tables import REQUEST_HEAD
from callboard.ledger import Recorded
from callboard.ledger.records import TEST
from callboard.webhooks.answers import REDACTED
from callboard.webhooks.batching import body_of, id_of
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.keys import expiring, signer_at
from callboard.webhooks.reach import Target
from callboard.webhooks.tls import Identity, usable_context

TEST_HEADER = b"callboard-test: true\r\n"
"""Sent with what did not happen."""

BATCH_HEADER = b"callboard-batch"
"""Says how many events there are, where there are several."""

USER_AGENT = f"Callboard/{__version__}"

_HEAD = (
    b"webhook-id: %b\r\n"
    b"webhook-timestamp: %b\r\n"
    b"webhook-signature: %b\r\n"
    b"callboard-stream: %b\r\n"
    b"callboard-seq: %b\r\n"
    b"%b"
    b"content-length: %d\r\n"
    b"\r\n"
    b"%b"
)


class Renderer:
    """Renders the requests to one endpoint."""

    __slots__ = ("_expiring", "_keys", "_second", "_sign", "_template", "_timestamp")

    def __init__(self, endpoint: Endpoint) -> None:
        self._keys = endpoint.keys
        self._expiring = expiring(endpoint.keys)
        self._sign = signer_at(endpoint.keys, 0).sign
        self._template = _static(endpoint).replace(b"%", b"%%") + _HEAD
        self._second = -1
        self._timestamp = b""

    def render(self, event: Recorded, stream: bytes, now: int, more: bytes = b"") -> bytes:
        """The request for `event`; `stream` is its stream's name in bytes, `now` is in nanoseconds (UTC).

        `more` are header lines, each with its end.
        """
        if event.actor == TEST:
            more += TEST_HEADER
        return self._request(event.id.encode(), b"%d" % event.seq, event.body, stream, now, more)

    def render_batch(self, events: Sequence[Recorded], stream: bytes, now: int, more: bytes = b"") -> bytes:
        """The request for several `events` of one stream. As `render` in all else."""
        more += b"%b: %d\r\n" % (BATCH_HEADER, len(events))
        seqs = b",".join([b"%d" % event.seq for event in events])
        return self._request(id_of(events), seqs, body_of(events), stream, now, more)

    def _request(self, id_: bytes, seq: bytes, body: bytes, stream: bytes, now: int, more: bytes) -> bytes:
        second = now // NANOSECONDS
        if second != self._second:
            self._second = second
            self._timestamp = b"%d" % second
            if self._expiring:  # after a rotation: some keys sign until a certain time only
                self._sign = signer_at(self._keys, now).sign
        timestamp = self._timestamp
        signature = self._sign(id_, timestamp, body)
        return self._template % (id_, timestamp, signature, stream, seq, more, len(body), body)


def target_of(endpoint: Endpoint, tls: ssl.SSLContext) -> Target:
    """Where the endpoint is. If its URL is https, `tls` is used, unless the endpoint has its own."""
    parts = urlsplit(endpoint.url)
    assert parts.hostname is not None
    secure = parts.scheme == "https"
    if secure and endpoint.tls != Identity():
        tls = usable_context(endpoint.tls)
    return Target(parts.hostname, parts.port or (443 if secure else 80), tls if secure else None)


def head_row(endpoint: Endpoint) -> Put:
    """What the log of attempts keeps of the requests to the endpoint as it is now: values of its own headers, which may
    be passwords, are not in it.
    """
    shown = _headers(endpoint) | dict.fromkeys(endpoint.headers, REDACTED)
    return Put(REQUEST_HEAD, (endpoint.id, endpoint.updated_at, msgspec.json.encode(shown).decode()))


def _static(endpoint: Endpoint) -> bytes:
    """The request line and the headers that are the same in every request."""
    parts = urlsplit(endpoint.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in _headers(endpoint).items())]
    return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def _headers(endpoint: Endpoint) -> dict[str, str]:
    return {
        "host": urlsplit(endpoint.url).netloc.lower(),
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "content-type": "application/json",
        **endpoint.headers,
    }
