"""The envelope: what is stored, read back and delivered for every event.

Owns: `Envelope`, and its way to bytes and back.

Always holds: an event is rendered once. The bytes that `encode` returned are what every reader and every
delivery sees, so a value never changes between an attempt and its retry. Source: seed, "Event payload";
platform.md §10.6, §11.1 (A1 to A5, A14).
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from callboard.events.catalogue import event_type
from callboard.events.fields import AccountId, AppId, TemplateId, Timestamp
from callboard.events.payload import Payload
from callboard.events.timestamps import seconds

P_co = TypeVar("P_co", bound=Payload, covariant=True)


class Envelope(msgspec.Struct, Generic[P_co], frozen=True, kw_only=True):
    """One event. All keys are always sent (A1, A2), the `is_…` only where they are true (A14).

    `app_id` and `template_id` may be missing in what is read: most samples of the seed lack them.
    """

    version: Annotated[
        str,
        Meta(
            description="The version of the event's contract: 1.0 for SFU recordings, else 2.0.",
            examples=["2.0"],
        ),
    ]
    id: Annotated[
        str,
        Meta(
            description="The event's id: a UUID, the same in every attempt and every replay.",
            examples=["0b7a6e0c-5d0e-4b57-9d3c-7a1f6f0c2e11"],
        ),
    ]
    account_id: AccountId
    app_id: AppId = ""
    template_id: TemplateId = ""
    timestamp: Annotated[
        Timestamp,
        Meta(description="When it happened, in whole seconds.", examples=["2025-01-15T10:05:09Z"]),
    ]
    type: Annotated[str, Meta(description="The event's name.", examples=["peer.leave.success"])]
    data: P_co
    is_replay: (
        Annotated[bool, Meta(description="Present and true if this delivery is a replay.", examples=[True])] | UnsetType
    ) = UNSET
    is_test: (
        Annotated[
            bool,
            Meta(description="Present and true if nothing happened: somebody tries their receiver.", examples=[True]),
        ]
        | UnsetType
    ) = UNSET
    is_expunged: (
        Annotated[
            bool,
            Meta(description="Present and true if the event's content was taken out of it later.", examples=[True]),
        ]
        | UnsetType
    ) = UNSET


def encode(payload: Payload, *, id: str, account_id: str, app_id: str, template_id: str, at: int) -> bytes:  # noqa: A002
    """The JSON of the event with this payload. `at` is when it happened, in nanoseconds since the epoch.

    Nothing is checked here: a payload is what its type says. Raises `UnicodeEncodeError` (a `ValueError`) for text
    that is not Unicode, a lone surrogate; whoever takes text in with `msgspec` has none.
    """
    return _ENCODER.encode(
        Envelope(
            version=payload.VERSION,
            id=id,
            account_id=account_id,
            app_id=app_id,
            template_id=template_id,
            timestamp=seconds(at),
            type=payload.EVENT,
            data=payload,
        )
    )


def decode(body: bytes) -> Envelope[Payload]:
    """The event in `body`, with the payload type its `type` names. Keys that nobody knows are ignored.

    Raises `ValueError`: `UnknownEventType` if the catalogue has no such event; `msgspec.ValidationError`,
    which says where, if a key is missing or of another type than the event's contract says;
    `msgspec.DecodeError` or `UnicodeDecodeError` if it is not JSON.
    """
    try:
        payload = event_type(_TYPE_DECODER.decode(body).type)
        envelope = _decoder(payload).decode(body)
    except RecursionError as error:  # an ignored key may hold a thousand arrays in each other
        raise msgspec.DecodeError("nested too deeply") from error
    if envelope.version != payload.VERSION:
        raise msgspec.ValidationError(
            f"{payload.EVENT} has version {payload.VERSION}, not {envelope.version[:20]!r} - at `$.version`"
        )
    return envelope


def replayed(body: bytes) -> bytes:
    """`body`, which `encode` returned, marked as a replay; the same event in all else (A14)."""
    return body[:-1] + b',"is_replay":true}'


def marked_as_test(body: bytes) -> bytes:
    """`body`, which `encode` returned, marked as an event of something that did not happen."""
    return body[:-1] + b',"is_test":true}'


def envelope_of(payload: type[Payload]) -> type[Envelope[Payload]]:
    """The type of the envelope that carries this payload."""
    return Envelope[payload]  # type: ignore[valid-type]  # a type checker knows no types made at run time


class _Type(msgspec.Struct):
    type: str


_ENCODER = msgspec.json.Encoder()
_TYPE_DECODER = msgspec.json.Decoder(_Type)


@cache
def _decoder(payload: type[Payload]) -> msgspec.json.Decoder[Envelope[Payload]]:
    return msgspec.json.Decoder(envelope_of(payload))
