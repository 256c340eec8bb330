"""What was promised of deliveries, by random histories: rooms, a receiver in every mood, crashes, hands at the switch.

All is real (ledger, SQLite, dispatcher, lanes, journal) but for time and the receiver: see `testing.simulation`. More
histories: `make histories`.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import callboard.webhooks.outlet
import callboard.webhooks.replays.line
from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import open_database
from callboard.errors import Refusal
from callboard.jobs import WorkerSettings
from callboard.ledger import Ledger, Recorded
from callboard.testing.facts import joined
from callboard.testing.simulation import SERVERS, Mains, Request, Server, VirtualLoop, Wires, World
from callboard.webhooks.attempts import attempts_of_event
from callboard.webhooks.batching import Batch
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.gauges import Settings
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.manner import SPREAD, Manner
from callboard.webhooks.parking import parked_events
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.filters import Status, Wanted
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.signing import InvalidSignature, verify
from callboard.webhooks.tls import system_context

T = TypeVar("T")

HISTORIES = int(os.environ.get("CALLBOARD_HISTORIES", "20"))
STREAMS = ["a", "b", "c", "d", "e", "f", "g", "h"]
POISONED = STREAMS[:3]
"""No more than half of `most_lanes`: where so many lanes cannot go on, what comes after them is not looked up."""
MOODS = ["ok", "broken", "down", "silent", "slow", "throttled", "refusing"]
DURABLE = 4.0
"""Seconds after its being sent that an event's acceptance is in the log: a slow answer takes 3."""
FAULTS = {"nobody was told": 0.0, "under way": 0.005, "answered": 0.015, "recorded": 0.1, "marked": 1.5}
"""Named points to be killed at, by the seconds after a commit at which a delivery gets there."""
SETTINGS = Settings(
    health=HealthPolicy(disable_after=6 * 3600.0),
    sender=SenderSettings(connections=3),
    per_lane=4,
    most_held=9,
    most_lanes=7,
    window=5,
)


class Deliveries(RuleBasedStateMachine):
    """One house with two endpoints: `bad`, to which everything happens, and `good`, which must not notice."""

    ordering: Literal["session", "none"] = "session"
    settings = SETTINGS

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(callboard.webhooks.outlet, "Pool", Wires)
        self.patch.setattr(callboard.webhooks.replays.line, "Pool", Wires)
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
        self.world = World()
        self.loop = VirtualLoop(self.world)
        self.failures: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _loop, context: self.failures.append(context))
        self.random = random.Random(5)
        self.ids = RandomIds(5)
        self.database = open_database(f"sqlite:///{self.folder / 'callboard.db'}")
        self.committed: list[Recorded] = []
        self.lives = 0
        self.ends: dict[int, float] = {}
        """By life: when it ended, in the world's time."""
        self.paused_with: int | None = None
        self.servers = {name: Server(self.world, verify=self.verifier(name)) for name in ("good", "bad")}
        SERVERS.clear()
        SERVERS.update({f"{name}.example": server for name, server in self.servers.items()})
        self.bad = self.servers["bad"]
        self.run(self.really(self.database.open()))
        self.run(self.boot())
        self.names = {name: self.run(self.create(name)) for name in self.servers}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    async def really(self, work: Coroutine[Any, Any, T]) -> T:
        """Let `work` have the real time that it takes."""
        self.world.busy += 1
        try:
            return await work
        finally:
            self.world.busy -= 1

    def verifier(self, name: str) -> Any:
        def check(headers: dict[str, str], body: bytes) -> None:
            endpoint = self.endpoints.get(self.names[name])
            assert endpoint is not None
            fields = [headers[f"webhook-{part}"].encode() for part in ("id", "timestamp", "signature")]
            assert any(self.is_signed_with(secret, fields, body) for secret in endpoint.secrets)

        return check

    def is_signed_with(self, secret: str, fields: list[bytes], body: bytes) -> bool:
        try:
            verify(secret, fields[0], fields[1], fields[2], body, now=self.world.now() // NANOSECONDS)
        except InvalidSignature:
            return False
        return True

    # Lives.

    async def boot(self) -> None:
        self.lives += 1
        for server in self.servers.values():
            server.life = self.lives
            server.flying.clear()
        self.mains = Mains(self.database, self.world)
        mains: Any = self.mains
        self.ledger = Ledger(mains, account_id="a" * 24, app_id="b" * 24)
        self.endpoints = Endpoints(mains, self.world, self.ids, self.random.randbytes)
        await self.endpoints.load()
        self.dispatcher = Dispatcher(mains, self.ledger, self.endpoints, self.world, self.random, self.settings)
        await self.dispatcher.start()
        self.replays = ReplayService(
            *(mains, self.ledger, self.endpoints, self.world, self.ids),
            Client(SETTINGS.sender, system_context(), resolve),
            account_id="a" * 24,
            settings=WorkerSettings(cores=1.0, lease=600.0, poll=120.0),
        )
        await self.replays.start()

    async def create(self, name: str) -> str:
        manner = Manner(batch=Batch(events=3), ordering=self.ordering) if name == "bad" else Manner()
        return (await self.endpoints.create(EndpointRequest(url=f"http://{name}.example/hook", delivery=manner))).id

    async def die(self) -> None:
        """The power is cut: whatever this process had in mind is gone."""
        self.ends[self.lives] = self.world.elapsed
        self.mains.cut = True
        Wires.cut()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        while self.world.busy:
            await asyncio.sleep(0)

    # What happens.

    async def commit(self, stream: str, *, poison: bool = False, heard: bool = True) -> None:
        changes = joined(stream, self.ids, self.world)
        if poison:
            self.bad.poison.add(changes.facts[0].id)
        mains: Any = self.mains
        ledger = self.ledger if heard else Ledger(mains, account_id="a" * 24, app_id="b" * 24)
        self.committed += await ledger.commit(changes)

    @rule(stream=st.sampled_from(STREAMS), count=st.integers(min_value=1, max_value=6))
    def something_happens(self, stream: str, count: int) -> None:
        for _ in range(count):
            self.run(self.commit(stream))

    @rule(stream=st.sampled_from(POISONED))
    def something_happens_that_the_endpoint_cannot_handle(self, stream: str) -> None:
        self.run(self.commit(stream, poison=True))

    @rule(mood=st.sampled_from(MOODS))
    def the_endpoint_changes_its_mood(self, mood: str) -> None:
        self.bad.mood = mood

    @rule(seconds=st.sampled_from([0.015, 1.0, 20.0, 400.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))
        if seconds >= 1.0:
            accepted = {request.id for request in self.servers["good"].requests if request.accepted}
            assert accepted == {event.id for event in self.committed}, "the good endpoint was kept waiting"

    @rule(point=st.sampled_from(sorted(FAULTS)), stream=st.sampled_from(STREAMS))
    def killed(self, point: str, stream: str) -> None:
        self.run(self.commit(stream, heard=point != "nobody was told"))
        self.run(asyncio.sleep(FAULTS[point]))
        self.run(self.die())
        self.run(self.boot())

    @rule()
    def restarted_in_good_order(self) -> None:
        self.run(self.replays.stop())
        self.run(self.dispatcher.stop())
        self.run(self.die())
        self.run(self.boot())

    async def ask(self, action: str, *arguments: Any) -> None:
        try:
            await getattr(self.endpoints, action)(self.names["bad"], *arguments)
        except Refusal:
            return  # as a disabled endpoint cannot be resumed, and too many keys cannot sign
        await asyncio.sleep(0.02)

    @rule()
    def paused(self) -> None:
        self.run(self.ask("pause"))
        if self.paused_with is None:
            self.paused_with = self.of_lanes()

    @rule()
    def resumed(self) -> None:
        self.run(self.ask("resume"))
        endpoint = self.endpoints.get(self.names["bad"])
        if endpoint is not None and not endpoint.paused:
            self.paused_with = None

    @rule(enabled=st.booleans())
    def switched(self, enabled: bool) -> None:
        self.run(self.ask("update", EndpointRequest(enabled=enabled)))

    @rule()
    def given_a_new_secret(self) -> None:
        self.run(self.ask("rotate"))

    @rule(status=st.sampled_from([Status.PARKED, Status.ALL]))
    def replayed(self, status: Status) -> None:
        wanted = Wanted(since=0, until=2**62, status=status, endpoint_id=self.names["bad"])
        self.run(self.start_replay(wanted))

    async def start_replay(self, wanted: Wanted) -> None:
        try:
            await self.replays.desk.start(wanted, wanted.status)
        except Refusal:
            return  # as when too many run
        await asyncio.sleep(0.02)

    @rule(batch=st.sampled_from([None, Batch(events=2), Batch(events=3, milliseconds=500), Batch(bytes=1024)]))
    def told_to_send_several_together_or_not(self, batch: Batch | None) -> None:
        self.run(self.ask("update", EndpointRequest(delivery=Manner(batch=batch, ordering=self.ordering))))

    @rule(seconds=st.sampled_from([-90_000.0, -3600.0, 3600.0, 90_000.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.world.off += seconds

    # What must hold.

    @invariant()
    def nothing_went_wrong_unseen(self) -> None:
        assert self.failures == []

    @invariant()
    def one_at_a_time_and_only_what_was_committed(self) -> None:
        committed = {event.id: event for event in self.committed}
        for server in self.servers.values():
            most = self.most_flying() if server is self.bad else 1
            assert all(flying <= most for stream, flying in server.flying.items() if stream)
            for request in server.requests:
                event = committed[request.id]
                assert (event.stream, event.seq) == (request.stream, request.seq)

    def most_flying(self) -> int:
        """How many requests of one stream to `bad` may have no answer yet."""
        return Manner(ordering=self.ordering).width

    @invariant()
    def nothing_is_sent_while_paused(self) -> None:
        if self.paused_with is not None:
            assert self.of_lanes() == self.paused_with

    def of_lanes(self) -> int:
        return sum(not request.replay for request in self.bad.requests)

    @invariant()
    def memory_is_bounded(self) -> None:
        for gauges in self.dispatcher.gauges():
            assert gauges.held <= SETTINGS.most_held + 2 * SETTINGS.per_lane

    def teardown(self) -> None:
        try:
            self.in_the_end()
        finally:
            self.run(self.die())
            self.run(self.really(self.database.close()))
            self.loop.close()
            shutil.rmtree(self.folder)
            self.patch.undo()

    def in_the_end(self) -> None:
        """Once the endpoint is well, everything is accepted or parked, in order, and every gap was named."""
        self.bad.mood = "ok"
        self.paused_with = None
        self.run(self.ask("update", EndpointRequest(enabled=True)))
        self.run(self.ask("resume"))
        for number in range(90):  # an hour for each of 30 steps: so long a refused event is tried (30 of them took 44)
            self.run(self.commit(f"end{number}"))
            if not self.enabled():  # the clock leapt, and probes met refused events only: somebody reads the warnings
                self.run(self.ask("update", EndpointRequest(enabled=True)))
            self.run(asyncio.sleep(1200))
            self.nothing_went_wrong_unseen()
            if self.enabled() and not any(gauges.pending for gauges in self.dispatcher.gauges()):
                break
        else:
            raise AssertionError(f"not done: {self.dispatcher.gauges()}")
        self.run(asyncio.sleep(1))
        parked = {event.event_id: event for event in self.run(self.parked("bad"))}
        assert self.run(self.parked("good")) == []
        for name, server in self.servers.items():
            self.check_order(server, {event.id for event in self.committed}, set(parked) if name == "bad" else set())
        for event in self.committed:
            self.check_attempts(event, parked=event.id in parked)

    def enabled(self) -> bool:
        endpoint = self.endpoints.get(self.names["bad"])
        return endpoint is not None and endpoint.enabled

    async def parked(self, name: str) -> Any:
        return await self.really(parked_events(self.database, self.names[name], (0, ""), 1000))

    def check_order(self, server: Server, committed: set[str], parked: set[str]) -> None:
        every = [request for request in server.requests if request.accepted]
        missing = committed - {request.id for request in every}
        assert missing <= parked, "lost"
        accepted = [request for request in every if not request.replay]
        self.check_repeats(accepted)
        if server is self.bad:
            self.check_sequence(server, every)
        else:
            self.check_strict(every)

    def check_sequence(self, server: Server, every: list[Request]) -> None:
        """What was accepted at `bad` came in the order that it wanted."""
        if self.ordering == "session":
            self.check_strict(every)
        else:
            assert all(request.gap == () for request in every if not request.replay), "a gap, where there is no order"

    def check_strict(self, every: list[Request]) -> None:
        seen: set[str] = set()
        last: dict[str, int] = {}
        accepted = [request for request in every if not request.replay]
        replayed = {(request.stream, request.seq) for request in every if request.replay}
        for request in accepted:
            if request.id not in seen:
                before = last.get(request.stream, 0)
                assert request.seq > before, "out of order"
                between = {seq for seq in range(before + 1, request.seq) if (request.stream, seq) not in replayed}
                assert between <= set(request.gap), "a gap was not named"
                last[request.stream] = request.seq
            seen.add(request.id)

    def check_repeats(self, accepted: list[Request]) -> None:
        """At most one each time the process was killed, and of what had been accepted just before."""
        by_id: dict[str, list[Request]] = {}
        for request in accepted:
            by_id.setdefault(request.id, []).append(request)
        for requests in by_id.values():
            lives = [request.life for request in requests]
            assert len(lives) == len(set(lives)), "sent again by the process that knew that it was accepted"
            for request in requests[:-1]:
                assert self.ends[request.life] - request.at < DURABLE, "sent again, though the log had its acceptance"

    def check_attempts(self, event: Recorded, *, parked: bool) -> None:
        made = self.run(self.really(attempts_of_event(self.database, event.id)))
        for name in self.names.values():
            numbers = [attempt.number for attempt in made if attempt.endpoint_id == name and not attempt.replay]
            assert numbers == list(range(1, len(numbers) + 1))
        if parked:
            bad = [attempt for attempt in made if attempt.endpoint_id == self.names["bad"]]
            assert len(bad) > len(SETTINGS.retry.quick)


Deliveries.TestCase.settings = settings(
    max_examples=HISTORIES, stateful_step_count=30, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)
TestDeliveries = Deliveries.TestCase


class UnorderedDeliveries(Deliveries):
    """As `Deliveries`; `bad` wants no order."""

    ordering: Literal["session", "none"] = "none"
    settings = replace(SETTINGS, most_lanes=60)  # a session has as many as eight


UnorderedDeliveries.TestCase.settings = settings(Deliveries.TestCase.settings, max_examples=max(1, HISTORIES // 4))
TestUnorderedDeliveries = UnorderedDeliveries.TestCase


class SwitchedDeliveries(Deliveries):
    """As `Deliveries`; `bad` wants no order, then order, then none again, whatever is under way and due."""

    ordering: Literal["session", "none"] = "none"
    settings = replace(SETTINGS, most_lanes=60)

    def __init__(self) -> None:
        self.widths: list[tuple[int, int]] = []
        """From which request on, into how many lanes a session went."""
        super().__init__()

    def verifier(self, name: str) -> Any:
        check = super().verifier(name)

        def checked(headers: dict[str, str], body: bytes) -> None:
            check(headers, body)
            if name == "bad" and "callboard-replay" not in headers:
                width = self.dispatcher._outlets[self.names["bad"]].width
                if width == 1:
                    assert not self.bad.flying.get(headers["callboard-stream"]), "two at a time, where there is order"
                if not self.widths or self.widths[-1][1] != width:
                    self.widths.append((len(self.bad.requests), width))

        return checked

    def most_flying(self) -> int:
        return SPREAD

    @rule(
        ordering=st.sampled_from(["session", "none"]),
        batch=st.sampled_from([None, Batch(events=2)]),
        stream=st.sampled_from([None, *POISONED]),
    )
    def told_to_keep_order_or_not(
        self, ordering: Literal["session", "none"], batch: Batch | None, stream: str | None
    ) -> None:
        """And just before, in that stream, what follows an event that it cannot handle may be accepted ahead of it."""
        if stream is not None:
            self.run(self.commit(stream, poison=True))
            for _ in range(9):
                self.run(self.commit(stream))
            self.run(asyncio.sleep(1.0))
        self.ordering = ordering
        self.run(self.ask("update", EndpointRequest(delivery=Manner(batch=batch, ordering=ordering))))

    def check_sequence(self, server: Server, every: list[Request]) -> None:
        """In each stretch of time in which it wanted order there was order."""
        seen: set[str] = set()
        for (first, width), (end, _) in pairwise([*self.widths, (len(server.requests), 0)]):
            last: dict[str, int] = {}
            for request in server.requests[first:end]:
                if request.accepted and not request.replay and request.id not in seen:
                    assert width > 1 or request.seq > last.get(request.stream, 0), "out of order"
                    last[request.stream] = request.seq
                    seen.add(request.id)


SwitchedDeliveries.TestCase.settings = settings(Deliveries.TestCase.settings, max_examples=max(1, HISTORIES // 4))
TestSwitchedDeliveries = SwitchedDeliveries.TestCase
