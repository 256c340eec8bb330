"""A delivery as a typed event.

Owns: `Event`, `parse`, `receive` and `receive_all`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from msgspec import DecodeError, Raw, Struct
from msgspec.json import Decoder

from callboard.clock import NANOSECONDS
from callboard.consumer.diagnosis import verify_fields
from callboard.consumer.errors import SeveralEvents, UnreadableEvent
from callboard.consumer.headers import (
    GAP,
    ID,
    REPLAY,
    SEQ,
    STREAM,
    Fields,
    Headers,
    fields_of,
    list_of,
    number_of,
    numbers_of,
)
from callboard.events import Envelope, Payload, UnknownEventType, decode, timestamps
from callboard.webhooks.signing import TOLERANCE

P_co = TypeVar("P_co", bound=Payload, covariant=True)


@dataclass(frozen=True, slots=True)
class Event(Generic[P_co]):
    """An event that Callboard sent.

    `id` is the same in every delivery of the event: what has been handled is known by it (`Deduplicator`). `seq` counts
    the events of `stream` (a session, or a room while it has none) without a gap: 1, 2, 3, …; both come from headers
    that the signature does not cover, and are 0 and "" where something in between took those away.

    So do `left_out` and `replay`. `left_out` are the places in the stream of events before this one that were given up,
    because your answers refused them: they are parked, and come only if they are replayed. `replay` is the replay that
    sent this one, "" if none did.
    """

    id: str
    stream: str
    seq: int
    envelope: Envelope[P_co]
    left_out: tuple[int, ...] = ()
    replay: str = ""

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
    `UnreadableEvent`, and `SeveralEvents` for a batch, which only endpoints that want them are sent.
    """
    fields = fields_of(headers)
    verify_fields(fields, body, secrets, tolerance_seconds, now)
    if bodies := _batch(bytes(body)):
        raise SeveralEvents(len(bodies))
    return _alone(fields, bytes(body))


def receive_all(
    headers: Headers,
    body: bytes,
    secrets: str | Sequence[str],
    *,
    tolerance_seconds: float = TOLERANCE,
    now: float | None = None,
) -> list[Event[Payload]]:
    """The events that were delivered, verified, in their order: those of a batch, or the only one. Else as `receive`.

    Each has its own `id`. The request is to be answered with 2xx once all are safe; any of them may come again, in the
    same company, in another, or alone.
    """
    fields = fields_of(headers)
    verify_fields(fields, body, secrets, tolerance_seconds, now)
    stream = fields.get(STREAM, [""])[0]
    bodies = _batch(bytes(body))
    if not bodies:
        return [_alone(fields, bytes(body))]
    envelopes = [parse(one) for one in bodies]
    seqs = numbers_of(fields, SEQ, len(bodies))
    gaps = [list_of(fields, GAP), *[()] * (len(bodies) - 1)]  # before the first of them
    each = zip(envelopes, seqs, gaps, strict=True)
    return [Event(envelope.id, stream, seq, envelope, gap) for envelope, seq, gap in each]


def _alone(fields: Fields, body: bytes) -> Event[Payload]:
    stream, replay = (fields.get(name, [""])[0] for name in (STREAM, REPLAY))
    return Event(fields[ID][0], stream, number_of(fields, SEQ), parse(body), list_of(fields, GAP), replay)


class _Batch(Struct):
    batch: list[Raw]


_BATCH = Decoder(_Batch)


def _batch(body: bytes) -> list[bytes]:
    """The bodies of the events in a batch's; none if it is not one."""
    if not body.startswith(b'{"batch":'):
        return []
    try:
        return [bytes(one) for one in _BATCH.decode(body).batch]
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadableEvent("", f"the batch is no JSON of Callboard's: {error}") from error


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
