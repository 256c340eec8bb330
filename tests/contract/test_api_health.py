"""`/healthz` and `/readyz`."""

from __future__ import annotations

from typing import Any


async def test_the_process_is_healthy_and_no_token_is_asked_for(rest: Any) -> None:
    answer = await rest.ask("GET", "/healthz", token="")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "checks": {}})


async def test_a_node_is_ready_when_all_its_parts_are(rest: Any) -> None:
    answer = await rest.ask("GET", "/readyz", token="")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "checks": {"database": True, "media": True}})


async def test_a_node_is_not_ready_while_one_part_is_not_and_says_which(rest: Any) -> None:
    rest.ready["media"] = False
    answer = await rest.ask("GET", "/readyz", token="")
    assert answer.status == 503
    assert answer.json() == {"status": "unavailable", "checks": {"database": True, "media": False}}
    rest.ready["media"] = True
    assert (await rest.ask("GET", "/readyz", token="")).status == 200
