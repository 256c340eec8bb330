"""Which node holds which shards: equal shares, few moves, nobody taken for dead who lives."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from callboard.database import Database
from callboard.webhooks.shards import NOTHING, SHARDS, WHOLE, Node, Pulses, Shard, Tenure, plan, shard_of


async def test_there_is_a_row_for_each_shard(database: Database) -> None:
    rows = await database.fetch("delivery_shards")
    assert rows == [(number, "", 0) for number in range(SHARDS)]


def test_streams_are_spread_evenly_and_stay_where_they_are() -> None:
    assert shard_of("65f0c1d2e3a4b5c6d7e8f901") == 20
    counts = [0] * SHARDS
    for number in range(64_000):
        counts[shard_of(f"{number:024x}")] += 1
    assert min(counts) > 850
    assert max(counts) < 1150


@given(st.text(), st.sets(st.integers(0, SHARDS - 1)))
def test_a_tenure_holds_the_streams_of_its_shards(stream: str, shards: set[int]) -> None:
    assert Tenure(frozenset(shards)).holds(stream) == (shard_of(stream) in shards)
    assert WHOLE.holds(stream)
    assert not NOTHING.holds(stream)
    assert WHOLE.whole
    assert not NOTHING.whole


class Sharing(RuleBasedStateMachine):
    """Nodes that come, go and plan, each acting on what it sees, as the database would let them."""

    def __init__(self) -> None:
        super().__init__()
        self.alive: list[str] = []
        self.shards = [Shard(number, "", 0) for number in range(SHARDS)]
        self.moves = 0
        self.joined = 0

    @rule()
    def join(self) -> None:
        if len(self.alive) < 70:
            self.joined += 1
            self.alive.append(f"node{self.joined}")

    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        if self.alive:
            self.alive.remove(data.draw(st.sampled_from(self.alive)))

    @rule()
    def all_plan_at_the_same_time(self) -> None:
        seen = list(self.shards)
        taken: set[int] = set()
        for node in self.alive:
            wanted = plan(node, self.alive, seen)
            assert not (wanted.claim and wanted.release)
            for shard in wanted.claim:
                assert shard.owner not in self.alive
                assert shard.number not in taken, "two nodes claim one shard"
                taken.add(shard.number)
                self.shards[shard.number] = Shard(shard.number, node, shard.epoch + 1)
            for number in wanted.release:
                assert seen[number].owner == node
                self.shards[number] = Shard(number, "", seen[number].epoch + 1)

    @rule(data=st.data())
    def one_plans(self, data: st.DataObject) -> None:
        if self.alive:
            node = data.draw(st.sampled_from(self.alive))
            wanted = plan(node, self.alive, self.shards)
            for shard in wanted.claim:
                self.shards[shard.number] = Shard(shard.number, node, shard.epoch + 1)
            for number in wanted.release:
                self.shards[number] = Shard(number, "", self.shards[number].epoch + 1)

    @rule()
    def after_three_rounds_each_shard_has_an_owner_and_nothing_moves_any_more(self) -> None:
        if not self.alive:
            return
        for _ in range(3):
            self.all_plan_at_the_same_time()
        before = list(self.shards)
        self.all_plan_at_the_same_time()
        assert self.shards == before
        share = -(-SHARDS // len(self.alive))
        counts = [sum(shard.owner == node for shard in self.shards) for node in self.alive]
        assert sum(counts) == SHARDS
        assert max(counts) <= share

    @invariant()
    def a_shard_has_one_owner(self) -> None:
        assert [shard.number for shard in self.shards] == list(range(SHARDS))


TestSharing = Sharing.TestCase


def test_a_node_that_joins_gets_its_share_and_nothing_else_moves() -> None:
    shards = [Shard(number, "ab"[number % 2], 3) for number in range(SHARDS)]
    released = plan("a", ["a", "b", "c"], shards).release | plan("b", ["a", "b", "c"], shards).release
    assert len(released) == 20
    assert plan("c", ["a", "b", "c"], shards).claim == ()
    free = [Shard(s.number, "", 4) if s.number in released else s for s in shards]
    assert {shard.number for shard in plan("c", ["a", "b", "c"], free).claim} == released
    assert plan("a", ["a", "b", "c"], free).claim == ()


def test_a_node_is_dead_when_its_beat_has_not_changed_for_a_lease() -> None:
    pulses = Pulses(5.0)
    assert pulses.dead([Node("a", 0, 7), Node("b", 0, 1)], now=100.0) == []
    assert pulses.dead([Node("a", 0, 7), Node("b", 0, 2)], now=105.0) == []
    assert pulses.dead([Node("a", 0, 7), Node("b", 0, 3)], now=105.1) == [Node("a", 0, 7)]
    assert pulses.dead([Node("a", 0, 8), Node("b", 0, 3)], now=106.0) == []  # it lives after all


def test_a_node_that_came_back_is_given_a_whole_lease() -> None:
    pulses = Pulses(5.0)
    pulses.dead([Node("a", 0, 7)], now=0.0)
    pulses.dead([], now=4.0)
    assert pulses.dead([Node("a", 0, 7)], now=6.0) == []
    assert pulses.dead([Node("a", 0, 7)], now=11.1) == [Node("a", 0, 7)]
