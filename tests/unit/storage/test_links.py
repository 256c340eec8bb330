"""Signed URLs of the local folder."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.storage.links import ExpiredLinkError, InvalidLinkError, sign, verify

SECRET = b"0123456789abcdef"
OTHER = b"fedcba9876543210"
NOW = 1_800_000_000


def taken_apart(url: str) -> tuple[str, str, str]:
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    return unquote(parts.path.removeprefix("/files/")), query["expires"][0], query["signature"][0]


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 604_800))
def test_what_was_signed_verifies_until_it_expires(key: str, seconds: int) -> None:
    url = sign("https://host/files", key, NOW + seconds, SECRET)
    assert url.isascii()
    found, expires, signature = taken_apart(url)
    assert found == key
    verify([SECRET], found, expires, signature, NOW)
    verify([OTHER, SECRET], found, expires, signature, NOW + seconds - 1)
    with pytest.raises(ExpiredLinkError):
        verify([SECRET], found, expires, signature, NOW + seconds)


def test_the_url_is_always_the_same() -> None:
    # So that links that were handed out survive a new version of Callboard. The signature is from OpenSSL.
    assert sign("https://host/files/", "a b/ü.mp4", NOW, SECRET) == (
        "https://host/files/a%20b/%C3%BC.mp4?expires=1800000000&signature=WvwuO6tO2uyvp4ndGMqjwQZTgXHjNuwFj5Jk22pfNO8"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"key": "a.mp3"},
        {"key": "a.mp4\n"},
        {"expires": str(NOW + 61)},
        {"expires": f"0{NOW + 60}x"},
        {"expires": ""},
        {"expires": "-1"},
        {"expires": "1e9"},
        {"expires": "٣"},
        {"expires": "9" * 5000},
        {"signature": ""},
        {"signature": "A" * 43},
        {"signature": "é"},
        {"signature": "\ud800"},
        {"key": "\ud800"},
    ],
)
def test_what_was_changed_is_refused(change: dict[str, str]) -> None:
    key, expires, signature = taken_apart(sign("https://host/files", "a.mp4", NOW + 60, SECRET))
    given_link = {"key": key, "expires": expires, "signature": signature} | change
    with pytest.raises(InvalidLinkError) as raised:
        verify([SECRET], given_link["key"], given_link["expires"], given_link["signature"], NOW)
    assert not isinstance(raised.value, ExpiredLinkError)
    assert signature not in str(raised.value)


def test_another_secret_is_refused_even_if_the_link_expired() -> None:
    key, expires, signature = taken_apart(sign("https://host/files", "a.mp4", NOW - 60, OTHER))
    with pytest.raises(InvalidLinkError) as raised:
        verify([SECRET], key, expires, signature, NOW)
    assert type(raised.value) is InvalidLinkError
    with pytest.raises(InvalidLinkError):
        verify([], key, expires, signature, NOW)
