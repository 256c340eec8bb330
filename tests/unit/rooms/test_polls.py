"""Polls: what can be asked, what is right, what the answers add up to. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from callboard.errors import Invalid
from callboard.rooms.polls import (
    Given,
    Poll,
    Question,
    Response,
    Run,
    checked,
    in_order,
    poll_of,
    poll_row,
    response_of,
    response_row,
    run_of,
    run_row,
)
from callboard.rooms.polls_scoring import judged, leaderboard, require_answerable, tallies

CHOICE: dict[str, Any] = {"text": "?", "type": "single-choice", "options": [{"text": "a"}, {"text": "b"}]}
SEVERAL: dict[str, Any] = CHOICE | {"type": "multiple-choice", "options": [{"text": t} for t in "abc"]}
SHORT: dict[str, Any] = {"text": "?", "type": "short-answer"}


def question(**body: Any) -> Question:
    return in_order((msgspec.convert(CHOICE | body, Question),))[0]


def poll(*questions: dict[str, Any], **body: Any) -> Poll:
    made = msgspec.convert(
        {"id": "p", "created_at": 1, "updated_at": 2, "questions": questions, **body},
        Poll,
    )
    return msgspec.structs.replace(made, questions=in_order(made.questions))


def response(who: str, of: Poll, number: int, given: Given, *, at: int = 1, duration: int = 0) -> Response:
    asked = of.question(number)
    assert asked is not None
    right, score = judged(of, asked, given)
    return Response(
        id=f"{who}{number}{at}",
        poll_id=of.id,
        session_id="s",
        question=number,
        participant=who,
        peer_id=who,
        user_id=who,
        user_name=who,
        role="guest",
        given=given,
        duration=duration,
        correct=right,
        score=score,
        sent_at=at,
    )


def test_questions_and_options_are_numbered_in_the_order_in_which_they_stand() -> None:
    made = poll(CHOICE | {"index": 7}, SEVERAL | {"index": 3})
    assert [one.index for one in made.questions] == [1, 2]
    assert [option.index for option in made.questions[1].options] == [1, 2, 3]


def test_of_several_right_options_of_a_single_choice_any_one_is_right() -> None:
    options = [{"text": text} for text in "abc"]
    quiz = poll(CHOICE | {"options": options, "answer": {"options": [1, 2]}}, type="quiz")
    asked = quiz.questions[0]
    assert [judged(quiz, asked, Given(options=(n,))) for n in (1, 2, 3)] == [(True, 1), (True, 1), (False, 0)]


@pytest.mark.parametrize(
    "body",
    [
        CHOICE | {"options": []},
        SHORT | {"options": [{"text": "a"}]},
        CHOICE | {"answer": {"options": [3]}},
        SHORT | {"answer_min_len": 9, "answer_max_len": 3},
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_and_named(body: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        checked(poll(CHOICE, body))
    assert all("questions[2]" in detail for detail in refused.value.details)


def test_rows_give_back_what_they_were_made_of() -> None:
    made = poll(CHOICE | {"answer": {"options": [2], "hidden": True}}, SHORT, title="t", vote=["host"], type="quiz")
    run = Run(id="r", session_id="s", room_id="o", poll=made, created_at=3, started_at=4, responses=2)
    given = response("ann", made, 1, Given(options=(2,)), at=9, duration=5)
    assert poll_of(poll_row(made).row) == made
    assert run_of(run_row(run).row) == run
    assert response_of(response_row(given).row) == given


@pytest.mark.parametrize(
    ("body", "given"),
    [
        (CHOICE, Given()),
        (CHOICE, Given(options=(3,))),
        (CHOICE, Given(options=(1, 2))),
        (CHOICE, Given(options=(-1,))),
        (CHOICE | {"skippable": False}, Given(skipped=True)),
        (SEVERAL, Given(options=(1, 4))),
        (SHORT | {"options": []}, Given(text="")),
        (SHORT | {"options": [], "answer_min_len": 3}, Given(text="ab")),
        (SHORT | {"options": [], "answer_max_len": 3}, Given(text="abcd")),
    ],
)
def test_what_is_no_answer_is_refused(body: dict[str, Any], given: Given) -> None:
    with pytest.raises(Invalid):
        require_answerable(question(**body), given)


def test_a_choice_is_right_when_it_is_exactly_the_right_options() -> None:
    quiz = poll(SEVERAL | {"answer": {"options": [1, 3]}, "weight": 4}, type="quiz")
    asked = quiz.questions[0]
    assert judged(quiz, asked, Given(options=(3, 1))) == (True, 4)
    assert judged(quiz, asked, Given(options=(1,))) == (False, 0)
    assert judged(quiz, asked, Given(skipped=True)) == (False, 0)


def test_a_text_is_compared_as_its_answer_says() -> None:
    def right(text: str, **answer: Any) -> bool:
        quiz = poll(SHORT | {"answer": {"text": "Paris", **answer}}, type="quiz")
        return judged(quiz, quiz.questions[0], Given(text=text))[0]

    assert right(" paris ")
    assert not right(" Paris ", trim=False)
    assert not right("paris", case=True)
    assert right("Paris", case=True)


def test_a_wrong_answer_to_a_negative_question_costs_its_weight_in_a_quiz_only() -> None:
    body = CHOICE | {"answer": {"options": [1]}, "weight": 3, "negative": True}
    for kind, score in (("quiz", -3), ("poll", 0)):
        asked = poll(body, type=kind)
        assert judged(asked, asked.questions[0], Given(options=(2,))) == (False, score)


def test_only_final_answers_count() -> None:
    made = poll(CHOICE, SEVERAL)
    first = response("ann", made, 1, Given(options=(1,)))
    given = [
        msgspec.structs.replace(first, final=False),
        response("ann", made, 1, Given(options=(2,)), at=2),
        response("bob", made, 1, Given(skipped=True)),
        response("bob", made, 2, Given(options=(1, 3))),
    ]
    one, two = tallies(made, given)
    assert (one.options, one.skipped, one.total) == ((0, 1), 1, 2)
    assert (two.options, two.skipped, two.total) == ((1, 0, 1), 0, 1)


def test_the_leaderboard_is_by_score_then_by_time_then_by_who_was_first() -> None:
    quiz = poll(CHOICE | {"answer": {"options": [1]}}, CHOICE | {"answer": {"options": [2]}}, type="quiz")
    given = [
        response("slow", quiz, 1, Given(options=(1,)), at=1, duration=900),
        response("slow", quiz, 2, Given(options=(2,)), at=2, duration=900),
        response("fast", quiz, 1, Given(options=(1,)), at=3, duration=100),
        response("fast", quiz, 2, Given(options=(2,)), at=4, duration=200),
        response("late", quiz, 1, Given(options=(1,)), at=9, duration=50),
        response("early", quiz, 1, Given(options=(1,)), at=5, duration=50),
        response("nobody", quiz, 1, Given(skipped=True), at=1),
    ]
    board = leaderboard(quiz, given)
    assert [(e.position, e.first.participant, e.score, e.responses, e.right, e.duration) for e in board.entries] == [
        (1, "fast", 2, 2, 2, 300),
        (2, "slow", 2, 2, 2, 1800),
        (3, "early", 1, 1, 1, 50),
        (4, "late", 1, 1, 1, 50),
    ]
    assert (board.all_right, board.average_time, board.average_score) == (2, 550.0, 1.5)
    of_second = leaderboard(quiz, given, question=2)
    assert [entry.first.participant for entry in of_second.entries] == ["fast", "slow"]
    assert of_second.all_right == 2


def test_a_leaderboard_of_nobody_is_empty() -> None:
    board = leaderboard(poll(CHOICE), [])
    assert (board.entries, board.all_right, board.average_time, board.average_score) == ((), 0, 0.0, 0.0)
