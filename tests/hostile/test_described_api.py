"""Schemathesis against a real server, over the server's own description: no 5xx but the 501 that is described, every
answer as described, and a call that goes on meanwhile is not disturbed.

`CALLBOARD_FUZZ_SECONDS` and `CALLBOARD_FUZZ_SEED` make it longer and another.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.demo.check import check
from callboard.demo.peer import Peer
from callboard.testing.play import Play, play

pytestmark = [pytest.mark.media, pytest.mark.timeout(400)]

SECONDS = int(os.environ.get("CALLBOARD_FUZZ_SECONDS", "15"))
SEED = os.environ.get("CALLBOARD_FUZZ_SEED", "1")
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
LEFT_OUT = re.compile(r"/v2/events/stream|/v2/analytics/webhooks/replay.*")
"""What does not end by itself, and what would deliver the events of the call again."""


def here(operation: dict[str, Any]) -> bool:
    """Whether the operation does something: what answers 501 is a server error to Schemathesis."""
    return "501" not in operation["responses"]


def narrowed(document: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """The description without what answers 501, and with ids that there are, so that more than 404 is seen."""
    paths = {}
    for path, operations in document["paths"].items():
        kept = {method: one for method, one in operations.items() if here(one)}
        for one in kept.values():
            for parameter in one.get("parameters", []):
                if parameter["in"] == "path" and parameter["name"] in known:
                    parameter["schema"] = {
                        "type": "string",
                        "enum": [known[parameter["name"]], "5f9edc6ac238215aec2312df"],
                    }
        if kept and not LEFT_OUT.fullmatch(path):
            paths[path] = kept
    return document | {"paths": paths}


async def things(stage: Play) -> tuple[dict[str, str], Peer]:
    """What is to be used badly, by the names of path parameters: Schemathesis finds other ids by itself otherwise, and
    pauses the endpoint that our own events go to."""
    post, tokens = stage.stage.rest.post, stage.stage.tokens
    template = await post("/v2/templates", {"name": "victim", "roles": {"host": {}, "guest": {}}})
    room = await post("/v2/rooms", {"name": "victim", "template_id": template["id"]})
    poll = await post("/v2/polls", {"questions": [{"text": "?", "type": "short-answer"}]})
    endpoint = await post("/v2/webhook-endpoints", {"url": "http://127.0.0.1:9/"})
    token = tokens.mint_app_token(room["id"], "host", "victim")
    peer = Peer(stage.server.base_url, token, "Victim", clock=SystemClock(), ids=RandomIds())
    await peer.join()
    (event, *_), _ = await stage.stage.rest.ledger(room["id"])  # to be expunged: not one of the call that goes on
    ids = {
        "event_id": event.event.id,
        "room_id": room["id"],
        "template_id": template["id"],
        "poll_id": poll["id"],
        "peer_id": peer.peer_id,
    }
    return ids | {"role": "guest", "question": "1", "option": "1", "endpoint_id": endpoint["id"]}, peer


async def run(stage: Play, folder: Path, document: dict[str, Any]) -> str:
    """What Schemathesis found; "" when nothing. Each operation is tried however long that takes, then those that chance
    wants for `SECONDS`."""
    file = folder / "openapi.json"
    file.write_text(json.dumps(document))
    found, text = await phase(stage, file, "coverage")
    tried = re.search(r"Selected: (\d+)/.*\n *Tested: (\d+)", text)
    assert tried, text
    assert int(tried[1]) == int(tried[2]) > 60, "every operation was tried"
    return found or (await phase(stage, file, "fuzzing", "--max-time", str(SECONDS)))[0]


async def phase(stage: Play, file: Path, name: str, *options: str) -> tuple[str, str]:
    """What one phase of Schemathesis found, "" when nothing, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(file), "--url", stage.server.base_url),
        *("--checks", ",".join(CHECKS), "--phases", name, *options),
        *("--continue-on-failure", "--no-shrink", "--generation-database", "none", "--request-timeout", "10"),
        *("--header", f"Authorization: Bearer {stage.server.management_token()}", "--no-color", "--seed", SEED),
        *(
            "--suppress-health-check",
            "all",
            "--warnings",
            "off",
            "--workers",
            "1",
        ),  # two threads in CPython 3.11's `ast` at once can fail (gh-106905)
        cwd=file.parent,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await asyncio.wait_for(process.communicate(), SECONDS + 150)
    text = printed.decode(errors="replace")
    (file.parent / f"schemathesis-{name}.log").write_text(text)
    return "" if process.returncode == 0 else text, text


async def settled(stage: Play) -> None:
    """The backend was told all that happened in the call, once and in order, and nothing else of that room."""
    room_id = stage.stage.room_id
    records, _ = await stage.stage.rest.ledger(room_id)
    wanted = {record.event.id for record in records}
    await stage.inbox.until(lambda: wanted <= {one.event.id for one in stage.inbox.delivered}, 20.0, "all events")
    told = [one.event for one in stage.inbox.delivered if one.event.text("room_id") == room_id]
    findings = check(told, [record.event for record in records])
    assert not findings, findings


async def test_no_request_that_can_be_described_breaks_the_server_or_a_call(tmp_path: Path) -> None:
    async with play(tmp_path) as stage:
        ann, ben = stage.peer("Ann", "viewer"), stage.peer("Ben", "viewer")
        await ann.join()
        await ben.join()
        known, victim = await things(stage)
        document = await stage.stage.rest.get("/v2/openapi.json")
        found = await run(stage, tmp_path, narrowed(document, known))
        await victim.close()
        assert not found, found[-20_000:]
        assert (await stage.stage.rest.get("/readyz"))["status"] == "ok"
        assert ann.peer_id in ben.roster, "the call went on"
        await ann.leave()
        await ben.leave()
        await stage.told("session.close.success", room_id=stage.stage.room_id)
        await settled(stage)
        assert "Traceback" not in stage.server.log_file.read_text()
