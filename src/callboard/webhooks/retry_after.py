"""How long an endpoint asks us to wait. Pure.

Owns: `seconds_asked` (RFC 9110 §10.2.3).

Always holds: whatever stands there, the answer is a finite number of seconds from 0 to `MOST_SECONDS`, or nothing.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from callboard.clock import NANOSECONDS

MOST_SECONDS = 24 * 3600.0
STATUSES = frozenset([429, 503])
"""The answers with which it is looked at."""

_SECONDS = re.compile(rb"[0-9]{1,32}")
_DATE = re.compile(
    rb"[A-Z][a-z]{2,8}, [0-9]{2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8} GMT"
    rb"|[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4}"
)
"""The three forms of RFC 9110 §5.6.7."""


def seconds_asked(value: bytes, now: int) -> float | None:
    """The seconds that the header `retry-after: value` asks for, at most `MOST_SECONDS`; None if it says nothing.

    `now` in nanoseconds since the epoch (UTC). A date in the past asks for 0 seconds. Fractions, signs, `inf`, anything
    else: None.
    """
    if _SECONDS.fullmatch(value):
        return min(float(int(value)), MOST_SECONDS)
    if not _DATE.fullmatch(value):
        return None
    try:
        at = parsedate_to_datetime(value.decode("ascii")).replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(at - now / NANOSECONDS, 0.0), MOST_SECONDS)
