"""What the adapters share.

Owns: `Secrets`, `received` and `all_received`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callboard.consumer.event import Event, receive, receive_all
from callboard.consumer.headers import Headers
from callboard.events import Payload

Secrets = str | Sequence[str] | Callable[[], str | Sequence[str]]
"""The endpoint's secret or secrets (`whsec_…`, `whpk_…`), or what returns them, if they change meanwhile."""


def received(headers: Headers, body: bytes, secrets: Secrets) -> Event[Payload]:
    """The event of a request. Raises as `receive`: an adapter answers a `ConsumerError` with 400, and says it there."""
    return receive(headers, body, _known(secrets))


def all_received(headers: Headers, body: bytes, secrets: Secrets) -> list[Event[Payload]]:
    """The events of a request, one or a batch. Raises as `receive_all`, to be answered in the same way."""
    return receive_all(headers, body, _known(secrets))


def _known(secrets: Secrets) -> str | Sequence[str]:
    return secrets() if callable(secrets) else secrets
