"""What every storage must do: the same tests on a local folder and on a bucket of a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest
import yarl

from callboard.storage import (
    ChecksumError,
    InvalidKeyError,
    NoSuchObjectError,
    SourceError,
    Storage,
)

MIB = 1 << 20
PART = 5 * MIB

Make = Callable[[int], Path]

STRANGE_KEYS = [
    "a b/c d.mp4",
    " leading and trailing ",
    "ünïcödé/日本語/🎬.mp4",
    "e\u0301/decomposed.mp4",  # not the same name as é
    "per%20cent%2Fslash",
    "plus+and&equals=what?hash#at@colon:semi;comma,",
    "{x}^`[]~|\"<>*'$()!",
    ".hidden/..double/trailing.",
    "x" * 255,
    "/".join(["deep"] * 100),
]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def content(storage: Storage, key: str, start: int = 0, length: int | None = None) -> bytes:
    async with aclosing(storage.read(key, start, length)) as blocks:
        return b"".join([block async for block in blocks])


def exact(url: str) -> yarl.URL:
    """The URL as it is: aiohttp would rewrite what it thinks is quoted needlessly."""
    return yarl.URL(url, encoded=True)


async def keys(storage: Storage, prefix: str) -> list[str]:
    async with aclosing(storage.list(prefix)) as entries:
        return sorted([entry.key async for entry in entries])


@pytest.mark.parametrize("size", [0, 1, PART - 1, PART, PART + 1, 2 * PART, 50 * MIB])
async def test_a_file_comes_back_as_it_was_stored(storage: Storage, make_file: Make, size: int) -> None:
    path, key = make_file(size), f"round/{size}.mp4"

    stored = await storage.put_file(path, key)

    assert (stored.key, stored.size, stored.checksum) == (key, size, digest(path))
    assert stored.uri == f"{storage.scheme}://recordings/{key}"
    assert stored.proof == {"local": "synced", "s3": "etag"}[storage.scheme]
    assert await content(storage, key) == path.read_bytes()
    entry = await storage.head(key)
    assert (entry.key, entry.size) == (key, size)
    assert entry.etag.startswith('"')
    await storage.verify(key, size, stored.checksum)


async def test_progress_grows_up_to_the_size(storage: Storage, make_file: Make) -> None:
    seen: list[tuple[int, int]] = []
    await storage.put_file(make_file(PART + 1), "progress", progress=lambda done, total: seen.append((done, total)))
    assert [done for done, _ in seen] == [MIB, 2 * MIB, 3 * MIB, 4 * MIB, 5 * MIB, PART + 1]
    assert {total for _, total in seen} == {PART + 1}


async def test_what_progress_raises_ends_the_upload_and_the_old_object_stays(storage: Storage, make_file: Make) -> None:
    class LeaseLostError(Exception):
        pass

    def lose_the_lease(done: int, total: int) -> None:
        if done > total / 2:
            raise LeaseLostError

    old = await storage.put_file(make_file(10), "lease.mp4")
    with pytest.raises(LeaseLostError):
        await storage.put_file(make_file(4 * PART), "lease.mp4", progress=lose_the_lease)
    await storage.verify("lease.mp4", old.size, old.checksum)


async def test_storing_again_replaces_the_object(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(2 * PART), "again.mp4")
    second = await storage.put_file(make_file(100), "again.mp4")
    await storage.verify("again.mp4", 100, second.checksum)


async def test_a_range_is_read_and_cut_at_the_end(storage: Storage, make_file: Make) -> None:
    path = make_file(PART + 10)
    data = path.read_bytes()
    await storage.put_file(path, "range")
    assert await content(storage, "range", 3, 4) == data[3:7]
    assert await content(storage, "range", PART) == data[PART:]
    assert await content(storage, "range", PART, 1000) == data[PART:]
    assert await content(storage, "range", 1, PART + 5) == data[1 : PART + 6]
    assert await content(storage, "range", PART + 10) == b""
    assert await content(storage, "range", PART + 99, 5) == b""
    assert await content(storage, "range", 0, 0) == b""
    with pytest.raises(ValueError, match="no range"):
        await content(storage, "range", -1)


async def test_what_is_not_there_is_no_such_object(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(1), "there/file")
    for key in ["nothing", "there", "there/file/below", "there/other"]:
        with pytest.raises(NoSuchObjectError) as raised:
            await storage.head(key)
        assert not raised.value.retryable
        assert raised.value.place == storage.uri(key)
        with pytest.raises(NoSuchObjectError):
            await content(storage, key)
        with pytest.raises(NoSuchObjectError):
            await storage.verify(key, 0, hashlib.sha256().hexdigest())


async def test_deleting_leaves_nothing_and_may_be_repeated(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(1), "delete/a/b.mp4")
    await storage.put_file(make_file(1), "delete/a/c.mp4")
    await storage.delete("delete/a/b.mp4")
    await storage.delete("delete/a/b.mp4")
    await storage.delete("delete/never/there")
    assert await keys(storage, "delete") == ["delete/a/c.mp4"]
    await storage.delete("delete/a/c.mp4")
    assert await keys(storage, "delete") == []


async def test_listing_goes_by_whole_segments(storage: Storage, make_file: Make) -> None:
    path = make_file(3)
    for key in ["list/a/1", "list/a/2/deep", "list/ab", "list/a.mp4", "lists"]:
        await storage.put_file(path, key)
    assert await keys(storage, "list") == ["list/a.mp4", "list/a/1", "list/a/2/deep", "list/ab"]
    assert await keys(storage, "list/a") == ["list/a/1", "list/a/2/deep"]
    assert await keys(storage, "list/a/") == ["list/a/1", "list/a/2/deep"]
    assert await keys(storage, "list/ab") == []
    assert await keys(storage, "list/none") == []
    assert {"list/ab", "lists"} <= set(await keys(storage, ""))
    async with aclosing(storage.list("list/a")) as entries:
        found = [entry async for entry in entries]
    assert {entry.size for entry in found} == {3}
    assert found[0].modified_at // 1_000_000_000 == (await storage.head(found[0].key)).modified_at // 1_000_000_000


async def test_a_listing_has_many_pages(storage: Storage, make_file: Make) -> None:
    path = make_file(0)
    names = {f"pages/{number:04}" for number in range(1050)}
    await asyncio.gather(*(storage.put_file(path, name) for name in names))
    assert set(await keys(storage, "pages")) == names


@pytest.mark.parametrize("key", STRANGE_KEYS)
async def test_a_strange_name_is_kept_as_it_is(storage: Storage, make_file: Make, key: str) -> None:
    name = f"strange/{key}"
    path = make_file(7)
    await storage.put_file(path, name)
    assert await content(storage, name) == path.read_bytes()
    assert name in await keys(storage, "strange")
    url = await storage.presigned_url(name, 60)
    async with aiohttp.ClientSession() as http, http.get(exact(url)) as answer:
        assert (answer.status, await answer.read()) == (200, path.read_bytes())
    await storage.delete(name)
    assert name not in await keys(storage, "strange")


@pytest.mark.parametrize(
    "key", ["", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", ".", "a/./b", "a\\b", "a\nb", "a\0b", "x" * 256]
)
async def test_what_is_no_key_is_refused_by_every_method(storage: Storage, make_file: Make, key: str) -> None:
    path = make_file(1)
    with pytest.raises(InvalidKeyError):
        await storage.put_file(path, key)
    with pytest.raises(InvalidKeyError):
        await storage.head(key)
    with pytest.raises(InvalidKeyError):
        await content(storage, key)
    with pytest.raises(InvalidKeyError):
        await storage.delete(key)
    with pytest.raises(InvalidKeyError):
        await storage.presigned_url(key, 60)
    if key not in {"", "a/"}:
        with pytest.raises(InvalidKeyError):
            await keys(storage, key)


async def test_a_presigned_url_is_plain_http_with_ranges_and_the_content_type(
    storage: Storage, make_file: Make
) -> None:
    path = make_file(1000)
    data = path.read_bytes()
    await storage.put_file(path, "urls/video.mp4")
    await storage.put_file(path, "urls/audio.webm", "audio/webm")
    async with aiohttp.ClientSession() as http:
        url = exact(await storage.presigned_url("urls/video.mp4", 60))
        async with http.get(url) as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "video/mp4", data)
        async with http.get(url, headers={"range": "bytes=10-19"}) as answer:
            assert (answer.status, await answer.read()) == (206, data[10:20])
            assert answer.headers["content-range"] == "bytes 10-19/1000"
        async with http.get(url, headers={"range": "bytes=-5"}) as answer:
            assert (answer.status, await answer.read()) == (206, data[-5:])
        async with http.get(url, headers={"range": "bytes=1000-"}) as answer:
            assert answer.status == 416
        async with http.get(exact(await storage.presigned_url("urls/audio.webm", 60))) as answer:
            assert answer.content_type == "audio/webm"


async def test_a_presigned_url_expires(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(10), "expiry.mp4")
    url = exact(await storage.presigned_url("expiry.mp4", 2))
    async with aiohttp.ClientSession() as http, asyncio.timeout(30):
        async with http.get(url) as answer:
            assert answer.status == 200
        while answer.status == 200:
            await asyncio.sleep(0.2)
            async with http.get(url) as answer:
                pass
    assert answer.status == 403


async def test_a_presigned_url_is_for_its_key_only(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(10), "mine.mp4")
    await storage.put_file(make_file(10), "other.mp4")
    url = (await storage.presigned_url("mine.mp4", 60)).replace("mine.mp4", "other.mp4")
    async with aiohttp.ClientSession() as http, http.get(exact(url)) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
async def test_a_presigned_url_is_valid_for_seven_days_at_most(storage: Storage, seconds: int) -> None:
    with pytest.raises(ValueError, match="604800"):
        await storage.presigned_url("a", seconds)
    assert await storage.presigned_url("a", 604_800)


async def test_verify_sees_another_size_and_another_content(storage: Storage, make_file: Make) -> None:
    path = make_file(100)
    await storage.put_file(path, "verify")
    for size, checksum in [(99, digest(path)), (100, "0" * 64)]:
        with pytest.raises(ChecksumError) as raised:
            await storage.verify("verify", size, checksum)
        assert raised.value.retryable


async def test_a_local_file_that_cannot_be_read_is_said_so(storage: Storage, tmp_path: Path) -> None:
    for path in [tmp_path / "missing", tmp_path]:
        with pytest.raises(SourceError) as raised:
            await storage.put_file(path, "source")
        assert not raised.value.retryable
    with pytest.raises(NoSuchObjectError):
        await storage.head("source")


@pytest.mark.parametrize("change", ["shrink", "grow", "touch"])
async def test_a_local_file_that_changes_meanwhile_is_not_stored(
    storage: Storage, make_file: Make, change: str
) -> None:
    path = make_file(4 * PART)

    def spoil(done: int, total: int) -> None:
        if done == PART:
            with path.open("r+b") as file:
                if change == "shrink":
                    file.truncate(2 * PART)
                elif change == "grow":
                    file.seek(0, 2)
                    file.write(b"more")
                else:
                    file.seek(3 * PART)
                    file.write(b"other bytes")

    with pytest.raises(SourceError, match="changed"):
        await storage.put_file(path, "changing", progress=spoil)
    with pytest.raises(NoSuchObjectError):
        await storage.head("changing")


async def test_many_files_are_stored_at_the_same_time(storage: Storage, make_file: Make) -> None:
    paths = {f"many/{number}": make_file(number * MIB + number) for number in range(10)}
    stored = await asyncio.gather(*(storage.put_file(path, key) for key, path in paths.items()))
    for one in stored:
        assert one.checksum == digest(paths[one.key])
        await storage.verify(one.key, one.size, one.checksum)


async def test_of_two_who_store_at_one_key_one_wins_whole(storage: Storage, make_file: Make) -> None:
    paths = [make_file(PART + number) for number in range(4)]
    await asyncio.gather(*(storage.put_file(path, "race/contested.mp4") for path in paths), return_exceptions=True)
    assert await content(storage, "race/contested.mp4") in [path.read_bytes() for path in paths]


async def test_reading_may_stop_in_the_middle(storage: Storage, make_file: Make) -> None:
    await storage.put_file(make_file(3 * PART), "middle")
    async with aclosing(storage.read("middle")) as blocks:
        async for block in blocks:
            assert block
            break
    await storage.delete("middle")
