"""A delivery as a typed event.

Owns: `Event`, `parse` and `receive`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from callboard.clock import NANOSECONDS
from callboard.consumer.diagnosis import verify_fields
from callboard.consumer.errors import UnreadableEvent
from callboard.consumer.headers import ID, SEQ, STREAM, Headers, fields_of, number_of
from callboard.events import Envelope, Payload, UnknownEventType, decode, timestamps
from callboard.webhooks.signing import TOLERANCE

P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[P_co]):
    """An event that Callboard sent.

    `id` is the same in every delivery of the event: what has been handled is known by it (`Deduplicator`). `seq` counts
    the events of `stream` (a session, or a room while it has none) without a gap: 1, 2, 3, …; both come from headers
    that the signature does not cover, and are 0 and "" where something in between took those away.
    """

    id: str
    stream: str
    seq: int
    envelope: Envelope[P_co]

    @property
    def type(self) -> str:
        """The event's name, as `peer.join.success`."""
        return self.envelope.type

    @property
    def data(self) -> P_co:
        """What happened; its class says which event it is."""
        return self.envelope.data

    @property
    def at(self) -> datetime:
        """When it happened (UTC), to the second."""
        return _EPOCH + timedelta(seconds=timestamps.parse(self.envelope.timestamp) // NANOSECONDS)

    @property
    def is_replay(self) -> bool:
        """Whether it is sent again because somebody asked for it."""
        return self.envelope.is_replay is True

    @property
    def is_test(self) -> bool:
        """Whether nothing happened: somebody tries whether their receiver works."""
        return self.envelope.is_test is True

    @property
    def is_expunged(self) -> bool:
        """Whether its content was taken out of it: it says that something happened, and no longer to whom."""
        return self.envelope.is_expunged is True


def parse(body: bytes) -> Envelope[Payload]:
    """The event in a body that was verified. Raises `UnreadableEvent`."""
    try:
        return decode(body)
    except UnknownEventType as error:
        raise UnreadableEvent(error.name, str(error)) from error
    except ValueError as error:
        raise UnreadableEvent("", str(error)) from error


def receive(
    headers: Headers,
    body: bytes,
    secrets: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE,
    now: float | None = None,
) -> Event[Payload]:
    """The event that was delivered, verified. The arguments are those of `verify`, and so is what is raised; besides,
    `UnreadableEvent`.
    """
    fields = fields_of(headers)
    verify_fields(fields, body, secrets, tolerance_seconds, now)
    stream = fields.get(STREAM, [""])[0]
    return Event(fields[ID][0], stream, number_of(fields, SEQ), parse(bytes(body)))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
