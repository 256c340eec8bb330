"""The breaker of an endpoint: by cases, and by random histories against what must hold."""

from __future__ import annotations

import random
from itertools import pairwise
from math import inf

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callboard.clock import NANOSECONDS
from callboard.webhooks.health import Health, HealthPolicy, Phase, Signal, healthy

POLICY = HealthPolicy(jitter=0.0)
MOST = 8
T0 = 1_800_000_000 * NANOSECONDS
DAY = 86_400.0


def at(seconds: float) -> int:
    return T0 + int(seconds * NANOSECONDS)


def fail(health: Health, seconds: float, *, probe: bool = False, exhausted: bool = False, asked: float = 0.0) -> object:
    return health.failed(at(seconds), random.Random(1), probe=probe, exhausted=exhausted, asked=asked)


def opened(policy: HealthPolicy = POLICY) -> Health:
    health = Health(policy, MOST)
    assert fail(health, 0.0, exhausted=True) is Signal.FAILING
    return health


def probe(health: Health, seconds: float, *, asked: float = 0.0) -> object:
    """A probe that fails."""
    health.come()
    health.began()
    assert (health.phase, health.limit) == (Phase.PROBING, 0)
    return fail(health, seconds, probe=True, asked=asked)


def test_failures_alone_open_nothing() -> None:
    health = Health(POLICY, MOST)
    for second in range(100):
        assert fail(health, second) is None
    assert (health.phase, health.limit, health.failing_since) == (Phase.CLOSED, MOST, at(0))


def test_an_event_whose_quick_attempts_are_used_up_opens() -> None:
    health = opened()
    assert (health.phase, health.limit, health.wait, health.due_at) == (Phase.OPEN, 0, 15.0, at(15))


def test_probes_are_made_one_at_a_time_and_less_and_less_often() -> None:
    health, waits, now = opened(), [], 15.0
    for _ in range(8):
        probe(health, now)
        waits.append(health.wait)
        now += health.wait
    assert waits == [30.0, 60.0, 120.0, 240.0, 300.0, 300.0, 300.0, 300.0]


def test_probes_have_a_jitter() -> None:
    policy = HealthPolicy()
    delays = {policy.delay(0, random.Random(seed)) for seed in range(50)}
    assert len(delays) > 40
    assert all(12.0 <= delay <= 18.0 for delay in delays)


def test_a_probe_waits_as_long_as_the_endpoint_asked() -> None:
    health = opened()
    probe(health, 15.0, asked=1000.0)
    assert (health.wait, health.due_at) == (1000.0, at(1015))


def test_what_was_under_way_when_it_opened_is_no_probe() -> None:
    health = opened()
    assert fail(health, 5.0) is None
    assert (health.probes, health.due_at) == (0, at(15))


def test_the_first_success_closes_and_attempts_start_slowly() -> None:
    health = opened()
    health.come()
    health.began()
    assert health.succeeded(at(15)) is Signal.RECOVERED
    assert (health.phase, health.closed_at, health.failing_since) == (Phase.CLOSED, at(15), 0)
    limits = [health.limit]
    for second in range(16, 26):
        assert health.succeeded(at(second)) is None
        limits.append(health.limit)
    assert limits == [2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 8]


def test_too_many_requests_halves_what_is_sent() -> None:
    health = Health(POLICY, MOST)
    assert not health.throttled(at(0), 0.0)
    assert health.limit == 4
    for _ in range(10):
        health.throttled(at(0), 0.0)
    assert health.limit == 1
    for second in range(20):
        health.succeeded(at(second))
    assert health.limit == MOST


def test_retry_after_stops_everything_for_so_long() -> None:
    health = Health(POLICY, MOST)
    assert health.throttled(at(0), 60.0)
    assert (health.limit, health.wait, health.due_at, health.phase) == (0, 60.0, at(60), Phase.CLOSED)
    health.succeeded(at(1))  # one that was under way
    assert health.limit == 0
    health.come()
    assert health.limit == 5


def test_it_works_for_others_when_another_was_accepted_meanwhile() -> None:
    health = Health(POLICY, MOST)
    assert not health.works_for_others("a", 0, refused=False)
    health.succeeded(at(5))
    assert health.works_for_others("a", 0, refused=False)
    assert not health.works_for_others("a", 1, refused=False)


def test_a_refusal_is_believed_for_one_stream_and_one_event() -> None:
    health = Health(POLICY, MOST)
    assert health.works_for_others("a", 0, refused=True)
    assert health.works_for_others("a", 0, refused=True)
    assert not health.works_for_others("b", 0, refused=True)
    health.lone_event_parked()
    assert not health.works_for_others("a", 0, refused=True)
    health.succeeded(at(2))
    assert health.works_for_others("b", 1, refused=True)


def test_warnings_come_at_parts_of_the_time_and_then_the_end() -> None:
    health, said = opened(HealthPolicy(jitter=0.0, disable_after=5 * DAY)), []
    for hour in range(1, 121):
        signal = probe(health, hour * 3600.0)
        if signal:
            said.append((hour, signal))
    assert said == [(60, Signal.WARNING), (90, Signal.WARNING), (108, Signal.WARNING), (120, Signal.DISABLE)]


def test_a_leap_of_the_clock_disables_nobody_who_was_not_warned() -> None:
    health = opened(HealthPolicy(jitter=0.0, disable_after=DAY))
    said = [probe(health, 100 * DAY + minute * 60.0) for minute in range(4)]
    assert said == [Signal.WARNING, Signal.WARNING, Signal.WARNING, Signal.DISABLE]


def test_without_a_limit_it_is_never_disabled() -> None:
    health = opened(HealthPolicy(disable_after=0.0))
    assert probe(health, 1000 * DAY) is None


def test_one_success_makes_the_time_count_anew() -> None:
    health = opened(HealthPolicy(jitter=0.0, disable_after=DAY))
    health.come()
    health.began()
    health.succeeded(at(0.9 * DAY))
    fail(health, 0.9 * DAY + 1, exhausted=True)
    assert probe(health, 1.2 * DAY) is None
    assert health.warned == 0


def restarted(health: Health, seconds: float, policy: HealthPolicy = POLICY) -> Health:
    again = Health(policy, MOST)
    again.restore(health.row("e").row, at(seconds))
    return again


def test_a_restart_forgets_nothing_and_probes_no_earlier() -> None:
    health = opened()
    probe(health, 15.0)
    again = restarted(health, 20.0)
    assert (again.phase, again.limit, again.probes, again.wait) == (Phase.OPEN, 0, 1, 25.0)
    assert (again.failing_since, again.opened_at) == (at(0), at(0))


def test_a_probe_that_was_due_while_we_were_away_is_made_at_once() -> None:
    assert restarted(opened(), 1000.0).wait == 0.0


def test_a_probe_that_was_under_way_is_made_again() -> None:
    health = opened()
    health.come()
    health.began()
    assert restarted(health, 16.0).phase is Phase.OPEN


def test_what_the_endpoint_asked_for_outlives_a_restart() -> None:
    health = Health(POLICY, MOST)
    health.throttled(at(0), 60.0)
    again = restarted(health, 10.0)
    assert (again.phase, again.limit, again.wait) == (Phase.CLOSED, 0, 50.0)
    assert restarted(health, 61.0).limit == MOST


def test_a_clock_that_was_wrong_stops_nothing_for_ever() -> None:
    health = opened()
    health.due_at = at(1e8)
    assert restarted(health, 0.0).wait <= 25 * 3600


def test_whoever_says_that_it_works_again_is_believed() -> None:
    health = opened()
    health.resume()
    assert (health.limit, health.phase) == (1, Phase.OPEN)
    held = Health(POLICY, MOST)
    held.throttled(at(0), 3600.0)
    held.resume()
    assert held.limit == 4


def test_an_endpoint_that_is_switched_on_is_well() -> None:
    health = Health(POLICY, MOST)
    health.restore(healthy("e", at(7)).row, at(8))
    assert (health.phase, health.limit, health.closed_at, health.failing_since) == (Phase.CLOSED, MOST, at(7), 0)


def test_fewer_connections_apply_at_once() -> None:
    health = Health(POLICY, MOST)
    health.resize(3)
    assert health.limit == 3
    health.resize(20)
    assert health.limit == 20


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("probe_first", 0.0),
        ("probe_factor", 0.5),
        ("probe_most", 1.0),
        ("jitter", 1.0),
        ("disable_after", -1.0),
        ("slow_start", 0),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{setting}: .*{value}"):
        HealthPolicy(**{setting: value})  # type: ignore[arg-type]


class Histories(RuleBasedStateMachine):
    """Attempts of every kind, time, restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(1)
        self.health = Health(HealthPolicy(disable_after=DAY), MOST)
        self.now = 0.0
        self.probing = False
        self.said: list[Signal | None] = []

    def hear(self, signal: Signal | None) -> None:
        self.said.append(signal)

    @precondition(lambda self: self.health.limit > 0 and not self.probing)
    @rule()
    def begin(self) -> None:
        self.probing = self.health.phase is Phase.OPEN
        self.health.began()

    @rule()
    def succeed(self) -> None:
        self.hear(self.health.succeeded(at(self.now)))
        self.probing = False
        assert self.health.phase is Phase.CLOSED

    @rule(exhausted=st.booleans(), asked=st.sampled_from([0.0, 30.0, 3600.0]))
    def fail(self, exhausted: bool, asked: float) -> None:
        probe, self.probing = self.probing, False
        if asked:
            self.health.throttled(at(self.now), asked)
        closed = self.health.phase is Phase.CLOSED
        self.hear(
            self.health.failed(at(self.now), self.random, probe=probe, exhausted=exhausted and closed, asked=asked)
        )

    @rule(seconds=st.floats(min_value=0, max_value=20_000))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        if self.health.wait <= seconds:
            self.health.come()
        elif self.health.wait < inf:
            self.health.wait -= seconds

    @rule()
    def restart(self) -> None:
        row, self.probing = self.health.row("e").row, False
        self.health = Health(HealthPolicy(disable_after=DAY), MOST)
        self.health.restore(row, at(self.now))

    @rule()
    def resume(self) -> None:
        self.health.resume()

    @invariant()
    def it_is_never_stuck(self) -> None:
        """Something may be sent now, or a time is set from which it may, or a probe is under way."""
        assert self.health.limit > 0 or self.health.wait < inf or self.probing

    @invariant()
    def no_more_than_allowed(self) -> None:
        assert 0 <= self.health.limit <= (MOST if self.health.phase is Phase.CLOSED else 1)

    @invariant()
    def failing_and_recovered_alternate(self) -> None:
        turns = [signal for signal in self.said if signal in (Signal.FAILING, Signal.RECOVERED)]
        assert all(one is not other for one, other in pairwise(turns))


Histories.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestHistories = Histories.TestCase
