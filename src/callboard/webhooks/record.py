"""From an attempt that has ended to its row in the log.

Owns: `Recorder`. Always holds: what an endpoint answers again and again is put into words once.
"""

from __future__ import annotations

from typing import Protocol

from callboard.database import Value
from callboard.webhooks.answers import logged
from callboard.webhooks.connection import Opening
from callboard.webhooks.endpoint import Endpoint


class Wire(Protocol):
    """What a `Connection` knows about the attempt that it has just made."""

    opening: Opening
    remote: str
    first_byte: float
    body: bytes

    @property
    def head(self) -> bytes: ...


class Recorder:
    """Of one endpoint, as it is now."""

    __slots__ = ("_body", "_head", "_secrets", "_text")

    def __init__(self, endpoint: Endpoint) -> None:
        self._secrets = tuple(endpoint.headers.values())
        self._head = self._body = b""
        self._text = ""

    def columns(self, wire: Wire) -> tuple[Value, ...]:
        """The columns of `ATTEMPT` from `remote` on."""
        opening = wire.opening
        return wire.remote, opening.dns, opening.connect, opening.tls, wire.first_byte, self._answer(wire)

    def _answer(self, wire: Wire) -> str:
        head, body = wire.head, wire.body
        if head != self._head or body != self._body:
            self._head, self._body = head, body
            self._text = logged(head, body, self._secrets) if head else ""
        return self._text
