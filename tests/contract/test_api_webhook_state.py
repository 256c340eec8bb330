"""How an endpoint is doing, over REST."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.testing.deliveries import eventually
from callboard.testing.facts import joined
from callboard.testing.receiver import Receiver, status

ABSENT = "5f9edc6ac238215aec2312df"


@pytest.fixture
async def sending(rest: Any) -> AsyncIterator[Any]:
    """The API, with its deliveries begun."""
    await rest.deps.deliveries.start()
    yield rest
    await rest.deps.deliveries.stop()


async def commit(rest: Any, stream: str = "s1") -> None:
    await rest.deps.ledger.commit(joined(stream, RandomIds(), SystemClock()))


async def test_what_was_delivered_and_what_waits_is_shown(sending: Any) -> None:
    async with Receiver() as receiver:
        made = await sending.post("/v2/webhook-endpoints", {"url": receiver.url})
        path = f"/v2/webhook-endpoints/{made['id']}"
        await commit(sending)

        async def delivered() -> bool:
            return bool((await sending.get(f"{path}/state"))["delivered"] == 1)

        await eventually(delivered)
        state = await sending.get(f"{path}/state")
        assert (state["id"], state["state"], state["pending"], state["failures"]) == (made["id"], "closed", 0, {})
        assert (state["oldest_committed_at"], state["oldest_age_seconds"]) == ("", 0)

        receiver.behaviour = lambda _: status(503)
        await commit(sending)
        await commit(sending)

        async def failed() -> bool:
            return bool((await sending.get(f"{path}/state"))["failures"].get("http_5xx", 0) >= 1)

        await eventually(failed)
        state = await sending.get(f"{path}/state")
        assert (state["pending"], state["streams"]) == (2, 1)
        assert state["oldest_committed_at"]
        assert state["failing_since"]

        await sending.post(f"{path}/pause")
        assert (await sending.get(f"{path}/state"))["state"] == "paused"
        await sending.post(path, {"enabled": False})

        async def disabled() -> bool:
            return bool((await sending.get(f"{path}/state"))["state"] == "disabled")

        await eventually(disabled)


async def test_the_state_of_what_is_not_there_is_404(rest: Any) -> None:
    assert (await rest.get(f"/v2/webhook-endpoints/{ABSENT}/state", 404))["message"] == "endpoint not found"
