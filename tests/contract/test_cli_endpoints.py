"""`callboard endpoints`, against the real REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from callboard.cli import app
from callboard.clock import RandomIds, SystemClock
from callboard.testing.attempts import log_attempts
from callboard.testing.facts import joined
from callboard.testing.receiver import Receiver, status
from callboard.webhooks.batching import Batch
from callboard.webhooks.manner import Manner

Run = Callable[..., Awaitable[Result]]


@pytest.fixture
def run(rest: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `callboard endpoints …` and return what it came to."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CALLBOARD_TOKEN", rest.token)

    async def command(*arguments: str, stdin: str = "", code: int = 0) -> Result:
        given = ["endpoints", *arguments, "--server", rest.url]
        runner = CliRunner(env={"COLUMNS": "200"})
        result = await asyncio.to_thread(runner.invoke, app, given, input=stdin)
        assert result.exit_code == code, result.output
        return result

    return command


async def test_an_endpoint_is_created_shown_changed_and_deleted(rest: Any, run: Run) -> None:
    room = await rest.room(name="algebra")
    made = await run(
        "create", "https://a.example/hook", "--event", "peer.*", "--event", "!*.failure", "--room", room.id,
        "--header", "X-Key: hunter2", "--description", "billing", "--disabled",
    )  # fmt: skip
    assert "whsec_" in made.stdout
    assert "not shown again" in made.stderr
    (endpoint,) = rest.deps.endpoints.all()
    assert (endpoint.url, endpoint.enabled, endpoint.headers) == ("https://a.example/hook", False, {"X-Key": "hunter2"})
    assert endpoint.secrets[0] in made.stdout

    shown = await run("show", endpoint.id)
    for text in (
        "https://a.example/hook",
        "0 events of 0 streams",
        "peer.* !*.failure",
        f"room {room.id}",
        "billing",
        "disabled",
        "X-Key",
    ):
        assert text in shown.stdout
    assert "whsec_" not in shown.output
    assert "hunter2" not in shown.output

    await run("update", endpoint.id, "--workspace", "--all-events", "--url", "https://b.example/")
    await run("enable", endpoint.id)
    listed = json.loads((await run("list", "--json")).stdout)["data"]
    assert [(one["url"], one["room_id"], one["events"], one["enabled"]) for one in listed] == [
        ("https://b.example/", "", [], True)
    ]
    assert "https://b.example/" in (await run("list")).stdout
    assert "paused" in (await run("pause", endpoint.id)).stdout
    assert "enabled" in (await run("resume", endpoint.id)).stdout
    await run("disable", endpoint.id)
    assert "enable it" in (await run("resume", endpoint.id, code=1)).stderr
    assert not rest.deps.endpoints.get(endpoint.id).enabled

    await run("delete", endpoint.id, stdin="n\n", code=1)
    assert rest.deps.endpoints.all()
    assert endpoint.id in (await run("delete", endpoint.id, "--yes")).stdout
    assert "There is no endpoint" in (await run("list")).stderr


async def test_how_it_is_sent_to_is_said_by_name_and_what_is_not_named_stays(rest: Any, run: Run) -> None:
    made = await run("create", "https://a.example/", "--delivery", "ordering=none", "--delivery", "concurrency=4")
    assert "ordering none" in made.stdout
    (endpoint,) = rest.deps.endpoints.all()
    await run("update", endpoint.id, "--delivery", "batch.events=20", "--delivery", "rate_per_second=2.5")
    manner = Manner(ordering="none", concurrency=4, rate_per_second=2.5, batch=Batch(events=20))
    assert rest.deps.endpoints.get(endpoint.id).delivery == manner
    await run("update", endpoint.id, "--delivery", "ordering=session", "--delivery", "batch=null")
    assert rest.deps.endpoints.get(endpoint.id).delivery == Manner(concurrency=4, rate_per_second=2.5)
    assert "concurrency 4" in (await run("show", endpoint.id)).stdout
    refused = await run("update", endpoint.id, "--delivery", "ordering=sometimes", code=1)
    assert "ordering" in refused.stderr
    assert "NAME=VALUE" in (await run("update", endpoint.id, "--delivery", "ordering", code=2)).stderr


async def test_a_rotation_prints_the_new_secret_only(rest: Any, run: Run) -> None:
    await run("create", "https://a.example/")
    (before,) = rest.deps.endpoints.all()
    rotated = await run("rotate", before.id, "--overlap", "60")
    new, old = rest.deps.endpoints.get(before.id).secrets
    assert new in rotated.stdout
    assert old not in rotated.stdout
    assert "until" in rotated.stdout
    assert "overlap_seconds" in (await run("rotate", before.id, "--overlap", "1e9", code=1)).stderr


async def test_a_header_s_value_can_be_read_from_a_file(rest: Any, run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("Bearer hunter2\n")
    await run("create", "https://a.example/", "--header", "Authorization: @password")
    (endpoint,) = rest.deps.endpoints.all()
    assert endpoint.headers == {"Authorization": "Bearer hunter2"}
    assert "Name: value" in (await run("create", "https://a.example/", "--header", "x", code=2)).stderr


async def test_what_the_server_refuses_is_printed_with_its_details(run: Run) -> None:
    refused = await run("create", "ftp://a.example/", "--event", "peer.jion.success", code=1)
    assert "invalid endpoint (400)" in refused.stderr
    assert "url: must begin with http:// or https://" in refused.stderr
    assert "did you mean peer.join.success" in refused.stderr
    for arguments in (["show", "x"], ["enable", "x"], ["ping", "x"], ["attempts", "x"], ["delete", "x", "--yes"]):
        assert "endpoint not found (404)" in (await run(*arguments, code=1)).stderr
    assert "nothing is to be changed" in (await run("update", "x", code=1)).stderr
    wrong = await run("list", "--token", "x", code=1)
    assert "(401)" in wrong.stderr


async def test_a_ping_shows_what_came_of_it_and_fails_if_it_was_not_accepted(rest: Any, run: Run) -> None:
    async with Receiver() as receiver:
        await run("create", receiver.url)
        (endpoint,) = rest.deps.endpoints.all()
        receiver.behaviour = lambda _: status(200, b"thanks\x1b[2J [bold]")
        accepted = await run("ping", endpoint.id, "--event", "recording.success")
        assert json.loads(receiver.deliveries[0].body)["type"] == "recording.success"
        receiver.behaviour = lambda _: status(401)
        refused = await run("ping", endpoint.id, code=1)
        answer = json.loads((await run("ping", endpoint.id, "--json", code=1)).stdout)
    for text in ("accepted", "200", "first_byte", "thanks\ufffd[2J [bold]"):
        assert text in accepted.stdout
    for text in ("failed", "401", "http_4xx", "callboard verify"):
        assert text in refused.stdout
    assert (answer["outcome"], answer["error"]) == ("failed", "http_4xx")


async def test_attempts_are_listed_over_several_pages(rest: Any, run: Run) -> None:
    await run("create", "https://a.example/")
    endpoint_id = rest.deps.endpoints.all()[0].id
    (event,) = await rest.deps.ledger.commit(joined("s1", RandomIds(), SystemClock()))
    event_id = event.id
    await log_attempts(rest.deps.database, endpoint_id, event_id)
    lines = (await run("attempts", endpoint_id, "--limit", "1000", "--json")).stdout.splitlines()
    assert len(lines) == len(set(lines)) == 28
    assert json.loads(lines[0])["event_id"] == event_id
    few = await run("attempts", endpoint_id, "--limit", "2")
    assert "timeout_answer" not in few.stdout
    assert few.stdout.count(event_id) == 2
    failed = await run("attempts", endpoint_id, "--outcome", "failed", "--error", "timeout_answer")
    assert failed.stdout.count(event_id) == 1
    of_event = await run("attempts", "--of-event", event_id)
    assert of_event.stdout.count(event_id) == 4
    assert "one of them" in (await run("attempts", code=1)).stderr
    assert "outcome: must be" not in of_event.output


async def test_an_event_nobody_was_sent_has_no_attempts(rest: Any, run: Run) -> None:
    (event,) = await rest.deps.ledger.commit(joined("s1", RandomIds(), SystemClock()))
    assert "There is no such attempt" in (await run("attempts", "--of-event", event.id)).stderr
    assert "--outcome" in (await run("attempts", "--of-event", event.id, "--outcome", "failed", code=1)).stderr
