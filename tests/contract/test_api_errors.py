"""Every error is `{code, message, details}`, whatever went wrong (platform.md §1.5), and no request harms
the server.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from callboard.api.app import api
from callboard.clock import NANOSECONDS
from callboard.database import DatabaseStopped
from callboard.rooms.store import Store

ABSENT = "5f9edc6ac238215aec2312df"
PUBLIC = {("GET", "/v2/asyncapi.json"), ("POST", "/v2/token")}
"""Described, and answered without a token: what the documentation says too, and what a room code is exchanged at."""


async def test_every_route_asks_for_a_token_before_it_looks_at_anything(rest: Any) -> None:
    paths = (await rest.get("/v2/openapi.json"))["paths"]
    described = {(method.upper(), path) for path, methods in paths.items() for method in methods if path[:4] == "/v2/"}
    assert len(described) > 25
    assert described >= PUBLIC
    for method, path in sorted(described - PUBLIC):
        concrete = re.sub(r"\{[^}]+\}", ABSENT, path)
        answer = await rest.ask(method, concrete, token="", data=b"{" if method != "GET" else None)
        assert answer.status == 401, (method, path)
        assert answer.json() == {
            "code": 401,
            "message": "Authentication error",
            "details": ["a header is needed: Authorization: Bearer <management token>"],
        }, (method, path)
        assert answer.headers["www-authenticate"] == "Bearer", (method, path)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "bearer"])
async def test_a_header_without_a_bearer_token_is_refused(rest: Any, header: str) -> None:
    answer = await rest.ask("GET", "/v2/rooms", token="", headers={"authorization": header})
    assert (answer.status, answer.json()["message"]) == (401, "Authentication error")


async def test_an_app_token_does_not_open_the_api(rest: Any) -> None:
    answer = await rest.ask("GET", "/v2/rooms", token=rest.deps.tokens.mint_app_token(ABSENT, "host"))
    assert answer.status == 401
    assert answer.json() == {
        "code": 401,
        "message": "Token validation error",
        "details": ["the claim type must be app to join a room, management to use the REST API"],
    }


async def test_an_expired_token_does_not_open_the_api(rest: Any) -> None:
    token = rest.deps.tokens.mint_management_token(60)
    assert (await rest.ask("GET", "/v2/rooms", token=token)).status == 200
    rest.deps.tokens._clock.instant += 3600 * NANOSECONDS
    answer = await rest.ask("GET", "/v2/rooms", token=token)
    assert (answer.status, answer.json()["details"]) == (401, ["the token has expired (exp)"])


async def test_the_scheme_is_spelled_in_any_case(rest: Any) -> None:
    answer = await rest.ask("GET", "/v2/rooms", token="", headers={"authorization": f"bEARER {rest.token}"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "path", ["/", "/v2/nothing", "/v2/recording", "/v2/rooms/a/b", "/v3/rooms", "/..%2f", "/v2//rooms/x/y"]
)
async def test_a_path_that_is_not_there_is_404_and_named(rest: Any, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        answer = await rest.ask(method, path)
        assert answer.status == 404
        body = answer.json()
        assert (body["code"], body["message"]) == (404, "Not Found")
        assert body["details"][0].startswith(f"there is no {method} /")


async def test_a_method_that_is_not_there_is_405(rest: Any) -> None:
    for method, path in (("DELETE", "/v2/rooms"), ("PUT", f"/v2/rooms/{ABSENT}"), ("POST", "/healthz")):
        answer = await rest.ask(method, path)
        assert answer.status == 405
        assert answer.json() == {"code": 405, "message": "Method Not Allowed", "details": []}
        assert answer.headers["allow"]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[",
        b'{"name": }',
        b"\xff",
        b'{"name": "\xff"}',
        b"null",
        b"7",
        b"[]",
        b'"x"',
        b"[" * 5000,
        b'{"a":' * 5000,
        b"{}{}",
        b'{"size": 1e400}',
        b'{"size": NaN}',
        b'{"name": "\\ud800"}',
        b'{"polls": ' + b"[" * 5000,
    ],
)
async def test_a_body_that_is_no_json_object_is_400(rest: Any, body: bytes) -> None:
    answer = await rest.ask("POST", "/v2/rooms", data=body)
    assert answer.status == 400, answer.body
    found = answer.json()
    assert (found["code"], found["message"]) == (400, "Invalid body param")
    assert found["details"]
    assert (await rest.get("/v2/rooms"))["data"] == []


async def test_a_body_that_is_needed_and_missing_is_400(rest: Any) -> None:
    answer = await rest.post("/v2/templates", None, 400)
    assert answer["details"] == ["a JSON object is expected as the body"]


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_the_content_type_does_not_matter(rest: Any, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await rest.ask("POST", "/v2/rooms", data=b'{"name": "a"}', headers=headers)
    assert answer.json()["name"] == "a"


async def test_a_body_that_is_too_long_is_413_and_not_read(rest: Any) -> None:
    answer = await rest.ask("POST", "/v2/rooms", data=json.dumps({"description": "x" * 100_000}))
    assert answer.status == 413
    assert answer.json() == {"code": 413, "message": "Request Entity Too Large", "details": []}


async def test_a_body_that_hides_its_length_is_413_as_well(rest: Any) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b"x" * 10_000
            await asyncio.sleep(0)

    answer = await rest.ask("POST", "/v2/rooms", data=chunks())
    assert answer.status == 413
    assert answer.json()["code"] == 413


async def test_a_fault_of_ours_is_500_and_does_not_tell_what_it_was(
    rest: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(Store, "rooms", fail)
    with caplog.at_level(logging.ERROR, logger="callboard.api"):
        answer = await rest.ask("GET", "/v2/rooms")
    assert answer.status == 500
    assert answer.json() == {"code": 500, "message": "Internal Server Error", "details": []}
    (record,) = [record for record in caplog.records if record.name == "callboard.api"]
    assert record.exc_info is not None
    assert rest.token not in caplog.text
    monkeypatch.undo()
    await rest.get("/v2/rooms")


async def test_a_database_that_stopped_is_503(
    rest: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def stopped(*_: object, **__: object) -> None:
        raise DatabaseStopped from OSError("disk full")

    monkeypatch.setattr(Store, "create_room", stopped)
    answer = await rest.ask("POST", "/v2/rooms", data=b"{}")
    assert answer.status == 503
    assert (answer.json()["code"], answer.json()["message"]) == (503, "Service Unavailable")
    assert "disk full" in caplog.text


async def test_a_page_of_another_origin_may_read_answers_and_errors(rest: Any) -> None:
    origin = {"origin": "https://app.example"}
    for path, token, status in (
        ("/v2/rooms", None, 200),
        ("/v2/rooms", "", 401),
        ("/v2/nothing", None, 404),
        (f"/v2/rooms/{ABSENT}", None, 404),
    ):
        answer = await rest.ask("GET", path, token=token, headers=origin)
        assert answer.status == status
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_page_of_another_origin_may_ask_whether_it_may_send_a_token(rest: Any) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, content-type",
    }
    answer = await rest.ask("OPTIONS", "/v2/rooms", token="", headers=asked)
    assert answer.status in (200, 204)
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "*" in allowed or "authorization" in allowed


async def test_pages_of_other_origins_than_the_configured_ones_may_neither_read_nor_ask(rest: Any, serve: Any) -> None:
    async with serve(api(replace(rest.deps, cors_origins=("https://app.example",)))) as url:
        rest.url = url
        for origin, allowed in (
            ("https://app.example", "https://app.example"),
            ("https://evil.example", None),
            ("https://app.example.evil.example", None),
            ("http://app.example", None),
            ("null", None),
        ):
            asked = {"origin": origin, "access-control-request-method": "GET"}
            for method in ("GET", "OPTIONS"):
                answer = await rest.ask(method, "/v2/rooms", headers=asked)
                assert answer.headers.get("access-control-allow-origin") == allowed, (method, origin)
                assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/v2/rooms", "/v2/nothing", f"/v2/rooms/{ABSENT}", "/healthz", "/v2/openapi.json"])
async def test_no_answer_is_shown_as_a_page_framed_guessed_or_kept(rest: Any, path: str) -> None:
    for token in (None, ""):
        headers = (await rest.ask("GET", path, token=token)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "strict-transport-security" not in headers, "this is not TLS"
        assert "server" not in headers
