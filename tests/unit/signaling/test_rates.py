"""How much a client may say: the bucket by itself, and a client that says too much."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.signaling.rates import Bucket, Rate
from callboard.signaling.socket import Limits
from callboard.testing.house import Refused, open_house


@given(
    st.floats(0.1, 100),
    st.integers(1, 50),
    st.lists(st.floats(0, 5), max_size=300),
)
def test_no_more_passes_than_the_burst_and_the_rate(per_second: float, burst: int, pauses: list[float]) -> None:
    bucket, now, passed = Bucket(Rate(per_second, burst), 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        wait = bucket.take(now)
        assert wait >= 0
        passed += wait == 0
    assert passed <= burst + now * per_second + 1e-6


@given(st.floats(0.1, 100), st.integers(1, 50))
def test_who_waits_as_long_as_it_was_told_passes(per_second: float, burst: int) -> None:
    bucket = Bucket(Rate(per_second, burst), 0.0)
    assert all(bucket.take(0.0) == 0 for _ in range(burst))
    wait = bucket.take(0.0)
    assert 0 < wait <= 1 / per_second + 1e-9
    assert bucket.take(wait + 1e-6) == 0


async def test_too_many_calls_are_answered_429_and_harm_nobody_else(tmp_path: Path) -> None:
    async with open_house(tmp_path, limits=Limits(calls=Rate(0.01, 20))) as house:
        a, b = await house.join("a"), await house.join("b")
        codes = []
        for _ in range(40):
            try:
                await a.call("get-peer", peer_id="b")
            except Refused as refused:
                codes.append((refused.code, str(refused)))
        assert len(codes) == 40 - 19, "the join was the first of the twenty"
        assert {code for code, _ in codes} == {429}
        assert "0.01 calls a second, 20 at once; try again in" in codes[0][1]
        assert await a.call("ping", timestamp=1) == {"timestamp": 1}, "a ping is no such call"
        assert await b.call("get-peer", peer_id="a")
        a.notify("leave")
        await house.happened("peer.leave.success", "a")
        assert house.signaling.service.counters.refused_calls == 21


async def test_who_says_too_much_is_read_more_slowly_and_nothing_is_lost(tmp_path: Path) -> None:
    limits = Limits(messages=Rate(50.0, 10))
    async with open_house(tmp_path, limits=limits) as house:
        a, b = await house.join("a"), await house.join("b")
        for n in range(40):
            a.notify("broadcast", info={"message": str(n)})
        await b.hear(lambda frame: frame.get("method") == "on-broadcast" and frame["params"]["info"]["message"] == "39")
        heard = [frame["params"]["info"]["message"] for frame in b.heard if frame.get("method") == "on-broadcast"]
        assert heard == [str(n) for n in range(40)]
        assert house.signaling.service.counters.slowed > 0


@pytest.mark.parametrize("method", ["track-update", "trickle", "answer", "leave", "no-such-method"])
async def test_a_flood_of_whatever_is_slowed(tmp_path: Path, method: str) -> None:
    async with open_house(tmp_path, limits=Limits(messages=Rate(20.0, 10))) as house:
        a = await house.join("a")
        for _ in range(16):
            a.notify(method)
        await a.call("ping", timestamp=1)
        assert house.signaling.service.counters.slowed > 0
