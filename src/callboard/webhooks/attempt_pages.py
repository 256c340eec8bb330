"""The log of attempts in pages: of an endpoint, newest first; of an event, in the order in which they were made.

Owns: `Wanted`, `Cursor`, `Shown`, `page_of_endpoint`, `page_of_event`.

Always holds: reading on from the last attempt of a page gives every other one once, however many are made meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from callboard.database import Database, Row, Value
from callboard.webhooks.attempts import Attempt, attempt_of
from callboard.webhooks.failures import Failure

Outcome = Literal["accepted", "failed", "given_up"]
"""`failed` includes `given_up`: of an attempt after which the event was given up."""

_LATEST = 2**63 - 1


class Cursor(NamedTuple):
    """The attempt that a page begins after: when it began, of which event, and its number."""

    at: int = _LATEST
    event_id: str = ""
    number: int = 0


class Shown(NamedTuple):
    """An attempt, and the type of its event: '' if that was taken away by retention."""

    attempt: Attempt
    type: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which attempts: those that began at `since` (nanoseconds, UTC) or later, with this outcome, with this failure."""

    since: int = 0
    outcome: Outcome | None = None
    error: Failure | None = None


async def page_of_endpoint(
    database: Database, endpoint_id: str, wanted: Wanted, before: Cursor, limit: int
) -> list[Shown]:
    """At most `limit` attempts made for the endpoint before the one that `before` names, newest first.

    Raises what `Database.fetch` raises.
    """
    where: dict[str, Value] = {
        "endpoint_id": endpoint_id,
        "since": wanted.since,
        **before._asdict(),
        "limit": limit,
    }
    if wanted.error is None and wanted.outcome in (None, "accepted"):
        rows = await database.fetch("attempt_page", accepted=int(wanted.outcome == "accepted"), **where)
    elif wanted.outcome == "accepted":  # and with an error: there are none
        rows = []
    else:
        given_up = int(wanted.outcome == "given_up")
        rows = await database.fetch("failed_attempt_page", failure=wanted.error or "", given_up=given_up, **where)
    return [_shown(row) for row in rows]


async def page_of_event(database: Database, event_id: str, after: tuple[str, int], limit: int) -> list[Shown]:
    """At most `limit` attempts to deliver the event, by endpoint and number, after that endpoint and number.

    Raises what `Database.fetch` raises.
    """
    endpoint_id, number = after
    where: dict[str, Value] = {
        "event_id": event_id,
        "endpoint_id": endpoint_id,
        "number": number,
        "limit": limit,
    }
    return [_shown(row) for row in await database.fetch("event_attempt_page", **where)]


def _shown(row: Row) -> Shown:
    *attempt, event_type = row
    return Shown(attempt_of(tuple(attempt)), str(event_type))
