"""`Idempotency-Key`: a POST that is sent twice does its work once."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any

import pytest

from callboard.api import idempotency
from callboard.api.idempotency import Answers, Asked, Reply
from callboard.clock import NANOSECONDS, SystemClock
from callboard.database import Database, Put, Unit, open_database
from callboard.database.tables import IDEMPOTENT_ANSWER
from callboard.webhooks.vault import MasterKey, Vault

KEY = {"idempotency-key": "0c8f81c2-801d-4579-9767-98ac9934d4d4"}
ASKED = Asked("access", "/v2/rooms", "key", "digest")


async def post(rest: Any, path: str, body: object, **how: Any) -> Any:
    return await rest.ask("POST", path, data=json.dumps(body), headers=KEY | how.pop("headers", {}), **how)


async def rooms(rest: Any) -> int:
    return len((await rest.get("/v2/rooms"))["data"])


async def test_the_same_request_again_gets_the_same_answer_and_does_nothing(rest: Any) -> None:
    first = await post(rest, "/v2/rooms", {})
    again = await post(rest, "/v2/rooms", {})
    assert (again.status, again.body) == (first.status, first.body) == (200, first.body)
    assert ("idempotent-replayed" in first.headers, again.headers["idempotent-replayed"]) == (False, "true")
    assert await rooms(rest) == 1


async def test_without_the_header_every_request_does_its_work(rest: Any) -> None:
    for _ in range(2):
        await rest.post("/v2/rooms", {})
    assert await rooms(rest) == 2


async def test_the_same_key_with_another_body_or_query_is_refused(rest: Any) -> None:
    await post(rest, "/v2/rooms", {})
    for answer in (await post(rest, "/v2/rooms", {"name": "x"}), await post(rest, "/v2/rooms?a=b", {})):
        assert (answer.status, answer.json()["message"]) == (422, "Unprocessable Entity")
    assert await rooms(rest) == 1


async def test_a_key_is_for_one_path(rest: Any) -> None:
    await post(rest, "/v2/rooms", {})
    assert (await post(rest, "/v2/polls", {})).status == 200


async def test_a_refusal_is_an_answer_too(rest: Any) -> None:
    first = await post(rest, "/v2/rooms", {"size": -1})
    again = await post(rest, "/v2/rooms", {"size": -1})
    assert (first.status, again.body, again.headers["idempotent-replayed"]) == (400, first.body, "true")


async def test_twins_at_the_same_time_are_one_piece_of_work(rest: Any) -> None:
    answers = await asyncio.gather(*(post(rest, "/v2/rooms", {}) for _ in range(20)))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert await rooms(rest) == 1


async def test_without_a_valid_token_nothing_is_kept_and_nothing_is_told(rest: Any) -> None:
    assert (await post(rest, "/v2/rooms", {}, token="")).status == 401
    await post(rest, "/v2/rooms", {})
    for token in ("", "x"):
        answer = await post(rest, "/v2/rooms", {}, token=token)
        assert (answer.status, "idempotent-replayed" in answer.headers) == (401, False)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "\x80"])
async def test_a_key_that_is_none_is_refused(rest: Any, key: str) -> None:
    answer = await post(rest, "/v2/rooms", {}, headers={"idempotency-key": key})
    assert answer.status == 400
    assert await rooms(rest) == 0


async def test_a_body_that_is_too_long_is_refused_and_the_key_stays_free(rest: Any) -> None:
    assert (await post(rest, "/v2/rooms", {"description": "x" * 200_000})).status == 413
    assert (await post(rest, "/v2/rooms", {})).status == 200


async def test_after_a_day_a_key_is_new_again(rest: Any) -> None:
    await post(rest, "/v2/rooms", {})
    rest.deps.clock.instant += 86_500 * NANOSECONDS
    rest.token = rest.deps.tokens.mint_management_token()
    assert "idempotent-replayed" not in (await post(rest, "/v2/rooms", {})).headers
    assert await rooms(rest) == 2


async def test_what_a_dead_process_left_begun_is_not_done_again(rest: Any) -> None:
    await post(rest, "/v2/rooms", {})
    rows = await rest.deps.database.fetch(
        "idempotent_answer",
        access_key=rest.deps.workspace.access_key,
        path="/v2/rooms",
        key=KEY["idempotency-key"],
    )
    begun = (*rows[0][:4], 0, "", rows[0][6])
    await rest.deps.database.commit(Unit((Put(IDEMPOTENT_ANSWER, begun),)))
    answer = await post(rest, "/v2/rooms", {})
    assert answer.status == 409
    assert "whether it did its work is not known" in answer.json()["details"][0]
    assert await rooms(rest) == 1


def answers(database: Database, clock: Any) -> Answers:
    """Answers that are sealed."""
    return Answers(database, clock, Vault([MasterKey.of(b"k" * 32)], secrets.token_bytes, "here"))


async def test_a_kept_answer_is_sealed(rest: Any) -> None:
    kept = answers(rest.deps.database, rest.deps.clock)

    async def work() -> Reply:
        return Reply(200, (), b'{"secret":"hunter2"}')

    await kept.once(ASKED, work)
    rows = await rest.deps.database.fetch("idempotent_answer", access_key="access", path="/v2/rooms", key="key")
    assert "hunter2" not in str(rows)
    assert (await kept.once(ASKED, work)).body == b'{"secret":"hunter2"}'


@pytest.mark.parametrize("status", [500, 503, 429, 409])
async def test_an_answer_that_says_nothing_of_the_work_is_not_kept(rest: Any, status: int) -> None:
    kept, calls = answers(rest.deps.database, rest.deps.clock), []

    async def work() -> Reply:
        calls.append(1)
        return Reply(status, (), b"{}")

    assert [(await kept.once(ASKED, work)).status for _ in range(2)] == [status, status]
    assert len(calls) == 2


async def test_twins_at_several_nodes_are_one_piece_of_work(postgresql_url: str) -> None:
    databases = [open_database(postgresql_url) for _ in range(3)]
    for database in databases:
        await database.open()
    nodes, calls = [answers(database, SystemClock()) for database in databases], []

    async def work() -> Reply:
        calls.append(1)
        await asyncio.sleep(0.3)
        return Reply(200, (), b"%d" % len(calls))

    replies = await asyncio.gather(*(nodes[n % 3].once(ASKED, work) for n in range(9)))
    assert [(reply.status, reply.body) for reply in replies] == [(200, b"1")] * 9
    others = [Asked("access", "/v2/rooms", f"key-{n // 3}", "digest") for n in range(60)]
    calls.clear()
    await asyncio.gather(*(nodes[n % 3].once(asked, work) for n, asked in enumerate(others)))
    assert len(calls) == 20
    for database in databases:
        await database.close()


async def test_work_of_another_node_that_is_not_answered_in_time_is_not_done_again(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be at work, or dead."""
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.5)
    one, two = open_database(postgresql_url), open_database(postgresql_url)
    for database in (one, two):
        await database.open()
    go = asyncio.Event()

    async def work() -> Reply:
        await go.wait()
        return Reply(200, (), b"{}")

    first = asyncio.create_task(answers(one, SystemClock()).once(ASKED, work))
    other = answers(two, SystemClock())
    while not await two.fetch("idempotent_answer", access_key="access", path="/v2/rooms", key="key"):
        await asyncio.sleep(0.01)
    reply = await other.once(ASKED, work)
    assert (reply.status, b"is not known" in reply.body) == (409, True)
    go.set()
    await first
    assert (await other.once(ASKED, work)).headers[1] == (b"idempotent-replayed", b"true")
    for database in (one, two):
        await database.close()


async def test_work_that_was_begun_ends_and_is_kept_when_nobody_waits_any_more(rest: Any) -> None:
    kept, go = answers(rest.deps.database, rest.deps.clock), asyncio.Event()

    async def work() -> Reply:
        await go.wait()
        return Reply(200, (), b"{}")

    waiting = asyncio.create_task(kept.once(ASKED, work))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go.set()
    assert (await kept.once(ASKED, work)).headers[1] == (b"idempotent-replayed", b"true")
