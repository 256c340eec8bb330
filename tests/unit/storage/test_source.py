"""The local file that is being stored, its digests, and its parts."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.storage import Limits
from callboard.storage.content_types import content_type_of
from callboard.storage.source import BLOCK, Source
from callboard.storage.upload import MAXIMUM_PARTS, part_size_for

TIB = 1 << 40


async def drained(source: Source) -> bytes:
    read = b""
    while block := await source.block():
        read += block
    return read


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
async def test_the_digests_are_of_what_was_read(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    path = tmp_path / "file"
    path.write_bytes(data)
    async with Source(path) as source:
        assert source.size == size
        assert await drained(source) == data
        assert source.sent == size
        assert source.checksum == hashlib.sha256(data).hexdigest()
        assert source.etag() == hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize(("blocks", "parts"), [(1, 1), (1.5, 1), (2, 1), (2.001, 2), (4, 2), (5, 3)])
async def test_the_etag_of_parts_is_the_md5_of_their_md5s(tmp_path: Path, blocks: float, parts: int) -> None:
    data = os.urandom(int(blocks * BLOCK))
    path = tmp_path / "file"
    path.write_bytes(data)
    async with Source(path) as source:
        source.divide(2 * BLOCK)
        await drained(source)
        pieces = [data[start : start + 2 * BLOCK] for start in range(0, len(data), 2 * BLOCK)]
        joined = b"".join(hashlib.md5(piece, usedforsecurity=False).digest() for piece in pieces)
        assert source.etag() == f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{parts}"


async def test_parts_are_whole_blocks_and_decided_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    async with Source(path) as source:
        with pytest.raises(ValueError, match="whole blocks"):
            source.divide(BLOCK + 1)
        await source.block()
        with pytest.raises(ValueError, match="begun"):
            source.divide(BLOCK)


@given(st.integers(0, 80 * TIB))
def test_no_upload_has_more_parts_than_s3_allows(size: int) -> None:
    part = part_size_for(size, Limits().part)
    assert part % BLOCK == 0
    assert part >= Limits().part
    assert -(-size // part) <= MAXIMUM_PARTS
    if size <= Limits().part * MAXIMUM_PARTS:
        assert part == Limits().part


def test_a_slow_line_has_time_for_its_parts() -> None:
    limits = Limits(request=30, slowest=1000, part=8 << 20, parts=3)
    assert limits.transfer == 30 + 3 * (8 << 20) / 1000
    assert limits.upload(10**9) >= 10**6


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("a/b.mp4", "video/mp4"),
        ("a/B.WEBM", "video/webm"),
        ("chat.csv", "text/csv; charset=utf-8"),
        ("master.m3u8", "application/vnd.apple.mpegurl"),
        ("a.mp4/track", "application/octet-stream"),
        (".mp4", "application/octet-stream"),
        ("a.exe", "application/octet-stream"),
        ("a.html", "application/octet-stream"),  # nothing of ours is a page: it is not to run in a browser
    ],
)
def test_the_content_type_is_the_names(key: str, expected: str) -> None:
    assert content_type_of(key) == expected
