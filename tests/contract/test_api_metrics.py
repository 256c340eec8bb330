"""`/metrics`, and the counting of requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from callboard.api.app import api
from callboard.api.metrics import metrics_handler
from callboard.metrics.requests import Requests

TOKEN = "0123456789abcdef"


class Text:
    async def text(self) -> str:
        return "callboard_sessions 0\n"


@pytest.fixture
def requests() -> Requests:
    return Requests()


@pytest.fixture
async def url(rest: Any, requests: Requests, serve: Any) -> AsyncIterator[str]:
    app = api(rest.deps, [metrics_handler(rest.deps.tokens, Text(), TOKEN)])
    async with serve(requests.around(app)) as url:
        yield url


async def got(url: str, token: str = "", method: str = "GET") -> tuple[int, str, str]:
    headers = {"authorization": token} if token else {}
    async with aiohttp.ClientSession() as http, http.request(method, url, headers=headers) as answer:
        return answer.status, answer.headers.get("content-type", ""), await answer.text()


async def test_metrics_are_for_those_who_have_a_token(rest: Any, url: str) -> None:
    for token in ("", "Bearer x", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer "):
        assert (await got(f"{url}/metrics", token))[0] == 401
    for token in (f"Bearer {TOKEN}", f"bearer {TOKEN}", f"Bearer {rest.token}"):
        status, kind, text = await got(f"{url}/metrics", token)
        assert (status, text) == (200, "callboard_sessions 0\n")
        assert kind == "text/plain; version=0.0.4; charset=utf-8"
    assert (await got(f"{url}/v2/rooms", f"Bearer {TOKEN}"))[0] == 401


async def test_without_a_token_of_their_own_only_a_management_token_reads_them(rest: Any, serve: Any) -> None:
    async with serve(api(rest.deps, [metrics_handler(rest.deps.tokens, Text(), "")])) as url:
        for token in ("", "Bearer ", "Bearer"):
            assert (await got(f"{url}/metrics", token))[0] == 401
        assert (await got(f"{url}/metrics", f"Bearer {rest.token}"))[0] == 200


async def test_requests_are_counted_by_route_and_never_by_what_is_asked_for(
    rest: Any, url: str, requests: Requests
) -> None:
    token = f"Bearer {rest.token}"
    await got(f"{url}/v2/rooms", token)
    for number in range(3):
        await got(f"{url}/v2/rooms/{number:024x}", token)
    await got(f"{url}/nowhere/{'x' * 50}", token)
    await got(f"{url}/v2/rooms", method="PROPFIND")
    assert requests.counts[("GET", "/v2/rooms", "2xx")] == 1
    assert requests.counts[("GET", "/v2/rooms/{room_id}", "4xx")] == 3
    assert sum(requests.counts.values()) == requests.seconds.count == 6
    assert {method for method, _, _ in requests.counts} == {"GET", "other"}
    assert not any("nowhere" in route for _, route, _ in requests.counts)


async def test_metrics_are_no_part_of_the_description(rest: Any, url: str) -> None:
    assert "/metrics" not in (await got(f"{url}/v2/openapi.json"))[2]
