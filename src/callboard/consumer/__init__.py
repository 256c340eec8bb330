"""For backends in Python that receive Callboard's webhooks: is it from Callboard, what does it say, is it new?

Owns: `verify`, `diagnose`, `parse`, `receive`, `receive_all`, `Deduplicator`, and in modules of their own adapters for
Starlette and FastAPI, Litestar, Flask and Django. Touches `events` and the signing of `webhooks`, nothing of the
server.

    from callboard.consumer import receive

    event = receive(headers, body, "whsec_…")   # body: the bytes as they came, before anything parsed them
    print(event.type, event.seq, event.data)

Always holds: nothing is parsed before it is verified, and no error repeats a secret.
"""

from callboard.consumer.dedupe import Claim, Deduplicator, InProgress, MemoryStore, Store
from callboard.consumer.diagnosis import Finding, diagnose, verify
from callboard.consumer.errors import (
    BodyChanged,
    ClockOff,
    ConsumerError,
    InvalidHeader,
    MissingHeader,
    SecretMismatch,
    SeveralEvents,
    UnknownScheme,
    UnreadableEvent,
    VerificationError,
)
from callboard.consumer.event import Event, parse, receive, receive_all
from callboard.consumer.headers import Headers
from callboard.consumer.published import public_keys
from callboard.webhooks.keys_text import InvalidSecret

__all__ = [
    "BodyChanged",
    "Claim",
    "ClockOff",
    "ConsumerError",
    "Deduplicator",
    "Event",
    "Finding",
    "Headers",
    "InProgress",
    "InvalidHeader",
    "InvalidSecret",
    "MemoryStore",
    "MissingHeader",
    "SecretMismatch",
    "SeveralEvents",
    "Store",
    "UnknownScheme",
    "UnreadableEvent",
    "VerificationError",
    "diagnose",
    "parse",
    "public_keys",
    "receive",
    "receive_all",
    "verify",
]
