"""A log of attempts, for tests of who reads it.

Owns: `attempt`, `log_attempts`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from callboard.clock import NANOSECONDS
from callboard.database import Database, Put, Unit
from callboard.database.tables import ATTEMPT, REQUEST_HEAD
from callboard.webhooks.attempts import GIVEN_UP

START = 1_800_000_000 * NANOSECONDS
VERSION = 7
ANOTHER_ENDPOINT = "5f9edc6ac238215aec2312df"


def attempt(endpoint_id: str, event_id: str, number: int, at: int, error: str = "") -> Put:
    """A row of the log. Its error is as it is recorded; without one it was accepted."""
    answer = json.dumps({"headers": {"server": "x"}, "body": "<b>no</b>"})
    code = 0 if error.startswith("timeout") else 500 if error else 200
    times = (0.001, 0.002, 0.003, 0.4)
    next_at = 0 if not error or error.startswith(GIVEN_UP) else at + NANOSECONDS
    first = (event_id, endpoint_id, number, at, code, error, 0.5, next_at, VERSION, 99, "192.0.2.1")
    return Put(ATTEMPT, (*first, *times, answer))


async def log_attempts(database: Database, endpoint_id: str, event_id: str) -> None:
    """28 of them: 25 of old events, of which every fifth was given up, and three of `event_id`, the third accepted."""
    head = Put(REQUEST_HEAD, (endpoint_id, VERSION, json.dumps({"host": "a.example", "x-key": "[redacted]"})))
    old: Sequence[Put] = [
        attempt(endpoint_id, f"old{n:02}", 1, START + n, "" if n % 5 else f"{GIVEN_UP}http_5xx") for n in range(25)
    ]
    new = (
        attempt(endpoint_id, event_id, 1, START + 1 * NANOSECONDS, "timeout_answer"),
        attempt(endpoint_id, event_id, 2, START + 2 * NANOSECONDS, "http_5xx"),
        attempt(endpoint_id, event_id, 3, START + 5 * NANOSECONDS),
        attempt(ANOTHER_ENDPOINT, event_id, 1, START + 9 * NANOSECONDS),
    )
    await database.commit(Unit((head, *old, *new)))
