"""What may be said about an endpoint."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from callboard.errors import Invalid
from callboard.webhooks.endpoint import (
    Endpoint,
    EndpointRequest,
    changed_endpoint,
    endpoint_of,
    endpoint_row,
    new_endpoint,
)
from callboard.webhooks.keys_text import key_of

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()


def made(**wanted: Any) -> Endpoint:
    return new_endpoint(EndpointRequest(**{"url": "https://example.com/hook", **wanted}), "e1", secrets.token_bytes, 7)


def refused(**wanted: Any) -> tuple[str, ...]:
    with pytest.raises(Invalid) as raised:
        made(**wanted)
    return raised.value.details


def test_a_url_is_enough() -> None:
    endpoint = made()
    assert endpoint.url == "https://example.com/hook"
    assert len(endpoint.secrets) == 1
    assert len(key_of(endpoint.secrets[0])) == 32
    assert (endpoint.headers, endpoint.enabled, endpoint.description) == ({}, True, "")
    assert (endpoint.created_at, endpoint.updated_at) == (7, 7)


def test_two_new_endpoints_have_different_secrets() -> None:
    assert made().secrets != made().secrets


def test_without_a_url_there_is_no_endpoint() -> None:
    with pytest.raises(Invalid, match="url: is required"):
        new_endpoint(EndpointRequest(), "e1", secrets.token_bytes, 7)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://example.com:8443/a/b?c=d&e=%20",
        "http://127.0.0.1:8080/hook",
        "http://[::1]:8080/",
        "https://xn--bcher-kva.example/hook",
        "HTTPS://EXAMPLE.com/x",
    ],
)
def test_these_urls_are_allowed(url: str) -> None:
    assert made(url=url).url == url


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.com/", "must begin with http"),
        ("example.com/hook", "must begin with http"),
        ("//example.com/hook", "must begin with http"),
        ("https://user:password@example.com/", "must not hold credentials"),
        ("https://user@example.com/", "must not hold credentials"),
        ("https:///hook", "must have a host"),
        ("https://:443/hook", "must have a host"),
        ("https://example.com:0/", "port from 1 to 65535"),
        ("https://example.com:65536/", "port from 1 to 65535"),
        ("https://example.com:x/", "port from 1 to 65535"),
        ("https://[::1/", "must have a host"),
        ("https://example.com/#top", "must have no fragment"),
        ("https://example.com/a b", "printable ASCII"),
        ("https://example.com/\r\nx: y", "printable ASCII"),
        ("https://example.com\\@evil.example/", "printable ASCII"),
        ("https://bücher.example/", "xn-- form"),
        ("", "printable ASCII"),
        ("https://example.com/" + "a" * 2048, "at most 2048 characters"),
        ("https://" + "a" * 254 + "/", "must have a host"),
    ],
)
def test_these_urls_are_refused_and_it_is_said_why(url: str, reason: str) -> None:
    (detail,) = refused(url=url)
    assert detail.startswith("url: must")
    assert reason in detail
    assert "password" not in detail


@pytest.mark.parametrize("name", ["X-Passcode", "x-hundredms-secret", "Authorization", "Cookie", "x~1"])
def test_these_headers_are_allowed_and_kept_as_they_are(name: str) -> None:
    assert made(headers={name: "a b\tc"}).headers == {name: "a b\tc"}


@pytest.mark.parametrize(
    "name",
    ["Host", "Content-Type", "content-length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Proxy-Connection",
     "webhook-id", "Webhook-Signature", "callboard-seq", "X-Forwarded-For", "Expect", "Accept-Encoding", "User-Agent"],
)  # fmt: skip
def test_headers_that_are_ours_are_refused(name: str) -> None:
    (detail,) = refused(headers={name: "x"})
    assert detail == f"headers.{name!r}: this header is set by the sender"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "ä", "a\0", "(a)"])
def test_a_header_name_that_is_no_token_is_refused(name: str) -> None:
    (detail,) = refused(headers={name: "x"})
    assert "a name must be letters, digits and" in detail
    assert "\n" not in detail


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "ä", "a\0", " a", "a ", "\ta", "\x7f"])
def test_a_header_value_that_could_break_the_request_is_refused_and_not_repeated(value: str) -> None:
    (detail,) = refused(headers={"x-a": value})
    assert detail == "headers.'x-a': a value must be printable ASCII, without spaces at its ends"


def test_the_same_header_twice_is_refused() -> None:
    (detail,) = refused(headers={"X-A": "1", "x-a": "2"})
    assert "is there twice" in detail


def test_headers_are_bounded() -> None:
    assert "at most 32" in refused(headers={f"x-{i}": "" for i in range(33)})[0]
    assert "at most 4096 bytes" in refused(headers={"x-a": "b" * 4096})[0]


@pytest.mark.parametrize("count", [0, 6])
def test_secrets_are_bounded(count: int) -> None:
    assert refused(secrets=[SECRET] * count) == ("secrets: must be 1 to 5",)


def test_a_wrong_secret_is_named_by_its_place() -> None:
    (detail,) = refused(secrets=[SECRET, "whsec_short"])
    assert detail.startswith("secrets[1]: must")
    assert "whsec_short" not in detail


@pytest.mark.parametrize("description", ["x" * 501, "\0", "\ud800"])
def test_a_description_that_cannot_be_stored_is_refused(description: str) -> None:
    assert refused(description=description) == ("description: must be at most 500 characters of text",)


def test_everything_that_is_wrong_is_said_at_once() -> None:
    details = refused(url="x", secrets=[], headers={"Host": "x"}, description="x" * 501)
    assert [detail.partition(":")[0] for detail in details] == ["url", "secrets", "headers.'Host'", "description"]


def test_what_a_change_does_not_say_stays() -> None:
    endpoint = made(headers={"x-a": "1"}, description="one", secrets=[SECRET])
    changed = changed_endpoint(endpoint, EndpointRequest(enabled=False), secrets.token_bytes, 9)
    assert (changed.headers, changed.description, changed.secrets) == ({"x-a": "1"}, "one", (SECRET,))
    assert (changed.enabled, changed.created_at, changed.updated_at) == (False, 7, 9)


@given(st.text(max_size=500))
def test_an_endpoint_survives_its_row(description: str) -> None:
    if "\0" in description:
        return
    endpoint = made(headers={"x-a": "1"}, description=description, room_id="a" * 24, events=["peer.*"])
    assert endpoint_of(endpoint_row(endpoint).row) == endpoint


def test_neither_secrets_nor_header_values_are_shown() -> None:
    request = EndpointRequest(url="https://example.com/", secrets=[SECRET], headers={"x-key": "open sesame"})
    endpoint = new_endpoint(request, "e1", secrets.token_bytes, 7)
    for shown in (repr(endpoint), pretty_repr(endpoint), repr(request), pretty_repr(request), f"{[endpoint]}"):
        assert SECRET not in shown
        assert "sesame" not in shown
    assert "x-key" in repr(endpoint)
