"""Instants as text, in the three precisions of the contract, and back."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS
from callboard.events import ZERO_TIME
from callboard.events.timestamps import PATTERN, parse, precise, seconds, stored

_FIRST = parse(ZERO_TIME)
_LAST = parse("9999-12-31T23:59:59.999999999Z")
_SAMPLE = 1_638_277_129_972_912_470  # the seed's 2021-11-30T12:58:49.97291247Z

instants = st.integers(_FIRST, _LAST)


@settings(deadline=None)
@given(instants)
@example(_FIRST)
@example(_LAST)
@example(0)
@example(-1)
@example(_SAMPLE)
def test_an_instant_written_precisely_is_read_back_exactly(ns: int) -> None:
    assert parse(precise(ns)) == ns


@settings(deadline=None)
@given(instants)
@example(-1)
def test_coarser_text_is_never_later_and_loses_less_than_its_unit(ns: int) -> None:
    assert 0 <= ns - parse(seconds(ns)) < NANOSECONDS
    assert 0 <= ns - parse(stored(ns)) < 1_000_000


@settings(deadline=None)
@given(instants)
def test_every_text_has_the_contracts_form_and_no_trailing_zeros(ns: int) -> None:
    for text in (seconds(ns), stored(ns), precise(ns)):
        assert re.search(PATTERN, text)
        assert "." not in text or text[-2] != "0"


@settings(deadline=None)
@given(instants, instants)
def test_later_instants_sort_later_as_whole_seconds(one: int, other: int) -> None:
    assert (seconds(one) < seconds(other)) == (one // NANOSECONDS < other // NANOSECONDS)


def test_the_seeds_instant_in_each_precision() -> None:
    assert precise(_SAMPLE) == "2021-11-30T12:58:49.97291247Z"
    assert stored(_SAMPLE) == "2021-11-30T12:58:49.972Z"
    assert seconds(_SAMPLE) == "2021-11-30T12:58:49Z"


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (830_000_000, "1970-01-01T00:00:00.83Z"),
        (370_999_999, "1970-01-01T00:00:00.37Z"),
        (999_999, "1970-01-01T00:00:00Z"),
        (0, "1970-01-01T00:00:00Z"),
    ],
)
def test_stored_instants_have_at_most_three_digits(ns: int, text: str) -> None:
    assert stored(ns) == text


def test_the_zero_time_is_the_first_instant_there_is() -> None:
    assert precise(_FIRST) == seconds(_FIRST) == stored(_FIRST) == ZERO_TIME


@pytest.mark.parametrize("digits", range(10))
def test_nought_to_nine_fraction_digits_are_read(digits: int) -> None:
    fraction = "123456789"[:digits]
    text = f"2021-11-30T12:58:49.{fraction}Z" if digits else "2021-11-30T12:58:49Z"
    assert parse(text) == 1_638_277_129 * NANOSECONDS + int(fraction.ljust(9, "0"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2021-11-30",
        "2021-11-30T12:58:49",
        "2021-11-30T12:58:49z",
        "2021-11-30 12:58:49Z",
        "2021-11-30T12:58:49+00:00",
        "2021-11-30T12:58:49.Z",
        "2021-11-30T12:58:49.1234567890Z",
        "2021-11-30T12:58:49,5Z",
        "2021-11-30T12:58:49Z\n",
        " 2021-11-30T12:58:49Z",
        "٢٠٢١-11-30T12:58:49Z",
        "2021-13-30T12:58:49Z",
        "2021-02-29T12:58:49Z",
        "2021-11-30T24:00:00Z",
        "2021-11-30T12:58:60Z",
        "0000-01-01T00:00:00Z",
        "x" * 100_000,
    ],
)
def test_what_is_not_a_timestamp_is_refused_and_the_error_says_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM-DDThh:mm:ss") as refused:
        parse(text)
    assert len(str(refused.value)) < 250


@settings(deadline=None)
@given(st.text())
def test_reading_any_text_gives_an_instant_or_a_value_error(text: str) -> None:
    try:
        ns = parse(text)
    except ValueError:
        return
    assert _FIRST <= ns <= _LAST


@pytest.mark.parametrize("ns", [_FIRST - 1, _LAST + 1, 10**40])
def test_an_instant_that_no_year_of_four_digits_has_cannot_be_written(ns: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        precise(ns)
