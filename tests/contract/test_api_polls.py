"""`/v2/polls` (platform.md §2.12, §3.11)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callboard.database import Unit
from callboard.rooms.polls import Given, Response, Run, response_row, run_row

ABSENT = "5f9edc6ac238215aec2312df"


def question(text: str, **body: Any) -> dict[str, Any]:
    """A question as the platform's documentation has it."""
    return {
        "index": 1,
        "text": text,
        "format": "text",
        "attachment": [{"type": "mimetype", "url": "url"}],
        "skippable": True,
        "duration": 0,
        "once": False,
        "weight": 2,
        "answer_min_len": 1,
        "answer_max_len": 1024,
        "type": "single-choice",
        "answer": {"hidden": False, "options": [1, 2], "text": "option1", "case": False, "trim": True},
        "options": [{"index": n, "text": f"option{n}", "weight": 1} for n in (1, 2, 3)],
        **body,
    }


POLL: dict[str, Any] = {
    "title": "first poll",
    "duration": 235,
    "anonymous": True,
    "mode": "userid",
    "type": "poll",
    "start": "auto",
    "questions": [question("q1"), question("q2", index=2)],
}


@pytest.fixture
async def path(rest: Any) -> str:
    return f"/v2/polls/{(await rest.post('/v2/polls', POLL))['id']}"


async def stored(rest: Any, path: str) -> list[str]:
    """Two runs of the poll and five answers, one of which replaces another; the ids of the answers, oldest first."""
    poll = await rest.deps.polls.get(path.rpartition("/")[2])
    runs = [
        Run(id=f"{n:024x}", session_id=f"{n + 9:024x}", room_id=ABSENT, poll=poll, created_at=1, started_at=n * 10**9)
        for n in (1, 2)
    ]
    runs[0] = msgspec.structs.replace(runs[0], stopped_at=10**10, responses=5, participants=3)
    answers = [
        Response(
            id=f"{n:024x}",
            poll_id=poll.id,
            session_id=runs[0].session_id,
            question=1 + n % 2,
            participant=f"p{n}",
            peer_id=f"peer{n}",
            user_id=f"user{n}",
            user_name="",
            role="guest",
            given=Given(options=(n % 3 + 1,)),
            duration=1500,
            retries=int(n == 4),
            original=f"{2:024x}" if n == 4 else "",
            final=n != 2,
            score=n,
            sent_at=n * 10**9,
        )
        for n in range(5)
    ]
    await rest.deps.database.commit(Unit((*map(run_row, runs), *map(response_row, answers))))
    return [one.id for one in answers]


async def test_the_documented_poll_is_taken_and_shown_as_it_was_written(rest: Any, path: str) -> None:
    shown = await rest.get(path)
    assert {name: shown[name] for name in POLL if name != "questions"} == {
        name: value for name, value in POLL.items() if name != "questions"
    }
    for before, after in zip(POLL["questions"], shown["questions"], strict=True):
        assert {name: after[name] for name in before} == before


async def test_an_update_replaces_the_poll(rest: Any, path: str) -> None:
    new = await rest.post(path, {"title": "second", "questions": []})
    assert (new["title"], new["questions"], new["duration"], new["mode"]) == ("second", [], 0, "userid")
    assert await rest.get(path) == new


async def test_a_question_is_replaced_or_added_at_the_end(rest: Any, path: str) -> None:
    assert (await rest.post(f"{path}/questions/2", question("new")))["index"] == 2
    assert (await rest.post(f"{path}/questions/3", question("more")))["index"] == 3
    assert [one["text"] for one in (await rest.get(path))["questions"]] == ["q1", "new", "more"]
    answer = await rest.post(f"{path}/questions/5", question("far"), 404)
    assert (answer["message"], answer["details"]) == ("question not found", ["the next one would be 4"])


async def test_behind_a_deleted_question_the_others_move_up(rest: Any, path: str) -> None:
    assert (await rest.ask("DELETE", f"{path}/questions/1")).status == 204
    assert [(one["index"], one["text"]) for one in (await rest.get(path))["questions"]] == [(1, "q2")]
    assert (await rest.ask("DELETE", f"{path}/questions/2")).status == 404


async def test_options_are_written_added_and_deleted_and_right_answers_stay_with_theirs(rest: Any, path: str) -> None:
    options = f"{path}/questions/1/options"
    assert (await rest.post(f"{options}/2", {"text": "two"})) == {"index": 2, "text": "two", "weight": 1}
    assert (await rest.post(f"{options}/4", {"text": "four", "weight": 3}))["index"] == 4
    assert (await rest.ask("DELETE", f"{options}/1")).status == 204
    found = (await rest.get(path))["questions"][0]
    assert [(one["index"], one["text"]) for one in found["options"]] == [(1, "two"), (2, "option3"), (3, "four")]
    assert found["answer"]["options"] == [1]
    for method, place in (("POST", f"{options}/9"), ("DELETE", f"{options}/9")):
        assert (await rest.ask(method, place, data='{"text": "x"}')).status == 404
    assert (await rest.ask("DELETE", f"{path}/questions/9/options/1")).status == 404


async def test_runs_are_listed_newest_first(rest: Any, path: str) -> None:
    await stored(rest, path)
    page = await rest.get(f"{path}/sessions", limit=1)
    assert (page["limit"], page["sessions"][0]["stopped_at"]) == (1, "")
    page = await rest.get(f"{path}/sessions", limit=1, start=page["last"])
    assert page == {
        "limit": 1,
        "last": "",
        "sessions": [
            {
                "id": f"{1:024x}",
                "poll_id": path.rpartition("/")[2],
                "session_id": f"{10:024x}",
                "started_at": "1970-01-01T00:00:01Z",
                "stopped_at": "1970-01-01T00:00:10Z",
                "total_responses": 5,
                "unique_participants": 3,
            }
        ],
    }


async def test_answers_are_listed_without_those_that_were_replaced_unless_all_are_asked_for(
    rest: Any, path: str
) -> None:
    ids = await stored(rest, path)
    page = await rest.get(f"{path}/responses")
    assert [one["id"] for one in page["responses"]] == [ids[4], ids[3], ids[1], ids[0]]
    assert [one["id"] for one in (await rest.get(f"{path}/responses", all="true"))["responses"]] == ids[::-1]
    of_second = await rest.get(f"{path}/responses", question=2)
    assert [one["id"] for one in of_second["responses"]] == [ids[3], ids[1]]
    updating = page["responses"][0]
    assert (updating["update"], updating["original_response"], updating["retries"]) == (True, ids[2], 1)
    assert await rest.get(f"{path}/responses/{ids[4]}") == updating
    await rest.get(f"{path}/responses/{ABSENT}", 404)


async def test_results_are_listed_a_page_at_a_time_and_read_one_by_one(rest: Any, path: str) -> None:
    ids = await stored(rest, path)
    first = await rest.get(f"{path}/results", limit=3)
    second = await rest.get(f"{path}/results", limit=3, start=first["last"])
    results = [one for page in (first, second) for one in page["results"]]
    assert [(one["id"], one["score"]) for one in results] == [(ids[4], 4), (ids[3], 3), (ids[1], 1), (ids[0], 0)]
    assert second["last"] == ""
    assert await rest.get(f"{path}/results/{ids[4]}") == results[0]
    assert set(results[0]) == {"id", "poll_id", "session_id", "question", "duration", "peer_id", "user_id", "score"}


async def test_an_answer_of_another_poll_is_not_found_under_this_one(rest: Any, path: str) -> None:
    ids = await stored(rest, path)
    other = (await rest.post("/v2/polls", {}))["id"]
    await rest.get(f"/v2/polls/{other}/responses/{ids[0]}", 404)
    await rest.get(f"/v2/polls/{other}/results/{ids[0]}", 404)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"mode": "x"}, 'mode: must be "peerid", "userid" or "username"'),
        ({"duration": -1}, "duration: must be an integer from 0 to 43200"),
        ({"questions": [{"text": "?"}]}, "questions[0].type: is required"),
        ({"questions": [question("?", options=[])]}, "questions[1].options: a single-choice question needs options"),
        ({"questions": [question("?")] * 51}, "questions: must be a list of at most 50 items"),
        ({"titel": "?"}, "titel: there is no such key; did you mean title?"),
    ],
)
async def test_a_wrong_poll_is_refused_with_its_place(rest: Any, body: dict[str, Any], detail: str) -> None:
    answer = await rest.post("/v2/polls", body, 400)
    assert any(found.startswith(detail) for found in answer["details"]), answer


@pytest.mark.parametrize("part", ["", "/sessions", "/responses", "/results", "/responses/x", "/results/x"])
async def test_what_belongs_to_a_poll_that_is_not_there_is_404(rest: Any, part: str) -> None:
    await rest.get(f"/v2/polls/{ABSENT}{part}", 404)


@pytest.mark.parametrize("number", ["0", "51", "x", "1.5", "-1"])
async def test_a_question_number_that_is_none_is_refused(rest: Any, path: str, number: str) -> None:
    answer = await rest.ask("DELETE", f"{path}/questions/{number}")
    assert (answer.status, answer.json()["details"]) == (400, ["question: must be an integer from 1 to 50"])
