"""What a key is, for every storage."""

from __future__ import annotations

import asyncio

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import MemoryStore

from callboard.storage import InvalidKeyError
from callboard.storage.keys import check_key, check_prefix

SEGMENT = st.text(st.characters(codec="utf-8"), max_size=6) | st.sampled_from(
    [".", "..", "...", ".a", "a\\b", "a/b", "%2e"]
)


@given(st.lists(SEGMENT, max_size=5).map("/".join))
def test_a_key_that_is_accepted_means_the_same_to_the_library_that_sends_it(key: str) -> None:
    try:
        check_key(key)
    except InvalidKeyError:
        return
    store = MemoryStore()
    asyncio.run(_put(store, key))
    assert [entry["path"] for page in obstore.list(store) for entry in page] == [key]


async def _put(store: MemoryStore, key: str) -> None:
    await obstore.put_async(store, key, b"", use_multipart=False)


@given(st.text())
def test_no_text_makes_it_fail_otherwise(key: str) -> None:
    try:
        check_key(key)
    except InvalidKeyError:
        return
    assert not {"", ".", ".."} & set(key.split("/"))


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "1 to 1024 bytes"),
        ("é" * 513, "not 1026"),
        ("a/" + "é" * 128, "255 bytes"),
        ("/a", "no segment ''"),
        ("a/", "no segment ''"),
        ("a//b", "no segment ''"),
        ("a/../b", r"no segment '\.\.'"),
        ("./a", r"no segment '\.'"),
        ("a\tb", "control"),
        ("a\x85b", "control"),
        ("a\\b", "backslash"),
        ("a\ud800", "surrogates"),
    ],
)
def test_an_objection_says_why(key: str, reason: str) -> None:
    with pytest.raises(InvalidKeyError, match=reason) as raised:
        check_key(key)
    assert not raised.value.retryable
    str(raised.value).encode()  # can be logged


@pytest.mark.parametrize("key", ["a", "a" * 255, "/".join(["a" * 255] * 4), "a b", ".a", "..a", "日本/🎬", "%2e%2e/x"])
def test_these_are_keys(key: str) -> None:
    assert check_key(key) == key


def test_a_prefix_may_be_everything_and_may_end_with_a_slash() -> None:
    assert [check_prefix("", "list"), check_prefix("a/b/", "list"), check_prefix("a/b", "list")] == ["", "a/b", "a/b"]
    for prefix in ["/", "a//", "../a"]:
        with pytest.raises(InvalidKeyError):
            check_prefix(prefix, "list")
