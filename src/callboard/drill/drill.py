"""The drill: lives that end by SIGKILL, one after the other or several at a time, and the count in the end.

Owns: `drill`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import secrets
import signal
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from callboard.consumer import receive
from callboard.database import open_database
from callboard.drill.nursery import Nursery, Victim
from callboard.drill.points import POINTS, SEEN_BY_RECEIVER
from callboard.drill.verdict import RANDOM, Receipt, Round, Verdict, judged
from callboard.drill.victim import CROWD, LEASE, LEASE_OF_MANY, WORKSPACE_SECRET, Orders
from callboard.ledger import Ledger
from callboard.testing.receiver import FAILURE, OK, Answer, Delivery, Receiver
from callboard.webhooks.room_hooks import rooms_endpoint

OWN = "/own"
"""Where the receiver gets what goes to rooms' own webhooks."""
VICTIM = "callboard.drill.victim"
LIFE_SECONDS = 120.0
"""A life that did not come to its end by then is a fault of the drill."""
MOST_COUNT = 3
MOST_SECONDS = 0.25

Progress = Callable[[int, Round], None]


def rounds_of(kills: int, nodes: int) -> list[Round]:
    """At each named point with one event at a time, then at any moment, alone and in a crowd; and again."""
    if nodes > 1:
        return [Round(RANDOM, alone=False)] * kills
    each = [[Round(point, alone=True), Round(RANDOM, alone=number % 2 == 0)] for number, point in enumerate(POINTS)]
    return list(itertools.islice(itertools.cycle(itertools.chain.from_iterable(each)), kills))


async def drill(
    database: str, folder: Path, kills: int, nodes: int, seed: int, progress: Progress
) -> tuple[list[Round], Verdict]:
    """Kill `kills` times, with `nodes` processes on one database; then let all be delivered, and judge.

    Raises `TimeoutError` when a process neither came to its end nor delivered, `OSError`.
    """
    source = random.Random(seed)  # noqa: S311 - when to kill
    rounds = rounds_of(kills, nodes)
    async with Receiver() as receiver, Nursery(VICTIM) as nursery:
        run = _Drill(database, folder, receiver, nursery, source)
        receiver.behaviour = run.answer
        if nodes > 1:
            await run.together(rounds, nodes, progress)
        else:
            await run.one_by_one(rounds, progress)
        await run.last(len(rounds))
    acknowledged = (folder / "acknowledged").read_text().split()
    return rounds, judged(rounds, await _ledger(database), acknowledged, run.receipts)


class _Drill:
    def __init__(
        self, database: str, folder: Path, receiver: Receiver, nursery: Nursery, source: random.Random
    ) -> None:
        self._database = database
        self._folder = folder
        self._receiver = receiver
        self._nursery = nursery
        self._source = source
        self._secret = "whsec_" + b64encode(secrets.token_bytes(32)).decode()
        receiver.secret = self._secret
        (key,) = rooms_endpoint(WORKSPACE_SECRET).keys
        self._own_key = key.public_key
        self._victim: Victim | None = None
        self._point = ""
        self._left = 0
        self._round = 0
        self._alone = True
        self._lease = LEASE
        self.receipts: list[Receipt] = []

    async def one_by_one(self, rounds: list[Round], progress: Progress) -> None:
        for self._round, one in enumerate(rounds):
            progress(self._round, one)
            self._alone = one.alone
            at_receiver = one.point in SEEN_BY_RECEIVER
            self._point, self._left = (one.point, self._source.randint(1, MOST_COUNT)) if at_receiver else ("", 0)
            inside = "" if at_receiver or one.point == RANDOM else one.point
            # How far deliveries had come is read once in a life.
            count = 1 if inside == "deliveries opened" else self._source.randint(1, MOST_COUNT)
            if inside == "events read back":
                inside, count = await self._leave_something_to_read(), 1
            self._victim = await self._start(rooms=1 if one.alone else CROWD, point=inside, count=count)
            if one.point == RANDOM:
                await asyncio.sleep(self._source.random() * MOST_SECONDS)
                self._victim.send(signal.SIGKILL)
            await self._ended(self._victim, one)
            if not one.alone:
                self._point, self._alone = "", True
                recovery = await self._start(rooms=0)  # so that the next one begins with nothing to deliver
                await self._ended(recovery, one)

    async def together(self, rounds: list[Round], nodes: int, progress: Progress) -> None:
        self._lease = LEASE_OF_MANY
        first = await self._start(rooms=0)  # which creates the endpoint, once
        await first.ended(LIFE_SECONDS)
        victims = [await self._start(rooms=CROWD) for _ in range(nodes)]
        for self._round, one in enumerate(rounds):
            progress(self._round, one)
            await asyncio.sleep(self._lease * (0.25 + 1.5 * self._source.random()))
            chosen = self._source.randrange(nodes)
            victims[chosen].send(signal.SIGKILL)
            await self._ended(victims[chosen], one)
            victims[chosen] = await self._start(rooms=CROWD)
        self._round = len(rounds)
        for victim in victims:
            victim.send(signal.SIGTERM)
        for victim in victims:
            await victim.ended(LIFE_SECONDS)

    async def last(self, rounds: int) -> None:
        """One more life, which ends in good order."""
        self._round = rounds
        self._point, self._alone = "", True
        victim = await self._start(rooms=1)
        had = len(self.receipts)
        await self._receiver.until(lambda: len(self.receipts) > had + MOST_COUNT, LIFE_SECONDS)
        victim.send(signal.SIGTERM)
        await victim.ended(LIFE_SECONDS)

    def answer(self, delivery: Delivery) -> Answer:
        """What the receiver does with a delivery."""
        self._left -= 1
        if delivery.path == OWN:
            receive(list(delivery.headers), delivery.body, self._own_key)
        elif not delivery.verified:
            raise AssertionError("the receiver found a signature that is wrong")
        chance = self._source.random()
        if not self._alone and chance < 0.01:
            return FAILURE
        self.receipts.append(Receipt(delivery.id, delivery.stream, delivery.seq, self._round))
        if self._left == 0 and self._victim is not None:
            if self._point == "request received":
                self._victim.send(signal.SIGKILL)
            elif self._point == "request answered":
                asyncio.get_running_loop().call_later(0.0005, self._victim.send, signal.SIGKILL)
        return Answer(OK.data, delay=0.003) if not self._alone and chance < 0.2 else OK

    async def _leave_something_to_read(self) -> str:
        """A life that leaves a committed event undelivered, so that the next one has to read it back."""
        victim = await self._start(rooms=1, point="event durable", count=1)
        await victim.ended(LIFE_SECONDS)
        return "events read back"

    async def _ended(self, victim: Victim, one: Round) -> None:
        try:
            await victim.ended(LIFE_SECONDS)
        except TimeoutError as error:
            raise TimeoutError(f"round {self._round} ({one.point}): {error}") from None
        await self._receiver.caught_up()  # what it had sent is a receipt of this round, not of the next one

    async def _start(self, rooms: int, point: str = "", count: int = 0) -> Victim:
        return await self._nursery.start(
            Orders(
                database=self._database,
                hook=self._receiver.url,
                own_hook=self._receiver.url.removesuffix("/hook") + OWN,
                secret=self._secret,
                acknowledged=str(self._folder / "acknowledged"),
                seed=self._source.randrange(2**32),
                rooms=rooms,
                point=point,
                count=count,
                lease=self._lease,
            )
        )


async def _ledger(url: str) -> list[str]:
    """The ids of everything that was committed."""
    database = open_database(url)
    await database.open()
    try:
        ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
        found: list[str] = []
        position = 0
        while page := await ledger.read(position, 1000):
            found += [event.id for event in page]
            position = page[-1].position
        return found
    finally:
        await database.close()
