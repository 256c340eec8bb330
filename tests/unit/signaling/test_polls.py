"""Polls and quizzes as clients say and hear them: real rooms and SQLite, sockets in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callboard.database import Unit
from callboard.rooms.polls import Option, PollBody, Question, run_row
from callboard.rooms.rooms import RoomRequest
from callboard.testing.house import House, Phone, Refused, open_house

CHOICE = {
    "question": {"index": 1, "text": "Tea?", "type": "single-choice", "weight": 2},
    "options": [{"index": 1, "text": "yes"}, {"index": 2, "text": "no"}],
    "answer": {"hidden": True, "option": 2},
}
TEXT = {
    "question": {"index": 2, "text": "Where?", "type": "short-answer"},
    "answer": {"hidden": False, "text": "Paris", "trim": True, "case": False},
}

OWN: dict[str, Any] = {"self": True}
ALL: dict[str, Any] = {"self": False}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


async def refused(phone: Phone, method: str, **params: object) -> int:
    with pytest.raises(Refused) as problem:
        await phone.call(method, **params)
    return problem.value.code


async def draft(phone: Phone, *questions: dict[str, Any], poll_id: str = "quiz-1", **info: Any) -> str:
    """A poll with questions, not started."""
    made = await phone.call("poll-info-set", poll_id=poll_id, title="T", **{"type": "quiz", **info})
    counted = await phone.call(
        "poll-questions-set", poll_id=made["poll_id"], questions=list(questions or (CHOICE, TEXT))
    )
    assert counted["total_questions"] == len(questions or (CHOICE, TEXT))
    return str(made["poll_id"])


async def running(phone: Phone, *questions: dict[str, Any], **info: Any) -> str:
    poll_id = await draft(phone, *questions, **info)
    await phone.call("poll-start", poll_id=poll_id)
    return poll_id


def say(question: int, **answer: Any) -> dict[str, Any]:
    return {"question": question, "questionIndex": question, "type": "single-choice", "duration": 10, **answer}


async def test_a_poll_goes_from_draft_to_its_end_and_everybody_is_told(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await draft(ann, type="poll", duration=0, vote=[], responses=[])
    assert (await ben.call("poll-list", count=50, state="created"))["polls"] == [], "drafts are for who may write"
    (listed,) = (await ann.call("poll-list", count=50, state="created"))["polls"]
    assert (listed["state"], listed["created_by"], listed["questions_count"]) == ("created", "ann", 2)

    assert await ann.call("poll-start", poll_id=poll_id) == {"poll_id": poll_id, "duration": 0}
    for phone in (ann, ben):
        (told,) = (await phone.hear("on-poll-start"))["params"]["polls"]
        assert (told["poll_id"], told["state"], told["started_by"]) == (poll_id, "started", "ann")

    answered = await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=1), say(2, text="Rome")])
    assert [one["question"] for one in answered["result"]] == [1, 2]
    (stats,) = (await ann.hear("on-poll-stats"))["params"]["polls"]
    assert (stats["user_count"], stats["max_user"], stats["total_response"]) == (1, 2, 2)
    assert stats["questions"][0] == {
        "question": 1,
        "type": "single-choice",
        "options": [1, 0],
        "correct": 0,
        "skipped": 0,
        "total": 1,
    }

    await ann.call("poll-stop", poll_id=poll_id)
    for phone in (ann, ben):
        (told,) = (await phone.hear("on-poll-stop"))["params"]["polls"]
        assert (told["state"], told["stopped_by"]) == ("stopped", "ann")
        result = await phone.call("poll-result", poll_id=poll_id)
        assert result["questions"][0]["options"] == [1, 0]
    assert await refused(ben, "poll-response", poll_id=poll_id, responses=[say(1, option=1)]) == 409


async def test_who_may_not_read_polls_hears_nothing_of_them_and_who_may_not_write_cannot(house: House) -> None:
    ann, ben, eve = await house.join("ann", "host"), await house.join("ben"), await house.join("eve", "speaker")
    poll_id = await running(ann)
    await ben.hear("on-poll-start")
    assert "on-poll-start" not in eve.methods()
    assert await refused(eve, "poll-response", poll_id=poll_id, responses=[say(1, option=1)]) == 403
    assert await refused(eve, "poll-result", poll_id=poll_id) == 403
    assert (await eve.call("poll-list"))["polls"] == []
    writing: dict[str, dict[str, Any]] = {
        "poll-info-set": {"title": "x", "type": "poll"},
        "poll-questions-set": {"poll_id": poll_id, "questions": []},
        "poll-start": {"poll_id": poll_id},
        "poll-stop": {"poll_id": poll_id},
    }
    for method, params in writing.items():
        assert await refused(ben, method, **params) == 403


async def test_a_hidden_answer_is_not_shown_before_the_end(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await running(ann)
    asked = await ben.call("poll-questions-get", poll_id=poll_id, index=0, count=50)
    assert asked["last"]
    assert "answer" not in asked["questions"][0]
    assert asked["questions"][1]["answer"]["text"] == "Paris", "this one is not hidden"
    assert (await ann.call("poll-questions-get", poll_id=poll_id))["questions"][0]["answer"]["option"] == 2
    right = await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=2), say(2, text=" paris ")])
    assert [one["correct"] for one in right["result"]] == [False, True], "whether a hidden one is right is hidden too"
    await ann.call("poll-stop", poll_id=poll_id)
    assert (await ben.call("poll-questions-get", poll_id=poll_id))["questions"][0]["answer"]["option"] == 2


async def test_an_answer_in_a_quiz_stands_and_the_same_again_is_the_same(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await running(ann)
    await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=2)])
    await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=2)])
    assert await refused(ben, "poll-response", poll_id=poll_id, responses=[say(1, option=1)]) == 409
    (own,) = (await ben.call("poll-responses", poll_id=poll_id, index=0, count=50, **OWN))["responses"]
    assert own["response"] | {"response_id": ""} == {
        "response_id": "",
        "question": 1,
        "type": "single-choice",
        "option": 2,
        "skipped": False,
        "update": False,
    }
    assert (own["peer"]["peerid"], own["peer"]["userid"]) == ("ben", "user of ben")


async def test_an_answer_to_a_poll_may_be_changed_and_counts_once(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await running(ann, type="poll")
    for option in (1, 2, 1):
        await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=option)])
    result = await ann.call("poll-result", poll_id=poll_id)
    assert result["questions"][0]["options"] == [1, 0]
    assert (result["user_count"], result["total_response"]) == (1, 1)
    kept = await house.polls.responses(poll_id, 10, superseded=True)
    assert [(one.final, one.retries, bool(one.original)) for one in kept] == [
        (True, 2, True),
        (False, 1, True),
        (False, 0, False),
    ]


async def test_one_user_on_two_devices_counts_as_the_poll_says(house: House) -> None:
    ann = await house.join("ann", "host")
    phones = []
    for device in ("b1", "b2"):
        phone = house.dial(device, "guest", user="ben")
        await phone.hear("on-policy-change")
        await phone.call("join", name="Ben", data="")
        phones.append(phone)
    counted = {}
    for mode in ("userid", "peerid"):
        poll_id = await running(ann, poll_id=f"by-{mode}", type="poll", mode=mode)
        for option, phone in enumerate(phones, 1):
            await phone.call("poll-response", poll_id=poll_id, responses=[say(1, option=option)])
        counted[mode] = (await ann.call("poll-result", poll_id=poll_id))["user_count"]
    assert counted == {"userid": 1, "peerid": 2}


async def test_an_anonymous_poll_names_nobody_neither_on_the_wire_nor_in_the_database(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await running(ann, type="poll", anonymous=True)
    await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=1)])
    (given,) = (await ann.call("poll-responses", poll_id=poll_id, index=0, count=50, **ALL))["responses"]
    assert given["peer"]["hash"]
    assert given["peer"] | {"hash": ""} == {"hash": "", "peerid": "", "userid": "", "username": ""}
    (own,) = (await ben.call("poll-responses", poll_id=poll_id, **OWN))["responses"]
    assert own["response"]["option"] == 1, "who answered still finds it"
    (kept,) = await house.polls.responses(poll_id, 10)
    assert "ben" not in kept.participant
    assert (kept.peer_id, kept.user_id, kept.user_name) == ("", "", "")


async def test_only_the_roles_that_a_poll_names_answer_and_see_what_was_answered(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    for_hosts = await running(ann, poll_id="for-hosts", vote=["host"])
    assert await refused(ben, "poll-response", poll_id=for_hosts, responses=[say(1, option=1)]) == 403
    secret = await running(ann, poll_id="secret", type="poll", responses=["host"])
    await ben.call("poll-response", poll_id=secret, responses=[say(1, option=1)])
    assert await refused(ben, "poll-responses", poll_id=secret, **ALL) == 403
    assert "questions" not in await ben.call("poll-result", poll_id=secret), "how many, not what"
    await ann.hear("on-poll-stats")
    assert "on-poll-stats" not in ben.methods()


async def test_the_leaderboard_of_a_quiz(house: House) -> None:
    ann, ben, cem = await house.join("ann", "host"), await house.join("ben"), await house.join("cem")
    poll_id = await running(ann)
    await cem.call("poll-response", poll_id=poll_id, responses=[say(1, option=2), say(2, text="paris")])
    await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=1), say(2, text="Paris")])
    assert await refused(ben, "poll-leaderboard", poll_id=poll_id, count=10, offset=0) == 403, "it goes on"
    await ann.call("poll-stop", poll_id=poll_id)
    board = await ben.call("poll-leaderboard", poll_id=poll_id, count=1, offset=0)
    (first,) = board["questions"]
    assert (first["position"], first["score"], first["correct_responses"]) == (1, 3, 2)
    assert first["peer"]["peerid"] == "cem"
    assert not board["last"]
    summary = {"total_users": 3, "voted_users": 2, "correct_users": 1, "avg_time": 20.0, "avg_score": 2.0}
    assert {key: board[key] for key in summary} == summary
    rest = await ben.call("poll-leaderboard", poll_id=poll_id, count=10, offset=1)
    assert [entry["peer"]["peerid"] for entry in rest["questions"]] == ["ben"]
    assert rest["last"]


async def test_a_poll_with_a_duration_stops_by_itself(house: House) -> None:
    ann = await house.join("ann", "host")
    await running(ann, duration=1)
    (told,) = (await ann.hear("on-poll-stop"))["params"]["polls"]
    assert (told["state"], told["stopped_by"]) == ("stopped", "")
    assert told["stopped_at"] - told["started_at"] >= 1000


async def test_a_draft_is_changed_and_a_started_poll_is_not(house: House) -> None:
    ann = await house.join("ann", "host")
    poll_id = await draft(ann)
    await ann.call("poll-info-set", poll_id=poll_id, title="better", type="poll")
    await ann.call("poll-questions-set", poll_id=poll_id, questions=[TEXT])
    info = await ann.call("poll-info-get", poll_id=poll_id)
    assert (info["title"], info["type"], info["questions_count"]) == ("better", "poll", 1)
    await ann.call("poll-start", poll_id=poll_id)
    assert await ann.call("poll-start", poll_id=poll_id), "the client may not have heard the answer"
    assert await refused(ann, "poll-info-set", poll_id=poll_id, title="x", type="poll") == 409
    assert await refused(ann, "poll-questions-set", poll_id=poll_id, questions=[CHOICE]) == 409
    await ann.call("poll-stop", poll_id=poll_id)
    assert await refused(ann, "poll-start", poll_id=poll_id) == 409
    assert [frame["method"] for frame in ann.heard if frame.get("method") == "on-poll-start"] == ["on-poll-start"]


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("poll-info-set", {"title": "x" * 300, "type": "poll"}, 400),
        ("poll-info-set", {"title": "x", "type": "vote"}, 400),
        ("poll-info-set", {"title": "x", "type": "poll", "poll_id": "a/b"}, 400),
        ("poll-info-set", {"title": "x", "type": "poll", "duration": -1}, 400),
        ("poll-questions-set", {"poll_id": "quiz-1", "questions": [CHOICE | {"options": []}]}, 400),
        ("poll-questions-set", {"poll_id": "quiz-1", "questions": [CHOICE] * 51}, 400),
        ("poll-questions-set", {"poll_id": "other", "questions": [CHOICE]}, 404),
        ("poll-start", {"poll_id": "other"}, 404),
        ("poll-stop", {"poll_id": "quiz-1"}, 409),
        ("poll-response", {"poll_id": "quiz-1", "responses": []}, 400),
        ("poll-response", {"poll_id": "quiz-1", "responses": [{"question": 1, "option": 1}]}, 409),
        ("poll-leaderboard", {"poll_id": "quiz-1", "offset": -1}, 400),
    ],
)
async def test_what_cannot_be_done_is_refused(house: House, method: str, params: dict[str, Any], code: int) -> None:
    ann = await house.join("ann", "host")
    await draft(ann)
    assert await refused(ann, method, **params) == code


async def test_an_answer_that_is_none_does_not_undo_the_others(house: House) -> None:
    ann = await house.join("ann", "host")
    poll_id = await running(ann)
    answered = await ann.call("poll-response", poll_id=poll_id, responses=[say(1, option=-1), say(2, text="Paris")])
    one, two = answered["result"]
    assert one["error"]["code"] == 400
    assert "error" not in two
    assert await refused(ann, "poll-response", poll_id=poll_id, responses=[say(1, option=9)]) == 400
    assert await refused(ann, "poll-response", poll_id=poll_id, responses=[say(7, option=1)]) == 404


async def test_the_polls_that_a_room_names_begin_with_its_session(house: House) -> None:
    asked = Question(text="?", type="single-choice", options=(Option(text="a"), Option(text="b")))
    auto = await house.polls.create(PollBody(title="auto", questions=(asked,)))
    manual = await house.polls.create(PollBody(title="manual", start="manual", questions=(asked,)))
    await house.store.update_room(house.room.id, RoomRequest(polls=(auto.id, manual.id, "0" * 24)))
    ann = await house.join("ann", "host")
    async with asyncio.timeout(60):
        while len(found := (await ann.call("poll-list"))["polls"]) < 2:
            await asyncio.sleep(0.01)
    assert {poll["title"]: poll["state"] for poll in found} == {"auto": "started", "manual": "created"}


async def test_polls_end_with_their_session_and_survive_a_restart_in_it(house: House) -> None:
    ann, ben = await house.join("ann", "host"), await house.join("ben")
    poll_id = await running(ann, type="poll")
    await ben.call("poll-response", poll_id=poll_id, responses=[say(1, option=1)])
    await house.crash_and_restart()
    ann = house.dial("ann", "host")
    await ann.hear("peer-list")
    result = await ann.call("poll-result", poll_id=poll_id)
    assert (result["user_count"], result["questions"][0]["options"]) == (1, [1, 0])
    await ann.call("end-room", lock=False, reason="")
    await house.happened("session.close.success")
    async with asyncio.timeout(60):
        while (await house.polls.runs(poll_id, 10))[0].state != "stopped":
            await asyncio.sleep(0.01)


async def test_a_poll_whose_session_closed_as_the_server_died_is_stopped_at_the_next_start(house: House) -> None:
    ann = await house.join("ann", "host")
    poll_id = await running(ann)
    (left,) = await house.polls.runs(poll_id, 10)
    ann.notify("leave")
    await house.happened("session.close.success")
    await house.database.commit(Unit((run_row(left),)))  # as if it had died before the end was written
    await house.crash_and_restart()
    (run,) = await house.polls.runs(poll_id, 10)
    assert run.stopped_at > run.started_at
