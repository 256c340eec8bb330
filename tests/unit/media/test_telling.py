"""Making sure of a loss before it is told, and handing over candidates at the right moments."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callboard.media.connection import JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import MediaSettings, TransportState
from callboard.media.janus import Handle
from callboard.media.telling import LossWatch, call_soon
from callboard.media.trickle import MAX_WAITING, TricklePump

ENDED, UP, FAILING = TransportState(False, ended=True), TransportState(True), TransportState(False, ice="failed")


class Watched:
    """A connection whose state the test sets, in an engine that lives or not."""

    def __init__(self, state: TransportState | Exception | None, *, engine_lives: bool = True) -> None:
        self.state = state
        self.told: list[str] = []
        self.engine_lives = engine_lives
        settings = MediaSettings(confirm_delay=0.01)
        context = SimpleNamespace(settings=settings, session=self)
        self.watch = LossWatch(cast(Context, context), self.ask, self.told.append)

    async def ask(self) -> TransportState | None:
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    async def settled(self) -> bool:
        return self.engine_lives

    async def rest(self) -> None:
        async with asyncio.timeout(60):
            while self.watch.busy():
                await asyncio.sleep(0.005)


async def test_a_hint_that_janus_confirms_is_told_once() -> None:
    watched = Watched(ENDED)
    for _ in range(3):
        watched.watch.hint("DTLS alert")
    await watched.rest()
    watched.watch.hint("again")
    watched.watch.lost("and again")
    await watched.rest()
    assert watched.told == ["DTLS alert"]
    assert watched.watch.over == "DTLS alert"


@pytest.mark.parametrize("state", [UP, FAILING, None, JanusTimeout("no reply")])
async def test_a_hint_that_janus_does_not_confirm_is_not_told(state: TransportState | Exception | None) -> None:
    watched = Watched(state)
    watched.watch.hint("no media arrives")
    await watched.rest()
    assert watched.told == []
    watched.state = ENDED
    watched.watch.hint("ICE failed")
    await watched.rest()
    assert watched.told == ["ICE failed"]


async def test_a_certain_loss_is_told_unless_the_engine_is_gone_as_a_whole() -> None:
    for engine_lives, told in ((True, ["gone"]), (False, [])):
        watched = Watched(UP, engine_lives=engine_lives)
        watched.watch.lost("gone")
        await watched.rest()
        assert watched.told == told


async def test_who_leaves_in_the_meantime_has_lost_nothing() -> None:
    watched = Watched(ENDED)
    watched.watch.hint("DTLS alert")
    watched.watch.lost("gone")
    tasks = watched.watch.end("closed")
    await asyncio.wait(tasks)
    assert (watched.told, watched.watch.over) == ([], "closed")


async def test_a_listener_is_called_in_a_turn_of_its_own() -> None:
    told: list[str] = []
    call_soon(told.append, "later")
    assert told == []
    await asyncio.sleep(0)
    assert told == ["later"]


class Taker:
    """A handle that takes candidates when it may."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.may = asyncio.Event()
        self.may.set()
        self.busy = False

    async def trickle(self, candidate: dict[str, Any]) -> None:
        self.busy = True
        await self.may.wait()
        self.taken.append(candidate)
        self.busy = False


async def test_candidates_wait_while_janus_negotiates_and_go_in_order_after() -> None:
    taker, pump = Taker(), TricklePump()
    for number in range(3):
        assert pump.put({"n": number})
    await asyncio.sleep(0)
    assert taker.taken == []
    pump.release(cast(Handle, taker))
    async with asyncio.timeout(60):
        while len(taker.taken) < 3:
            await asyncio.sleep(0)
    assert [candidate["n"] for candidate in taker.taken] == [0, 1, 2]
    await pump.close()


async def test_holding_waits_for_the_candidate_that_is_on_its_way() -> None:
    taker, pump = Taker(), TricklePump()
    taker.may.clear()
    pump.release(cast(Handle, taker))
    pump.put({"n": 0})
    while not taker.busy:
        await asyncio.sleep(0)
    holding = asyncio.create_task(pump.hold())
    await asyncio.sleep(0)
    assert not holding.done()
    taker.may.set()
    await asyncio.wait_for(holding, 60)
    pump.put({"n": 1})
    await asyncio.sleep(0)
    assert len(taker.taken) == 1
    await pump.close()


async def test_so_many_candidates_wait_and_no_more() -> None:
    pump = TricklePump()
    assert all(pump.put({}) for _ in range(MAX_WAITING))
    assert not pump.put({})
    await pump.close()
