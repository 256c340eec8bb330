"""What each failure of an attempt means, and what helps: for the one who was called because of it. Pure.

Owns: `Explanation`, `EXPLAINED`, and the page of the docs that has them all.

Always holds: every `Failure` that can be in the log of attempts is explained, and nothing else is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from callboard.webhooks.failures import Failure


class Explanation(NamedTuple):
    """`meaning`: what happened. `remedy`: what its owner can do."""

    meaning: str
    remedy: str


_EXPLAINED: Final[dict[Failure, Explanation]] = {
    Failure.REFUSED_ADDRESS: Explanation(
        "The URL leads to an address that deliveries may not reach; nothing was connected to.",
        "A service on this machine or of your own network has to be listed in the setting `webhooks.allowed_networks`."
        " Link-local addresses (where clouds keep their metadata), multicast and reserved ones are never delivered to.",
    ),
    Failure.DNS_ERROR: Explanation(
        "The host's name could not be resolved.",
        "Check the name in the URL, and that the server's resolver knows it.",
    ),
    Failure.TIMEOUT_DNS: Explanation(
        "The attempt's time ran out while the host's name was being resolved.",
        "Check the resolver that the server uses.",
    ),
    Failure.CONNECTION_REFUSED: Explanation(
        "Nothing listens at that address and port.",
        "Start the receiver, or correct the port in the URL.",
    ),
    Failure.CONNECTION_FAILED: Explanation(
        "There was no way there: no route, or the network or host is unreachable.",
        "Check routes and firewalls between the server and the receiver.",
    ),
    Failure.TIMEOUT_CONNECT: Explanation(
        "Nobody answered the attempt to connect.",
        "A firewall drops the packets, or the host is down.",
    ),
    Failure.TLS_ERROR: Explanation(
        "The TLS handshake failed, most often because the certificate is not trusted, has expired or is for another"
        " name.",
        "Renew the certificate, send its whole chain, or give the endpoint the authority that signed it"
        " (`tls.authorities`).",
    ),
    Failure.TIMEOUT_TLS: Explanation(
        "The connection was made, but the TLS handshake did not end in time.",
        "Check that the port speaks TLS, and that the receiver is not overloaded.",
    ),
    Failure.CONNECTION_RESET: Explanation(
        "The other side reset the connection before it had answered.",
        "Look into the receiver's log, and its proxy's: a process that died, or a limit on requests or their size.",
    ),
    Failure.CONNECTION_LOST: Explanation(
        "The other side closed the connection before its answer was whole.",
        "As for `connection_reset`; a receiver that is restarted does this to what is under way.",
    ),
    Failure.TIMEOUT_ANSWER: Explanation(
        "The request was sent, and no answer came in time.",
        "Answer first and work afterwards: put the event into a queue and return 2xx.",
    ),
    Failure.TIMEOUT_BODY: Explanation(
        "The answer's headers came in time, its body did not.",
        "Send a short body or none; check the `content-length` that is sent.",
    ),
    Failure.TOO_LARGE: Explanation(
        "The answer's headers were larger than 32 KiB.",
        "Send fewer headers or cookies.",
    ),
    Failure.BAD_RESPONSE: Explanation(
        "What came back is no HTTP/1 answer.",
        "Check that URL and port belong to an HTTP server, and `http` or `https` to what it speaks.",
    ),
    Failure.HTTP_3XX: Explanation(
        "The receiver redirects. Redirects are not followed.",
        "Change the endpoint's URL to the one in the answer's `location`.",
    ),
    Failure.HTTP_4XX: Explanation(
        "The receiver refused this request.",
        "Read its answer: most often the signature was not accepted (`callboard verify` says which part is wrong), the"
        " path is not there, or a password in a header is wrong.",
    ),
    Failure.HTTP_THROTTLED: Explanation(
        "The receiver wants to be asked later (408, 425, 429).",
        "Nothing, if it happens now and then: its `retry-after` is honoured. Otherwise give the receiver more room.",
    ),
    Failure.HTTP_GONE: Explanation(
        "The receiver answered 410: it is gone for good. The endpoint was disabled; its events wait.",
        "Delete the endpoint, or correct its URL and enable it again.",
    ),
    Failure.HTTP_5XX: Explanation(
        "The receiver failed.",
        "Read its answer and its log. The event is sent again.",
    ),
}
EXPLAINED: Final[Mapping[Failure, Explanation]] = MappingProxyType(_EXPLAINED)

PAGE: Final = "errors.md"
_HEAD: Final = """<!-- Made from src/callboard/webhooks/failures_explained.py by `make docs`; a test compares. -->

# Why a delivery failed

Each attempt that failed has exactly one of these names: in the log of attempts (`GET
/v2/webhook-endpoints/{id}/attempts`, `callboard endpoints attempts`) as `error`, and in the metrics as a label. There
are these and no others.

| error | what happened | what helps |
| --- | --- | --- |
"""


def page() -> str:
    """The page of the docs, as Markdown."""
    return _HEAD + "".join(f"| `{name}` | {one.meaning} | {one.remedy} |\n" for name, one in EXPLAINED.items())
