"""Why an attempt failed: the closed list of names that the log of attempts, metrics and the API know. Pure.

Owns: `Failure`, `failure_of_status`, `GONE`, `REFUSALS`.
"""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus


class Failure(StrEnum):
    """Each failed attempt has exactly one of these. Where time ran out says what was waited for."""

    REFUSED_ADDRESS = "refused_address"
    """The guard forbids it; nothing was connected to."""
    DNS_ERROR = "dns_error"
    TIMEOUT_DNS = "timeout_dns"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_FAILED = "connection_failed"
    """No way there: no route, unreachable, …"""
    TIMEOUT_CONNECT = "timeout_connect"
    TLS_ERROR = "tls_error"
    TIMEOUT_TLS = "timeout_tls"
    CONNECTION_RESET = "connection_reset"
    """Reset by the other side, after the connection was made."""
    CONNECTION_LOST = "connection_lost"
    """Closed by the other side before its answer was whole."""
    TIMEOUT_ANSWER = "timeout_answer"
    TIMEOUT_BODY = "timeout_body"
    """The answer's headers had come."""
    TOO_LARGE = "too_large"
    """The answer's headers were. A body that is too long is cut, and its status counts."""
    BAD_RESPONSE = "bad_response"
    """No HTTP/1 answer."""
    HTTP_3XX = "http_3xx"
    """Redirects are not followed: the endpoint's URL must be changed instead."""
    HTTP_4XX = "http_4xx"
    """The event is refused."""
    HTTP_THROTTLED = "http_throttled"
    """408, 425, 429: not now."""
    HTTP_GONE = "http_gone"
    """410: never again. The endpoint is disabled."""
    HTTP_5XX = "http_5xx"
    STOPPED = "stopped"
    """Cut off because deliveries stop: whether it arrived is not known. Not recorded; it is made again."""


GONE = HTTPStatus.GONE.value
REFUSALS = frozenset([400, 409, 413, 414, 415, 422, 431])
"""Answers that are about the one event (or its size), as far as a status can say that."""
_THROTTLED = frozenset([408, 425, 429])


def failure_of_status(status: int) -> Failure:
    """What an answer that does not accept the event (not 2xx) is recorded as."""
    if status == GONE:
        return Failure.HTTP_GONE
    if status in _THROTTLED:
        return Failure.HTTP_THROTTLED
    if status < 400:
        return Failure.HTTP_3XX
    return Failure.HTTP_4XX if status < 500 else Failure.HTTP_5XX
