"""The retry schedule."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.webhooks.retry import DAY, HOUR, RetryPolicy, succeeded

POLICY = RetryPolicy(give_up_after=3 * DAY)


def schedule(policy: RetryPolicy, seed: int, started: float = 0.0) -> list[float]:
    """The ages at which an event that always fails at once is tried."""
    source, age, ages = random.Random(seed), started, [started]
    while (delay := policy.next_delay(len(ages), age, source)) is not None:
        age += delay
        ages.append(age)
    return ages


def test_the_quick_retries_are_those_of_the_seed_platform() -> None:
    ages = schedule(POLICY, 1)
    assert ages[:4] == [0.0, 1.0, 4.0, 14.0]


@given(st.integers())
def test_the_last_attempt_is_made_after_three_days(seed: int) -> None:
    ages = schedule(POLICY, seed)
    assert ages[-1] == pytest.approx(3 * DAY)
    assert 70 < len(ages) < 110


@given(st.integers())
def test_the_tail_doubles_up_to_an_hour_with_a_jitter_of_a_fifth(seed: int) -> None:
    ages = schedule(POLICY, seed)
    delays = [later - earlier for earlier, later in itertools.pairwise(ages[3:])]
    for step, delay in enumerate(delays[:-1]):
        nominal = min(30.0 * 2**step, HOUR)
        assert nominal * 0.8 <= delay <= nominal * 1.2 + 1e-6
    assert delays[-1] <= HOUR * 1.2 + 1e-6


def test_lanes_that_failed_together_do_not_come_back_together() -> None:
    source = random.Random(1)
    assert len({POLICY.next_delay(4, 14.0, source) for _ in range(100)}) > 90


def test_an_event_that_was_tried_for_long_enough_is_given_up() -> None:
    assert POLICY.next_delay(4, 3 * DAY, random.Random(1)) is None
    assert POLICY.next_delay(4, 30 * DAY, random.Random(1)) is None


def test_the_quick_retries_are_made_in_any_case() -> None:
    assert RetryPolicy(give_up_after=0).next_delay(3, 30 * DAY, random.Random(1)) == 10.0


@given(st.integers(min_value=4, max_value=10**9), st.floats(min_value=0, max_value=4 * DAY))
def test_a_delay_is_never_negative_and_never_leads_past_the_limit(number: int, age: float) -> None:
    delay = POLICY.next_delay(number, age, random.Random(0))
    if age >= 3 * DAY:
        assert delay is None
    else:
        assert delay is not None
        assert delay > 0
        assert age + delay <= 3 * DAY + 1e-6


def test_an_event_from_the_future_is_retried_like_a_new_one() -> None:
    assert POLICY.next_delay(1, -60.0, random.Random(1)) == 1.0


def test_without_retries_the_first_failure_is_the_last() -> None:
    assert RetryPolicy(quick=(), give_up_after=0).next_delay(1, 0.0, random.Random(1)) is None


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("quick", (1.0, 0.0)),
        ("tail_first", 0.0),
        ("tail_factor", 0.5),
        ("tail_factor", 11.0),
        ("tail_most", 1.0),
        ("jitter", 1.0),
        ("jitter", -0.1),
        ("give_up_after", -1.0),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(setting: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"^{setting}: must be"):
        RetryPolicy(**{setting: value})  # type: ignore[arg-type]  # one setting at a time


@pytest.mark.parametrize(
    ("status", "accepted"),
    [(199, False), (200, True), (204, True), (299, True), (300, False), (500, False), (0, False)],
)
def test_any_2xx_is_success_and_nothing_else(status: int, accepted: bool) -> None:
    assert succeeded(status) is accepted
