"""Random histories of a room, with a crash between any two steps: the invariants of DESIGN §1 always hold.

The same `World` is driven twice: by 10,000 seeded histories (fast, repeatable), and by Hypothesis (which shrinks what
it finds to the shortest history that breaks something).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Put
from callboard.database.tables import PEER, SESSION
from callboard.events import LeaveReason
from callboard.ledger import Changes, Fact
from callboard.rooms import transitions
from callboard.rooms.models import Role, Room, Template
from callboard.rooms.reports import Moment, Person
from callboard.rooms.rows import peer_of
from callboard.rooms.session import Loss, Session, lost, next_deadline, regained
from callboard.rooms.transitions import Step

GRACE = 60 * NANOSECONDS
LONGEST = 3600
PEERS = [f"peer-{n}" for n in range(5)]
ROLES = {
    "host": Role(name="host"),
    "guest": Role(name="guest", max_peer_count=2),
    "nobody": Role(name="nobody", max_peer_count=-1),
}


class World:
    """A room, its durable store (rows and events), and the state that a crash loses."""

    def __init__(self) -> None:
        self.now = 1_700_000_000 * NANOSECONDS
        self.ids = RandomIds(1)
        self.room = Room(id="r" * 24, name="r", template_id="t" * 24, size=4, created_at=0, updated_at=0)
        self.template = Template(id="t" * 24, name="t", roles=ROLES, created_at=0, updated_at=0)
        self.session: Session | None = None
        self.rows: dict[tuple[str, tuple[object, ...]], tuple[object, ...]] = {}
        self.facts: list[Fact] = []

    def moment(self) -> Moment:
        return Moment(self.now, self.ids, "server", "test")

    def person(self, peer_id: str, role: str = "host") -> Person:
        return Person(peer_id, f"user of {peer_id}", "Ann", "", role)

    def take(self, step: Step) -> None:
        """Commit the step whole: that is the only thing that survives a crash."""
        self.session = step.session
        self.commit(step.changes)

    def commit(self, changes: Changes) -> None:
        for change in changes.rows:
            assert isinstance(change, Put)
            self.rows[change.table.name, change.row[: change.table.key]] = change.row
        self.facts.extend(changes.facts)

    # what can happen

    def join(self, peer_id: str, role: str) -> None:
        deadline = self.now + GRACE
        self.take(
            transitions.join(
                self.room,
                self.template,
                self.session,
                self.person(peer_id, role),
                self.moment(),
                longest=LONGEST,
                media_deadline=deadline,
            )
        )

    def leave(self, peer_id: str) -> None:
        self.take(transitions.leave(self.room, self.session, self.person(peer_id), self.moment()))

    def kick(self, peer_id: str) -> None:
        if self.session is not None:
            by = self.person(PEERS[0])
            self.take(transitions.kick(self.room, self.session, [peer_id], by, "go", self.moment()))

    def end(self) -> None:
        if self.session is not None:
            self.take(transitions.end(self.room, self.session, None, "done", self.moment(), lock=False))

    def change_role(self, peer_id: str, role: str) -> None:
        if self.session is not None and peer_id in self.session.peers:
            self.take(
                transitions.change_role(self.room, self.template, self.session, peer_id, role, PEERS[0], self.moment())
            )

    def rename(self, peer_id: str) -> None:
        if self.session is not None and peer_id in self.session.peers:
            self.take(transitions.update(self.session, peer_id, name=f"name at {self.now}"))

    def lose(self, peer_id: str, loss: Loss) -> None:
        if self.session is not None:
            self.session = lost(self.session, peer_id, loss, self.now + GRACE)

    def regain(self, peer_id: str) -> None:
        if self.session is not None:
            self.session = regained(self.session, peer_id, *Loss)

    def wait(self, seconds: int) -> None:
        """Time goes by, and every deadline on the way is kept."""
        until = self.now + seconds * NANOSECONDS
        while self.session is not None and next_deadline(self.session) <= until:
            self.now = max(self.now, next_deadline(self.session))
            self.take(transitions.expire(self.room, self.session, self.moment()))
        self.now = until

    def crash(self) -> None:
        """The process dies; another one takes up what is durable."""
        self.session = None
        for (table, _), row in self.rows.items():
            session_id, _, template_id, opened_at, closed_at = row if table == SESSION.name else (None,) * 5
            if session_id is None or closed_at:
                continue
            here = [r for (t, _), r in self.rows.items() if t == PEER.name and r[0] == session_id and r[9] == 0]
            assert self.session is None, "two sessions of one room are open"
            self.session = transitions.recovered(
                str(session_id),
                self.room,
                str(template_id),
                int(str(opened_at)),
                [peer_of(r) for r in here],  # type: ignore[arg-type]
                longest=LONGEST,
                give_up_at=self.now + GRACE,
            )

    # what must hold

    def check(self) -> None:
        streams: dict[str, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            streams[fact.stream].append(fact)
        for stream, facts in streams.items():
            if stream != self.room.id:
                check_session(stream, facts, self.session)
        assert len({fact.id for fact in self.facts}) == len(self.facts)
        self.check_rows()

    def check_rows(self) -> None:
        present = {r[1] for (t, _), r in self.rows.items() if t == PEER.name and r[9] == 0}
        assert present == (set(self.session.peers) if self.session else set())


def check_session(session_id: str, facts: list[Fact], live: Session | None) -> None:
    """One session, told truthfully."""
    kinds = [fact.payload.EVENT for fact in facts]
    assert kinds[0] == "session.open.success"
    assert kinds.count("session.open.success") == 1
    inside: set[str] = set()
    joined_at: dict[str, str] = {}
    for position, fact in enumerate(facts):
        data = msgspec.to_builtins(fact.payload)
        match fact.payload.EVENT:
            case "peer.join.success":
                assert fact.peer_id not in inside, "joined twice"
                inside.add(fact.peer_id)
                joined_at[fact.peer_id] = data["joined_at"]
            case "peer.leave.success":
                assert fact.peer_id in inside, "left without being in"
                inside.discard(fact.peer_id)
                assert data["joined_at"] == joined_at[fact.peer_id]
                assert data["reason"] in set(LeaveReason)
            case "session.close.success":
                assert not inside, "closed with somebody in it"
                rest = kinds[position + 1 :]
                assert all(kind.endswith("failure") for kind in rest), rest
    closed = "session.close.success" in kinds
    assert kinds.count("session.close.success") <= 1
    assert closed != (live is not None and live.id == session_id)
    assert inside == (set(live.peers) if live is not None and live.id == session_id else set())
    starts = {msgspec.to_builtins(f.payload).get("session_started_at") for f in facts} - {None}
    assert len(starts) == 1, "session_started_at differs between events"


def random_step(world: World, dice: random.Random) -> None:
    peer = dice.choice(PEERS)
    steps: list[Callable[[], None]] = [
        lambda: world.join(peer, dice.choice(["host", "guest", "nobody", "unknown"])),
        lambda: world.join(peer, "host"),
        lambda: world.leave(peer),
        lambda: world.kick(peer),
        lambda: world.change_role(peer, dice.choice(list(ROLES))),
        lambda: world.rename(peer),
        lambda: world.lose(peer, dice.choice(list(Loss))),
        lambda: world.regain(peer),
        lambda: world.wait(dice.choice([1, 30, 61])),
        world.crash,
    ]
    rare: list[Callable[[], None]] = [world.end, lambda: world.wait(LONGEST + 1)]
    dice.choice(rare if dice.random() < 0.05 else steps)()


def test_ten_thousand_random_histories_with_crashes_keep_every_promise() -> None:
    for seed in range(10_000):
        world, dice = World(), random.Random(seed)
        for _ in range(dice.randrange(1, 25)):
            random_step(world, dice)
        world.check()
        world.crash()
        world.wait(61)
        world.check()
        assert world.session is None, f"history {seed}: whatever opens also closes, also after a crash"


class Histories(RuleBasedStateMachine):
    """The same world, in Hypothesis's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    peers = st.sampled_from(PEERS)

    @rule(peer=peers, role=st.sampled_from(["host", "guest", "nobody", "unknown"]))
    def join(self, peer: str, role: str) -> None:
        self.world.join(peer, role)

    @rule(peer=peers)
    def leave(self, peer: str) -> None:
        self.world.leave(peer)

    @rule(peer=peers)
    def kick(self, peer: str) -> None:
        self.world.kick(peer)

    @rule()
    def end(self) -> None:
        self.world.end()

    @rule(peer=peers, role=st.sampled_from(list(ROLES)))
    def change_role(self, peer: str, role: str) -> None:
        self.world.change_role(peer, role)

    @rule(peer=peers, loss=st.sampled_from(Loss))
    def lose(self, peer: str, loss: Loss) -> None:
        self.world.lose(peer, loss)

    @rule(peer=peers)
    def regain(self, peer: str) -> None:
        self.world.regain(peer)

    @rule(seconds=st.integers(0, 4000))
    def wait(self, seconds: int) -> None:
        self.world.wait(seconds)

    @rule()
    def crash(self) -> None:
        self.world.crash()

    @invariant()
    def every_promise_is_kept(self) -> None:
        self.world.check()


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
