"""Ids: their formats, and that they sort as time does."""

from __future__ import annotations

import re
import uuid

from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS, RandomIds

INSTANTS = st.integers(0, 2**32 * NANOSECONDS - 1)


@given(INSTANTS)
def test_an_object_id_is_24_digits_that_begin_with_its_second(now: int) -> None:
    made = RandomIds().object_id(now)
    assert re.fullmatch("[0-9a-f]{24}", made)
    assert int(made[:8], 16) == now // NANOSECONDS


def test_object_ids_of_one_second_are_all_different_and_in_order_until_the_counter_begins_anew() -> None:
    ids = RandomIds(seed=1)
    made = [ids.object_id(0) for _ in range(1000)]
    assert len(set(made)) == 1000


@given(INSTANTS)
def test_a_time_uuid_is_a_version_7_that_begins_with_its_millisecond(now: int) -> None:
    made = uuid.UUID(RandomIds().time_uuid(now))
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert made.int >> 80 == now // 1_000_000


@given(INSTANTS, INSTANTS)
def test_time_uuids_sort_as_their_milliseconds_do(one: int, other: int) -> None:
    ids = RandomIds()
    if one // 1_000_000 < other // 1_000_000:
        assert ids.time_uuid(one) < ids.time_uuid(other)


def test_a_seed_makes_ids_repeatable_and_without_one_they_are_not() -> None:
    assert RandomIds(7).uuid() == RandomIds(7).uuid()
    assert RandomIds().uuid() != RandomIds().uuid()
