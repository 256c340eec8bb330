"""Sets of spans, against a plain set of integers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callboard.recording.truth.spans import Span, common, lacking, length, union

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=8)


def points(spans: list[Span] | list[tuple[int, int]]) -> set[int]:
    return {point for start, end in spans for point in range(int(start), int(end))}


def is_set(spans: list[Span]) -> bool:
    edges = [edge for span in spans for edge in span]
    return all(start < end for start, end in spans) and edges == sorted(edges)


@given(SPANS, SPANS)
def test_union_common_and_lacking_are_what_they_are_for_sets_of_points(
    one: list[tuple[int, int]], other: list[tuple[int, int]]
) -> None:
    joined = union([*one, *other])
    both = common(one, other)
    rest = lacking(one, other)
    assert is_set(joined)
    assert is_set(both)
    assert is_set(rest)
    assert points(joined) == points(one) | points(other)
    assert points(both) == points(one) & points(other)
    assert points(rest) == points(one) - points(other)
    assert length(both) + length(rest) == length(union(one))
