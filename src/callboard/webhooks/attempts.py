"""The log of attempts: what was tried, when, and what came of it.

Owns: `Attempt`, and reading the log.

Always holds: an attempt is in the log once it has ended (and the journal has written it, milliseconds later);
`number` counts the attempts of one event for one endpoint, 1, 2, 3, …
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from callboard.database import Database, Row
from callboard.database.tables import ATTEMPT

GIVEN_UP = "given_up:"
"""Stands before the recorded error of the attempt after which the event was given up."""

_COLUMNS = tuple(column.name for column in ATTEMPT.columns)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver one event to one endpoint.

    `at` is when it began (nanoseconds since the epoch, UTC), `seconds` how long it took. `status` is the HTTP
    status, 0 if there was no answer; `error` is '' if the event was accepted, else `http_<status>` or the
    name of what went wrong (`timeout`, `connection_refused`, `dns_error`, `tls_error`, …). `given_up`: it was
    the last, and the event failed.
    """

    event_id: str
    endpoint_id: str
    number: int
    at: int
    status: int
    error: str
    seconds: float
    given_up: bool

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


def attempt_of(row: Row) -> Attempt:
    """The attempt that a row (columns as in `ATTEMPT`) describes."""
    values = dict(zip(_COLUMNS, row, strict=True))
    error = str(values["error"])
    values |= {"error": error.removeprefix(GIVEN_UP), "given_up": error.startswith(GIVEN_UP)}
    return msgspec.convert(values, Attempt)
