"""The keys of an endpoint over time: what a receiver may rely on, whatever is done and when."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from rich.pretty import pretty_repr

from callboard.clock import NANOSECONDS
from callboard.errors import Conflict, Invalid
from callboard.webhooks import keys
from callboard.webhooks.keys import MAX_KEYS, SCHEMES, SigningKey
from callboard.webhooks.keys_text import new_private_key, new_secret, public_key_of
from callboard.webhooks.signing import Verifier

DAY = 86_400
RANDOM = random.Random(3).randbytes


def chosen(present: tuple[SigningKey, ...] = (), texts: Any = None, schemes: Any = None, now: int = 0) -> Any:
    return keys.chosen(present, texts, schemes, RANDOM, now)


def accepts(key: str, present: tuple[SigningKey, ...], now: int) -> bool:
    """Whether somebody who knows `key` accepts a delivery signed at `now`."""
    known = key if key.startswith("whsec_") else public_key_of(key)
    signed = keys.signer_at(present, now).sign(b"id", b"1", b"body")
    return Verifier(known).matches(b"id.1.body", signed.split(b" "))


def test_a_new_endpoint_has_one_secret() -> None:
    (key,) = chosen(now=7)
    assert (key.scheme, key.created_at, key.expires_at, key.public_key) == ("v1", 7, 0, "")


def test_both_schemes_may_be_on_and_what_everybody_can_verify_comes_first() -> None:
    assert [key.scheme for key in chosen(schemes=["v1a", "v1"])] == ["v1", "v1a"]


def test_a_scheme_that_is_switched_on_later_leaves_the_other_ones_key() -> None:
    before = chosen()
    after = chosen(before, schemes=["v1", "v1a"], now=9)
    assert after[:1] == before
    assert [key.scheme for key in after] == ["v1", "v1a"]


def test_a_scheme_that_is_switched_off_ends_at_once() -> None:
    both = chosen(schemes=["v1", "v1a"])
    assert [key.scheme for key in chosen(both, schemes=["v1a"])] == ["v1a"]


def test_keys_that_are_brought_replace_those_of_their_scheme_only() -> None:
    both = chosen(schemes=["v1", "v1a"])
    secret = new_secret(RANDOM)
    after = chosen(both, texts=[secret], now=5)
    assert [key.text for key in after] == [secret, both[1].text]


def test_a_key_that_is_brought_again_keeps_its_age_and_has_no_end() -> None:
    (old,) = chosen()
    rotated = keys.rotated((old,), DAY, RANDOM, 5)
    assert chosen(rotated, texts=[old.text], now=6) == (SigningKey(text=old.text, created_at=0),)


def test_nothing_asked_for_leaves_everything_but_what_has_expired() -> None:
    rotated = keys.rotated(chosen(), 10, RANDOM, 0)
    assert chosen(rotated, now=10 * NANOSECONDS - 1) == rotated
    assert chosen(rotated, now=10 * NANOSECONDS) == rotated[:1]


def test_rotation_without_overlap_ends_the_old_keys_at_once() -> None:
    (old,) = chosen()
    (new,) = keys.rotated((old,), 0, RANDOM, 5)
    assert new.text != old.text
    assert not accepts(old.text, (new,), 5)


def test_a_second_rotation_does_not_prolong_what_the_first_one_ended() -> None:
    (first,) = chosen()
    once = keys.rotated((first,), 100, RANDOM, 0)
    twice = keys.rotated(once, DAY, RANDOM, 50 * NANOSECONDS)
    assert [key.expires_at // NANOSECONDS for key in twice] == [0, DAY + 50, 100]


@pytest.mark.parametrize("seconds", [-1, -0.001, 7 * DAY + 1, float("nan"), float("inf")])
def test_an_overlap_that_cannot_be_is_refused(seconds: float) -> None:
    with pytest.raises(Invalid, match="overlap_seconds: must be 0 to 604800"):
        keys.rotated(chosen(), seconds, RANDOM, 0)


def test_too_many_rotations_at_once_are_refused_but_never_one_without_overlap() -> None:
    present = chosen()
    for _ in range(MAX_KEYS - 1):
        present = keys.rotated(present, DAY, RANDOM, 1)
    with pytest.raises(Conflict, match="overlap_seconds 0"):
        keys.rotated(present, DAY, RANDOM, 1)
    assert len(keys.rotated(present, 0, RANDOM, 1)) == 1


@pytest.mark.parametrize(
    ("texts", "schemes", "wrong"),
    [
        (None, None, []),
        (None, ["v1a"], []),
        (None, [], ["schemes: must be one or both of v1, v1a"]),
        ([], None, ["secrets: must be 1 to 5"]),
        ([new_secret(RANDOM)], ["v1a"], ["secrets[0]: is for v1, which is not among schemes"]),
        ([new_private_key(RANDOM)], ["v1"], ["secrets[0]: is for v1a, which is not among schemes"]),
        ([new_private_key(RANDOM), new_secret(RANDOM)], ["v1", "v1a"], []),
        (
            [public_key_of(new_private_key(RANDOM))],
            None,
            ["secrets[0]: must start with 'whsec_' (v1) or 'whsk_' (v1a)"],
        ),
    ],
)
def test_what_cannot_be_chosen_is_said(texts: Any, schemes: Any, wrong: list[str]) -> None:
    assert list(keys.problems(texts, schemes)) == wrong


@given(st.sampled_from(SCHEMES))
def test_no_private_part_is_shown(scheme: Any) -> None:
    (key,) = chosen(schemes=[scheme])
    for shown in (repr(key), pretty_repr(key), f"{[key]}", pretty_repr([key])):
        assert key.text[6:] not in shown
        assert scheme in shown


class Rotations(RuleBasedStateMachine):
    """Keys are rotated, brought and switched while time passes; receivers know the key of some moment."""

    known: Any = Bundle("known")

    @initialize()
    def created(self) -> None:
        self.now = 1_800_000_000 * NANOSECONDS
        self.random = random.Random(1).randbytes
        self.keys = keys.chosen((), None, None, self.random, self.now)
        self.on: set[Any] = {"v1"}
        self.promised: dict[str, int] = {}
        """Until when whoever knows a key that was replaced was promised to accept deliveries."""

    @rule(target=known, data=st.data())
    def somebody_learns_a_key(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(keys.active(self.keys, self.now))).text

    @rule(seconds=st.one_of(st.just(0), st.integers(0, 3 * DAY)))
    def rotate(self, seconds: int) -> None:
        before = keys.active(self.keys, self.now)
        try:
            self.keys = keys.rotated(self.keys, seconds, self.random, self.now)
        except Conflict:
            assert seconds > 0
            assert len(before) + len(self.on) > MAX_KEYS
            return
        for key in before:
            until = self.now + seconds * NANOSECONDS
            self.promised[key.text] = min(self.promised.get(key.text, until), until)

    @rule(schemes=st.lists(st.sampled_from(SCHEMES), min_size=1, unique=True))
    def switch(self, schemes: list[Any]) -> None:
        gone = [key.text for key in self.keys if key.scheme not in schemes]
        self.keys = keys.chosen(self.keys, None, schemes, self.random, self.now)
        self.on = set(schemes)
        self.promised |= dict.fromkeys(gone, 0)

    @rule(seconds=st.one_of(st.integers(0, 100), st.integers(0, 2 * DAY)))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * NANOSECONDS

    @rule(key=known)
    def a_receiver_accepts_until_what_was_promised_and_not_longer(self, key: str) -> None:
        promised = self.promised.get(key)
        assert accepts(key, self.keys, self.now) == (promised is None or self.now < promised)

    @invariant()
    def there_is_a_key_of_each_scheme_that_is_on(self) -> None:
        present = keys.active(self.keys, self.now)
        assert {key.scheme for key in present} == self.on
        assert {key.scheme for key in present if not key.expires_at} == self.on

    @invariant()
    def keys_are_bounded_and_the_newest_sign_first(self) -> None:
        assert len(keys.active(self.keys, self.now)) <= MAX_KEYS
        for scheme in SCHEMES:
            ages = [key.created_at for key in self.keys if key.scheme == scheme]
            assert ages == sorted(ages, reverse=True)


TestRotations = Rotations.TestCase
