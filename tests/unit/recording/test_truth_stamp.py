"""The 80 bits of a truth picture."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.recording.truth.stamp import BITS, CLOCKS, COUNTERS, PUBLISHERS, Stamp, pack, unpack

STAMPS = st.builds(Stamp, st.integers(0, PUBLISHERS - 1), st.integers(0, COUNTERS - 1), st.integers(0, CLOCKS - 1))


@given(STAMPS)
def test_what_is_packed_is_unpacked(stamp: Stamp) -> None:
    assert unpack(pack(stamp)) == stamp


@given(STAMPS, st.sets(st.integers(0, BITS - 1), min_size=1, max_size=3))
def test_up_to_three_wrong_bits_are_always_noticed(stamp: Stamp, wrong: set[int]) -> None:
    assert unpack(pack(stamp) ^ sum(1 << bit for bit in wrong)) is None


@pytest.mark.parametrize("bits", [0, (1 << BITS) - 1])
def test_a_uniform_area_is_no_stamp(bits: int) -> None:
    assert unpack(bits) is None


def test_the_counter_starts_again_where_its_bits_end() -> None:
    assert unpack(pack(Stamp(1, COUNTERS + 5, 0))) == Stamp(1, 5, 0)


@pytest.mark.parametrize("stamp", [Stamp(16, 0, 0), Stamp(-1, 0, 0), Stamp(0, 0, CLOCKS), Stamp(0, 0, -1)])
def test_what_does_not_fit_is_an_error(stamp: Stamp) -> None:
    with pytest.raises(ValueError, match="allowed are 0 to"):
        pack(stamp)
