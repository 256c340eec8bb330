"""The log of attempts: what was tried, when, and what came of it.

Owns: `Attempt`, `Timing`, and reading the log.

Always holds: an attempt is in the log once it has ended (and the journal has written it, milliseconds later);
`number` counts the attempts of one event for one endpoint, 1, 2, 3, … (those of replays: see `REPLAYED`).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from callboard.clock import NANOSECONDS
from callboard.database import Database, Put, Row
from callboard.database.tables import ATTEMPT
from callboard.webhooks.answers import Logged

GIVEN_UP = "given_up:"
"""Stands before the recorded error of the attempt after which the event was given up."""

REPLAYED = 1_000_000
"""Attempts that a replay made are counted from so much times its own number, so that they, those of other replays and
those of the lanes never take each other's place."""

_FIRST = tuple(column.name for column in ATTEMPT.columns[:7])


class Timing(msgspec.Struct, frozen=True):
    """Where an attempt's time went, in seconds: for a connection of its own (0 on one that there was already), and
    from the request's being written to the answer's first byte (0 if there was none).
    """

    dns: float = 0.0
    connect: float = 0.0
    tls: float = 0.0
    first_byte: float = 0.0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one event to one endpoint.

    `at` is when it began (nanoseconds since the epoch, UTC), `seconds` how long it took in all. `status` is the HTTP
    status, 0 if there was no answer; `error` is '' if the event was accepted, else the name of a `Failure`. `given_up`:
    it was the last, and the event failed. `next_at` is when the next one is due, 0 if there is to be none.

    `request_headers` are those that were sent, but what is secret and what differs from event to event (`webhook-id`,
    `-signature`, `callboard-…`), with `request_bytes` of body to the address `remote` ('' if none was connected to).
    `response_headers` are some of the answer's, `response_body` is its beginning, as text that nobody should trust.
    """

    event_id: str
    endpoint_id: str
    number: int
    at: int
    status: int
    error: str
    seconds: float
    given_up: bool
    next_at: int
    request_headers: dict[str, str]
    request_bytes: int
    remote: str
    timing: Timing
    response_headers: dict[str, str]
    response_body: str

    @property
    def replay(self) -> bool:
        """Whether a replay made it, and no lane."""
        return self.number > REPLAYED

    @property
    def ended(self) -> bool:
        """Whether no other attempt follows."""
        return self.given_up or not self.error


async def attempts_of_event(database: Database, event_id: str) -> list[Attempt]:
    """All attempts to deliver this event, by endpoint and number. Raises what `Database.fetch` raises."""
    return [attempt_of(row) for row in await database.fetch("attempts_of_event", event_id=event_id)]


async def attempts_of_endpoint(database: Database, endpoint_id: str, before: int, limit: int) -> list[Attempt]:
    """At most `limit` attempts made for this endpoint before the instant `before`, newest first.

    Raises what `Database.fetch` raises.
    """
    rows = await database.fetch("attempts_of_endpoint", endpoint_id=endpoint_id, before=before, limit=limit)
    return [attempt_of(row) for row in rows]


async def without_answers(database: Database, event_id: str) -> tuple[Put, ...]:
    """Rows that take what endpoints answered out of the attempts for an event: they may have said it back.

    Raises what `Database.fetch` raises.
    """
    rows = await database.fetch("attempts_of_event", event_id=event_id)
    return tuple(Put(ATTEMPT, (*row[:-2], "")) for row in rows if row[-2])


def attempt_of(row: Row) -> Attempt:
    """The attempt that a row (columns as in `ATTEMPT`, and the request's head) describes."""
    *first, next_at, _, size, remote, dns, connect, tls, first_byte, answer, head = row
    values: dict[str, object] = dict(zip(_FIRST, first, strict=True))
    error = str(values["error"])
    shown = msgspec.json.decode(str(answer), type=Logged) if answer else Logged()
    values |= {
        "error": error.removeprefix(GIVEN_UP),
        "given_up": error.startswith(GIVEN_UP),
        "next_at": next_at,
        "request_headers": _request_headers(str(head), values["at"]),
        "request_bytes": size,
        "remote": remote,
        "timing": {"dns": dns, "connect": connect, "tls": tls, "first_byte": first_byte},
        "response_headers": shown.headers,
        "response_body": shown.body,
    }
    return msgspec.convert(values, Attempt)


def _request_headers(head: str, at: object) -> dict[str, str]:
    if not head:  # of an attempt that was made before heads were kept
        return {}
    assert isinstance(at, int)
    return msgspec.json.decode(head, type=dict[str, str]) | {"webhook-timestamp": str(at // NANOSECONDS)}
