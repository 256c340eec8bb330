"""Once is once: whatever fails, nothing is lost, and nothing handled is handled again while it is remembered."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callboard.consumer import Claim, Deduplicator, InProgress, MemoryStore


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class HandlingFailed(Exception):  # noqa: N818 - what happened
    pass


def fail_if(new: bool) -> None:
    """Handle an event, which fails."""
    if new:
        raise HandlingFailed


def test_an_event_is_new_once() -> None:
    dedupe = Deduplicator()
    seen = []
    for id_ in ("a", "b", "a", "a", "b"):
        with dedupe.once(id_) as new:
            seen.append((id_, new))
    assert seen == [("a", True), ("b", True), ("a", False), ("a", False), ("b", False)]


def test_an_event_whose_handling_failed_is_new_again() -> None:
    dedupe = Deduplicator()
    for _ in range(3):
        with pytest.raises(HandlingFailed), dedupe.once("a") as new:
            fail_if(new)
    with dedupe.once("a") as new:
        assert new


def test_an_event_that_is_being_handled_is_neither_new_nor_handled() -> None:
    """If the duplicate were answered with success and the first handling then failed, the event would be lost."""
    dedupe = Deduplicator()
    with dedupe.once("a"):
        with pytest.raises(InProgress, match="event a is being handled") as raised, dedupe.once("a"):
            pytest.fail("it must not be handled twice at a time")
        assert raised.value.event_id == "a"
    with dedupe.once("a") as new:
        assert not new


def test_a_failure_after_a_duplicate_changes_nothing() -> None:
    dedupe = Deduplicator()
    with dedupe.once("a"):
        pass
    with pytest.raises(HandlingFailed), dedupe.once("a"):
        fail_if(True)
    with dedupe.once("a") as new:
        assert not new


def test_whoever_died_while_handling_is_waited_for_only_so_long() -> None:
    time = Time()
    store = MemoryStore(clock=time)
    assert store.claim("a", 60) is Claim.NEW
    time.now += 59
    assert store.claim("a", 60) is Claim.BUSY
    time.now += 1
    assert store.claim("a", 60) is Claim.NEW


def test_what_was_handled_is_forgotten_after_its_time() -> None:
    time = Time()
    dedupe = Deduplicator(MemoryStore(clock=time), ttl_seconds=1000)
    for seconds, expected in ((0, True), (999, False), (1, True)):
        time.now += seconds
        with dedupe.once("a") as new:
            assert new is expected


def test_memory_is_bounded_and_the_oldest_are_forgotten_first() -> None:
    store = MemoryStore(most=3)
    for id_ in "abcd":
        store.claim(id_, 60)
        store.done(id_, 60)
    assert len(store) == 3
    assert [store.claim(id_, 60) for id_ in "bcd"] == [Claim.DONE] * 3
    assert store.claim("a", 60) is Claim.NEW


def test_of_many_threads_one_handles_an_event() -> None:
    dedupe, ready = Deduplicator(), threading.Barrier(8)
    handled: list[str] = []

    def deliver() -> None:
        ready.wait(30)
        for number in range(200):
            try:
                with dedupe.once(str(number)) as new:
                    if new:
                        handled.append(str(number))
            except InProgress:
                pass

    threads = [threading.Thread(target=deliver) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(handled) == sorted(str(number) for number in range(200))


class Store(RuleBasedStateMachine):
    """The store in memory against a model that forgets nothing before its time."""

    @initialize()
    def created(self) -> None:
        self.time = Time()
        self.store = MemoryStore(clock=self.time)
        self.known: dict[str, tuple[Claim, float]] = {}

    @rule(id_=st.sampled_from("abc"), lease=st.integers(1, 100))
    def claim(self, id_: str, lease: int) -> None:
        state, until = self.known.get(id_, (Claim.NEW, 0.0))
        expected = state if self.time.now < until else Claim.NEW
        assert self.store.claim(id_, lease) is expected
        if expected is Claim.NEW:
            self.known[id_] = (Claim.BUSY, self.time.now + lease)

    @rule(id_=st.sampled_from("abc"), ttl=st.integers(1, 100))
    def done(self, id_: str, ttl: int) -> None:
        self.store.done(id_, ttl)
        self.known[id_] = (Claim.DONE, self.time.now + ttl)

    @rule(id_=st.sampled_from("abc"))
    def release(self, id_: str) -> None:
        self.store.release(id_)
        self.known.pop(id_, None)

    @rule(seconds=st.integers(0, 60))
    def time_passes(self, seconds: int) -> None:
        self.time.now += seconds

    @invariant()
    def it_is_small(self) -> None:
        assert len(self.store) <= 3


TestStore: Any = Store.TestCase
