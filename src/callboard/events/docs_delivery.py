"""What carries an event besides its body: the headers of a delivery, and what is made of the answer. Pure data, for the
documents.

Owns: `HEADERS`, `SOMETIMES`, `ANSWERS`. Always holds: a test compares both with what `webhooks/` sends and does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Header:
    """A header of a delivery: its name in lower case, JSON Schema of its value, what it says, an example."""

    name: str
    schema: dict[str, Any]
    says: str
    example: str


HEADERS: Final = (
    Header(
        "webhook-id",
        {"type": "string", "format": "uuid"},
        "The event's id: the same in every attempt and every replay. What was handled is known by it. Signed.",
        "0b7a6e0c-5d0e-4b57-9d3c-7a1f6f0c2e11",
    ),
    Header(
        "webhook-timestamp",
        {"type": "string", "pattern": "^[0-9]+$"},
        "When this attempt was made: whole seconds since the epoch (UTC). Signed; refuse what is older than 300"
        " seconds.",
        "1736935509",
    ),
    Header(
        "webhook-signature",
        {"type": "string"},
        "Signatures of `id.timestamp.body`, separated by spaces, one for each key of the endpoint: `v1,` HMAC-SHA256,"
        " `v1a,` Ed25519, in Base64 (Standard Webhooks 1.0.0). One that is right is enough.",
        "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
    ),
    Header(
        "callboard-stream",
        {"type": "string"},
        "The session that the event belongs to, or the room while it has none. Not signed.",
        "678786f1000000000000000a",
    ),
    Header(
        "callboard-seq",
        {"type": "string", "pattern": "^[1-9][0-9]*(,[1-9][0-9]*)*$"},
        "The event's place in its stream, which counts 1, 2, 3, … without a gap; an endpoint with filters is not sent"
        " all of them. Of a batch the places of all its events, separated by commas. Not signed.",
        "7",
    ),
)

SOMETIMES: Final = (
    Header(
        "callboard-batch",
        {"type": "string", "pattern": "^[1-9][0-9]*$"},
        "Only if the endpoint's `delivery` has a `batch`: so many events are in the body, an object with the array"
        " `batch`. Not signed.",
        "3",
    ),
    Header(
        "callboard-gap",
        {"type": "string"},
        "Only behind events of the stream that were given up: their places, separated by commas. Not signed.",
        "5,6",
    ),
    Header(
        "callboard-replay",
        {"type": "string"},
        "Only in a replay, whose body has `is_replay`: which one it belongs to. Not signed.",
        "webhook-replay-65a000000000000000000000-a1b2c3d4",
    ),
    Header(
        "callboard-test",
        {"type": "string", "const": "true"},
        "Only of what did not happen: a test event, whose body has `is_test`. Not signed.",
        "true",
    ),
)
"""Headers of some deliveries."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status, or `2XX` for a hundred of them, and what Callboard does then."""

    status: str
    says: str


ANSWERS: Final = (
    Answer("2XX", "Accepted: the next event of the stream is sent. The body is not read for meaning."),
    Answer("3XX", "Not accepted: redirects are not followed. Change the endpoint's URL."),
    Answer("410", "Never again: the endpoint is disabled. Its events wait until it is enabled."),
    Answer("429", "Not now: sent again later, not before the time that `Retry-After` says."),
    Answer(
        "default",
        "Not accepted, as when there is no answer in time: sent again after 1, 3 and 10 seconds, then ever more rarely,"
        " until it is accepted or 3 days old. Later events of the same stream wait for it.",
    ),
)
