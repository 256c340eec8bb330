"""The cache of stored things: bounded, and never older than the last commit."""

from __future__ import annotations

import asyncio

import pytest

from callboard.errors import NotFound
from callboard.rooms.cache import Cache


class Source:
    """Reads that end when the test says so, with what the test says."""

    def __init__(self) -> None:
        self.reads: list[asyncio.Future[str]] = []

    async def read(self) -> str:
        self.reads.append(asyncio.get_running_loop().create_future())
        return await self.reads[-1]


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_was_read_once_is_not_read_again() -> None:
    cache, source = Cache[str](10), Source()
    first = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    source.reads[0].set_result("one")
    assert await first == "one"
    assert await cache.load("a", source.read) == "one"
    assert len(source.reads) == 1


async def test_a_read_that_began_before_a_commit_does_not_bring_the_old_state_back() -> None:
    cache, source = Cache[str](10), Source()
    loading = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    cache.refresh("a", "new")
    source.reads[0].set_result("old")
    assert await loading == "new"
    assert cache.get("a") == "new"


async def test_not_even_when_the_entry_would_have_been_dropped_meanwhile() -> None:
    cache, source = Cache[str](2), Source()
    loading = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    cache.refresh("a", "new")
    for key in "bcdef":
        cache.refresh(key, key)
    source.reads[0].set_result("old")
    assert await loading == "new"
    assert len(cache) == 2


async def test_two_reads_at_the_same_time_agree() -> None:
    cache, source = Cache[str](10), Source()
    loading = [asyncio.ensure_future(cache.load("a", source.read)) for _ in range(2)]
    await settle()
    source.reads[1].set_result("one")
    await settle()
    source.reads[0].set_result("another")
    assert await asyncio.gather(*loading) == ["one", "one"]


async def test_the_entries_used_last_are_kept() -> None:
    cache = Cache[str](3)
    for key in "abc":
        cache.refresh(key, key)
    cache.get("a")
    cache.refresh("d", "d")
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert len(cache) == 3


async def test_what_cannot_be_read_is_asked_for_again() -> None:
    cache, source = Cache[str](10), Source()
    failing = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    source.reads[0].set_exception(NotFound("not there"))
    with pytest.raises(NotFound):
        await failing
    again = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    source.reads[1].set_result("there")
    assert await again == "there"


async def test_a_reader_that_gives_up_leaves_nothing_behind() -> None:
    cache, source = Cache[str](1), Source()
    loading = asyncio.ensure_future(cache.load("a", source.read))
    await settle()
    loading.cancel()
    await asyncio.gather(loading, return_exceptions=True)
    cache.refresh("a", "a")
    cache.refresh("b", "b")
    assert cache.get("a") is None
