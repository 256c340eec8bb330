"""The log of attempts over REST, and the ping."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Unit
from callboard.database.sql import query_named
from callboard.events import timestamps
from callboard.testing.attempts import ANOTHER_ENDPOINT, START, attempt, log_attempts
from callboard.testing.facts import joined
from callboard.testing.receiver import Receiver, status
from callboard.webhooks.attempt_pages import Cursor, Wanted, page_of_endpoint

ABSENT = ANOTHER_ENDPOINT


async def logged(rest: Any) -> tuple[str, str]:
    """An endpoint with a log of attempts, and the event that it accepted at the third try."""
    made = await rest.post("/v2/webhook-endpoints", {"url": "https://a.example/", "headers": {"x-key": "hunter2"}})
    (event,) = await rest.deps.ledger.commit(joined("s1", RandomIds(), SystemClock()))
    await log_attempts(rest.deps.database, made["id"], event.id)
    return made["id"], event.id


async def test_an_attempt_says_what_was_sent_what_came_back_and_where_the_time_went(rest: Any) -> None:
    endpoint_id, event_id = await logged(rest)
    page = await rest.get(f"/v2/webhook-endpoints/{endpoint_id}/attempts")
    assert [(one["event_id"], one["number"]) for one in page["data"][:3]] == [(event_id, n) for n in (3, 2, 1)]
    assert [one["outcome"] for one in page["data"][:3]] == ["accepted", "failed", "failed"]
    failed = page["data"][1]
    assert failed == {
        "event_id": event_id,
        "type": "peer.join.success",
        "endpoint_id": endpoint_id,
        "number": 2,
        "replay": False,
        "at": "2027-01-15T08:00:02Z",
        "outcome": "failed",
        "error": "http_5xx",
        "explanation": "The receiver failed.",
        "remedy": "Read its answer and its log. The event is sent again.",
        "remote": "192.0.2.1",
        "request": {
            "headers": {"host": "a.example", "x-key": "[redacted]", "webhook-timestamp": "1800000002"},
            "body_bytes": 99,
        },
        "response": {"status": 500, "headers": {"server": "x"}, "body": "<b>no</b>"},
        "timing": {"dns": 0.001, "connect": 0.002, "tls": 0.003, "first_byte": 0.4, "total": 0.5},
        "next_at": "2027-01-15T08:00:03Z",
    }
    assert page["data"][0]["next_at"] == page["data"][0]["error"] == page["data"][0]["explanation"] == ""
    assert page["data"][3]["type"] == ""


async def test_reading_on_gives_every_attempt_once(rest: Any) -> None:
    endpoint_id, _ = await logged(rest)
    path, start, seen = f"/v2/webhook-endpoints/{endpoint_id}/attempts", "", []
    while True:
        page = await rest.get(path, limit=10, start=start)
        seen += [(timestamps.parse(one["at"]), one["event_id"], one["number"]) for one in page["data"]]
        start = page["last"]
        if not start:
            break
    assert len(seen) == 28
    assert len(set(seen)) == 28
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({"outcome": "accepted"}, 21),
        ({"outcome": "failed"}, 7),
        ({"outcome": "given_up"}, 5),
        ({"error": "http_5xx"}, 6),
        ({"error": "http_5xx", "outcome": "given_up"}, 5),
        ({"error": "http_5xx", "outcome": "accepted"}, 0),
        ({"error": "timeout_answer"}, 1),
        ({"error": "dns_error"}, 0),
        ({"since": "2027-01-15T08:00:02Z"}, 2),
        ({"since": "2027-01-15T08:00:02Z", "outcome": "failed"}, 1),
    ],
)
async def test_attempts_are_chosen_by_outcome_failure_and_time(rest: Any, wanted: dict[str, str], count: int) -> None:
    endpoint_id, _ = await logged(rest)
    page = await rest.get(f"/v2/webhook-endpoints/{endpoint_id}/attempts", limit=100, **wanted)
    assert (len(page["data"]), page["last"]) == (count, "")


async def test_the_attempts_of_an_event_are_listed_by_endpoint(rest: Any) -> None:
    endpoint_id, event_id = await logged(rest)
    page = await rest.get(f"/v2/events/{event_id}/attempts")
    found = [(one["endpoint_id"], one["number"]) for one in page["data"]]
    assert found == sorted([(ABSENT, 1), *((endpoint_id, n) for n in (1, 2, 3))])


async def test_the_attempts_of_an_event_come_in_pages(rest: Any) -> None:
    (event,) = await rest.deps.ledger.commit(joined("s1", RandomIds(), SystemClock()))
    rows = tuple(attempt(f"e{n % 3}", event.id, n, START + n, "http_5xx") for n in range(1, 35))
    await rest.deps.database.commit(Unit(rows))
    start, seen = "", []
    while True:
        page = await rest.get(f"/v2/events/{event.id}/attempts", limit=10, start=start)
        seen += [(one["endpoint_id"], one["number"]) for one in page["data"]]
        start = page["last"]
        if not start:
            break
    assert seen == sorted((f"e{n % 3}", n) for n in range(1, 35))


async def test_the_log_outlives_its_endpoint(rest: Any) -> None:
    endpoint_id, _ = await logged(rest)
    await rest.ask("DELETE", f"/v2/webhook-endpoints/{endpoint_id}")
    assert (await rest.get(f"/v2/webhook-endpoints/{endpoint_id}/attempts"))["data"]


async def test_a_new_endpoint_and_a_new_event_have_no_attempts(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", {"url": "https://a.example/"})
    (event,) = await rest.deps.ledger.commit(joined("s1", RandomIds(), SystemClock()))
    for path in (f"/v2/webhook-endpoints/{made['id']}/attempts", f"/v2/events/{event.id}/attempts"):
        assert await rest.get(path) == {"limit": 10, "data": [], "last": ""}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"start": "x"}, "start: must be `last` of the page before"),
        ({"start": "9" * 19 + "-1-e"}, "start: must be `last` of the page before"),
        ({"since": "yesterday"}, "since: must be an instant"),
        ({"outcome": "lost"}, "outcome: must be"),
        ({"error": "bad_luck"}, "error: must be"),
        ({"limit": "many"}, "limit: must be an integer"),
    ],
)
async def test_a_wrong_parameter_is_refused_with_what_is_allowed(rest: Any, wrong: dict[str, str], said: str) -> None:
    endpoint_id, _ = await logged(rest)
    answer = await rest.get(f"/v2/webhook-endpoints/{endpoint_id}/attempts", 400, **wrong)
    assert answer["details"][0].startswith(said), answer


async def test_attempts_of_what_is_not_there_are_404(rest: Any) -> None:
    assert (await rest.get(f"/v2/webhook-endpoints/{ABSENT}/attempts", 404))["message"] == "endpoint not found"
    assert (await rest.get(f"/v2/events/{ABSENT}/attempts", 404))["message"] == "event not found"
    assert (await rest.post(f"/v2/webhook-endpoints/{ABSENT}/ping", {}, 404))["message"] == "endpoint not found"


async def test_failures_are_found_by_an_index_of_their_own(rest: Any, tmp_path: Path) -> None:
    """And the rest by the endpoint's: who reads the log reads a page of it."""
    endpoint_id, _ = await logged(rest)
    assert len(await page_of_endpoint(rest.deps.database, endpoint_id, Wanted(outcome="failed"), Cursor(), 100)) == 7
    connection = apsw.Connection(str(tmp_path / "callboard.db"))
    for name, index in (("failed_attempt_page", "attempt_failed"), ("attempt_page", "attempt_endpoint")):
        query = query_named(name)
        plan = list(connection.execute(f"EXPLAIN QUERY PLAN {query.text}", dict.fromkeys(query.parameters, 0)))
        assert any(f"USING INDEX {index} " in str(step[3]) for step in plan), plan
        assert not any("TEMP B-TREE" in str(step[3]) for step in plan), plan


async def test_a_ping_is_a_real_delivery_that_says_it_is_a_test(rest: Any) -> None:
    async with Receiver() as receiver:
        made = await rest.post(
            "/v2/webhook-endpoints",
            {"url": receiver.url, "headers": {"x-key": "hunter2"}, "enabled": False, "events": ["peer.*"]},
        )
        receiver.secret = made["secrets"][0]
        receiver.behaviour = lambda _: status(200, b"you said hunter2")
        answer = await rest.post(f"/v2/webhook-endpoints/{made['id']}/ping")
        (delivery,) = receiver.deliveries
    assert delivery.verified
    assert delivery.header("x-key") == ["hunter2"]
    body = json.loads(delivery.body)
    assert (body["type"], body["is_test"], body["id"]) == ("peer.join.success", True, delivery.id)
    assert body["account_id"] == rest.deps.workspace.id
    assert (answer["event_id"], answer["type"], answer["outcome"]) == (body["id"], body["type"], "accepted")
    assert answer["response"] == {
        "status": 200,
        "headers": {"content-length": "16"},
        "body": "you said [redacted]",
    }
    assert answer["remote"] in {"127.0.0.1", "::1"}
    assert answer["timing"]["total"] > 0
    assert "hunter2" not in json.dumps(answer)
    assert await rest.deps.ledger.event(body["id"]) is None
    assert (await rest.get(f"/v2/webhook-endpoints/{made['id']}/attempts"))["data"] == []


async def test_a_ping_of_a_type_is_a_sample_of_it(rest: Any) -> None:
    async with Receiver() as receiver:
        made = await rest.post("/v2/webhook-endpoints", {"url": receiver.url})
        await rest.post(f"/v2/webhook-endpoints/{made['id']}/ping", {"type": "recording.success"})
        (delivery,) = receiver.deliveries
    assert json.loads(delivery.body)["type"] == "recording.success"
    path = f"/v2/webhook-endpoints/{made['id']}/ping"
    assert "did you mean recording.success" in (await rest.post(path, {"type": "recording.succes"}, 400))["details"][0]
    assert (await rest.post(path, {"typ": "x"}, 400))["details"] == ["typ: there is no such key; did you mean type?"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (status(302, headers=b"Location: https://b.example/\r\n"), "http_3xx"),
        (status(401), "http_4xx"),
        (status(410), "http_gone"),
        (status(503), "http_5xx"),
    ],
)
async def test_a_ping_that_is_not_accepted_says_why_and_what_helps(rest: Any, answer: Any, error: str) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: answer
        made = await rest.post("/v2/webhook-endpoints", {"url": receiver.url})
        said = await rest.post(f"/v2/webhook-endpoints/{made['id']}/ping")
    assert (said["outcome"], said["error"], said["next_at"]) == ("failed", error, "")
    assert said["explanation"]
    assert said["remedy"]
    assert (await rest.get(f"/v2/webhook-endpoints/{made['id']}"))["enabled"]


async def test_a_ping_to_nobody_is_answered_too(rest: Any) -> None:
    made = await rest.post("/v2/webhook-endpoints", {"url": "http://127.0.0.1:9/"})
    said = await rest.post(f"/v2/webhook-endpoints/{made['id']}/ping")
    assert (said["outcome"], said["error"], said["response"]["status"]) == ("failed", "connection_refused", 0)


async def test_an_endpoint_is_sent_one_ping_at_a_time(rest: Any) -> None:
    async with Receiver() as receiver:
        receiver.behaviour = lambda _: status(200, delay=0.2)
        made = await rest.post("/v2/webhook-endpoints", {"url": receiver.url})
        path = f"/v2/webhook-endpoints/{made['id']}/ping"
        answers = await asyncio.gather(*(rest.ask("POST", path) for _ in range(3)))
        assert sorted(answer.status for answer in answers) == [200, 400, 400]
        assert (await rest.ask("POST", path)).status == 200
