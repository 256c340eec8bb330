"""How long an endpoint asks us to wait: both forms, and everything that is neither."""

from __future__ import annotations

from math import isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS
from callboard.webhooks.retry_after import MOST_SECONDS, seconds_asked

NOW = 784111777 * NANOSECONDS  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"0", 0.0),
        (b"120", 120.0),
        (b"00120", 120.0),
        (b"86400", MOST_SECONDS),
        (b"86401", MOST_SECONDS),
        (b"1000000000000000000", MOST_SECONDS),
        (b"Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
        (b"Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
        (b"Sun Nov  6 08:50:37 1994", 60.0),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        (b"Sat, 05 Nov 1994 08:49:37 GMT", 0.0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", MOST_SECONDS),
    ],
)
def test_seconds_and_dates(value: bytes, seconds: float) -> None:
    assert seconds_asked(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"-1", b"+1", b"1.5", b"1e18", b"inf", b"NaN", b"1_000", b"0x10", b" 1", b"1 ", b"9" * 5000, b"soon"),
        *("１２".encode(), b"\xb2", b"1\x00", b"1\n", b"Sun, 06 Nov 1994", b"Sun, 99 Nov 1994 08:50:37 GMT"),
        *(b"Sun, 06 Nov 1994 99:99:99 GMT", b"Sun, 06 Nov 1994 08:50:37 +0200", b"Sun, 06 Nov 19944 08:50:37 GMT"),
    ],
)
def test_anything_else_says_nothing(value: bytes) -> None:
    assert seconds_asked(value, NOW) is None


@given(st.one_of(st.binary(), st.from_regex(rb"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT\Z")))
def test_no_value_raises_or_comes_to_a_strange_number(value: bytes) -> None:
    seconds = seconds_asked(value, NOW)
    assert seconds is None or (isfinite(seconds) and 0 <= seconds <= MOST_SECONDS)
