"""`callboard trigger`, `replay` and `verify`, as a user types them, against a real API and a real receiver."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from callboard.cli import app
from callboard.clock import RandomIds, SystemClock
from callboard.testing.facts import joined
from callboard.testing.receiver import OK, Answer, Delivery, Receiver
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.reach import resolve
from callboard.webhooks.replays.desk import Desk, View
from callboard.webhooks.replays.line import Client
from callboard.webhooks.replays.service import ReplayService
from callboard.webhooks.sender import SenderSettings
from callboard.webhooks.tls import system_context


class Done(NamedTuple):
    code: int
    out: str
    err: str


class Home:
    """A server with an endpoint, and a folder to type commands in."""

    def __init__(self, rest: Any, receiver: Receiver, folder: Path) -> None:
        self.rest = rest
        self.receiver = receiver
        self.folder = folder

    async def run(self, *arguments: str) -> Done:
        """In a thread of this process: starting another takes seconds."""
        return await asyncio.to_thread(typed, *arguments, CALLBOARD_TOKEN=self.rest.token)

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """In a process of its own, which can be interrupted, also where these tests ignore SIGINT (as what a shell runs
        in the background does)."""
        return await asyncio.create_subprocess_exec(
            *("env", "--default-signal=INT", sys.executable, "-m", "callboard", *arguments),
            cwd=self.folder,
            env={**os.environ, "CALLBOARD_TOKEN": self.rest.token},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


def typed(*arguments: str, **environment: str) -> Done:
    """What a command came to."""
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", **environment})
    return Done(result.exit_code, result.stdout, result.stderr)


@pytest.fixture
async def home(rest: Any, served: Any, tmp_path: Path) -> AsyncIterator[Home]:
    clock, ids, deps = SystemClock(), RandomIds(3), rest.deps
    client = Client(SenderSettings(timeout=60.0), system_context(), resolve)
    service = ReplayService(
        *(deps.database, deps.ledger, deps.endpoints, clock, ids, client),
        account_id=deps.workspace.id,
        per_second=50.0,
    )
    dispatcher = Dispatcher(deps.database, deps.ledger, deps.endpoints, clock, random.Random(1))
    await dispatcher.start()
    await service.start()
    async with (
        Receiver() as receiver,
        served(replace(deps, clock=clock, replays=service.desk), rest.live, rest.ready) as other,
    ):
        endpoint = await deps.endpoints.create(EndpointRequest(url=receiver.url))
        receiver.secret = endpoint.secrets[0]
        yield Home(other, receiver, tmp_path)
        await service.stop()
        await dispatcher.stop()


async def test_a_triggered_event_arrives_as_the_real_thing_and_says_that_it_is_none(home: Home) -> None:
    done = await home.run(
        *("trigger", "beam.started.success", "--server", home.rest.url, "--set", "start_delay=9"),
        *("--set", 'rtmp=[{"url": "rtmp://example.org/live"}]', "--set", "beam_id=42"),
    )
    assert done.code == 0, done.err
    (delivery,) = home.receiver.deliveries
    body = json.loads(delivery.body)
    assert delivery.header("callboard-test") == ["true"]
    assert delivery.verified
    assert body["is_test"] is True
    assert (body["data"]["start_delay"], body["data"]["beam_id"]) == (9, "42")
    assert body["data"]["rtmp"] == [{"url": "rtmp://example.org/live"}]
    assert f"Sent {delivery.id}" in done.out
    assert "accepted  200" in done.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("peer.left",), "unknown event type 'peer.left'"),
        (("peer.leave.success", "--set", "durations=1"), "did you mean duration?"),
        (("peer.leave.success", "--set", "duration"), "must be FIELD=VALUE"),
        (("peer.leave.success", "--set", "duration=long"), "duration: Expected `int`, got `str`"),
    ],
)
def test_what_cannot_be_triggered_is_said_before_anything_is_sent(arguments: tuple[str, ...], said: str) -> None:
    done = typed("trigger", *arguments, "--server", "http://127.0.0.1:9", CALLBOARD_TOKEN="x")
    assert done.code == 2
    assert said.split(maxsplit=1)[0] in done.err
    assert "Traceback" not in done.err
    assert "".join(said.split()) in "".join(done.err.replace("│", "").split())


async def test_a_replay_is_watched_to_its_end(home: Home) -> None:
    events = [
        one for _ in range(5) for one in await home.rest.deps.ledger.commit(joined("s", RandomIds(), SystemClock()))
    ]
    await home.receiver.until_accepted(5)
    done = await home.run("replay", "--status", "all", "--type", "peer.*", "--server", home.rest.url)
    assert done.code == 0, done.err
    assert "completed: 5 of 5 delivered, 0 failed." in done.out
    assert [delivery.id for delivery in home.receiver.deliveries[5:]] == [event.id for event in events]
    one = await home.run("replay", events[2].id, "--server", home.rest.url, "--json")
    assert json.loads(one.out)["progress"] == {"total": 1, "completed": 1, "failed": 0}
    unknown = await home.run("replay", "nobody", "--server", home.rest.url)
    assert (unknown.code, unknown.out) == (1, "")
    assert "event not found (404)" in unknown.err


async def test_ctrl_c_cancels_a_replay(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[str] = []
    view = Desk.view

    async def counted(desk: Desk, replay_id: str) -> View:
        looks.append(replay_id)
        return await view(desk, replay_id)

    monkeypatch.setattr(Desk, "view", counted)
    for _ in range(60):  # a minute's work: there is time for Ctrl-C on a busy machine too
        await home.rest.deps.ledger.commit(joined("s", RandomIds(), SystemClock()))
    await home.receiver.until_accepted(60)
    home.receiver.behaviour = lambda _: Answer(OK.data, delay=1.0)
    process = await home.start("replay", "--status", "all", "--server", home.rest.url)
    await home.receiver.until(lambda: len(home.receiver.deliveries) > 62)
    async with asyncio.timeout(60):
        while len(looks) < 2:  # it has looked at it once: Ctrl-C before that would be one of Python's start
            await asyncio.sleep(0.05)
    process.send_signal(2)
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 1
    assert out.decode().startswith("Canceled: ")


def headers_of(delivery: Delivery) -> str:
    return "".join(f"{name}: {value}\n" for name, value in delivery.headers)


async def test_verify_says_which_part_is_wrong(home: Home) -> None:
    await home.rest.deps.ledger.commit(joined("s", RandomIds(), SystemClock()))
    await home.receiver.until_accepted(1)
    (delivery,) = home.receiver.deliveries
    (home.folder / "headers").write_text(headers_of(delivery))
    (home.folder / "body").write_bytes(delivery.body)
    (home.folder / "again").write_text(json.dumps(json.loads(delivery.body), indent=1))
    (home.folder / "secret").write_text(f"{home.receiver.secret}\n")
    headers = f"--headers={home.folder / 'headers'}"

    async def verified(body: str, *more: str, secret: str = f"@{home.folder / 'secret'}") -> Done:
        return await home.run("verify", str(home.folder / body), headers, "--secret", secret, *more)

    genuine = await verified("body")
    assert genuine.code == 0, genuine
    assert genuine.out.endswith("It is genuine.\n")
    old = await verified("body", "--now", "1")
    assert old.code == 1
    assert "WRONG  clock" in old.out
    assert "ok     secret" in old.out
    rewritten = await verified("again")
    assert rewritten.code == 1
    assert "WRONG  body" in rewritten.out
    other = await verified("body", secret="whsec_" + "A" * 32)
    assert other.code == 1
    assert "WRONG  secret" in other.out
    assert str(home.receiver.secret) not in genuine.out + old.out + other.out
    missing = await home.run("verify", str(home.folder / "body"), headers)
    assert missing.code == 2
    assert "CALLBOARD_WEBHOOK_SECRET" in missing.err
