"""Instants as text.

Owns: the three precisions in which the contract writes an instant, and reading them back.

Always holds: text is RFC 3339 in UTC with `Z`; an instant is an integer of nanoseconds since the epoch;
digits that do not fit are cut off, never rounded up, so that a written instant is never later than the real
one.
Source: platform.md §2.0.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

from callboard.clock import NANOSECONDS

ZERO_TIME = "0001-01-01T00:00:00Z"
"""How the contract writes an instant that is not known or has not come (platform.md §11 A12)."""

PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$"
"""The form of every timestamp of the contract, as a regular expression (Python's and ECMA-262's)."""

_TEXT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")


def seconds(ns: int) -> str:
    """The instant in whole seconds: `2021-11-30T12:58:49Z`. Envelopes and ingest times are written so.

    Years 1 to 9999; `ValueError` or `OverflowError` outside of them, here and in the functions below.
    """
    return _date_and_time(ns // NANOSECONDS) + "Z"


def precise(ns: int) -> str:
    """The instant to the nanosecond, zeros trimmed: `2021-11-30T12:58:49.97291247Z` (RFC3339Nano)."""
    whole, fraction = divmod(ns, NANOSECONDS)
    return _with_fraction(whole, f"{fraction:09d}")


def stored(ns: int) -> str:
    """The instant to the millisecond, zeros trimmed: `2021-11-30T12:58:49.97Z`. For stored objects."""
    whole, fraction = divmod(ns, NANOSECONDS)
    return _with_fraction(whole, f"{fraction // 1_000_000:03d}")


def parse(text: str) -> int:
    """The nanoseconds since the epoch that `text` names; the inverse of the functions above.

    `parse(ZERO_TIME)` is a number too, far before 1970 and too small for 64 bits: ask for `ZERO_TIME` first
    where it can occur. Raises `ValueError` if `text` is not an RFC 3339 instant in UTC with `Z` and 0 to 9
    fraction digits.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError(_not_a_timestamp(text))
    try:
        instant = datetime.fromisoformat(f"{match[1]}+00:00")
    except ValueError as error:
        raise ValueError(f"{_not_a_timestamp(text)}: {error}") from error
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * NANOSECONDS + int((match[2] or "").ljust(9, "0"))


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=4096)
def _date_and_time(whole: int) -> str:
    """The instant without its zone. Cached: what is written about one moment shares its second."""
    return datetime.fromtimestamp(whole, UTC).isoformat()[:19]


def _with_fraction(whole: int, digits: str) -> str:
    digits = digits.rstrip("0")
    return f"{_date_and_time(whole)}.{digits}Z" if digits else f"{_date_and_time(whole)}Z"


def _not_a_timestamp(text: str) -> str:
    allowed = "YYYY-MM-DDThh:mm:ss, then at most 9 fraction digits, then Z (UTC)"
    return f"{text[:40]!r} is not a timestamp: allowed is {allowed}"
