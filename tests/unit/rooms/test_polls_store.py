"""Stored polls: what is returned is durable, changes do not undo each other, pages go backwards."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Database, Unit
from callboard.errors import Invalid, NotFound
from callboard.rooms.polls import (
    Given,
    Option,
    Poll,
    PollBody,
    Question,
    Response,
    Run,
    response_row,
    run_row,
)
from callboard.rooms.polls_store import PollStore

ASKED = Question(text="Tea?", type="single-choice", options=(Option(text="yes"), Option(text="no")))


class Clock:
    """A second passes at each look."""

    def __init__(self) -> None:
        self.instant = 1_800_000_000 * NANOSECONDS

    def now(self) -> int:
        self.instant += NANOSECONDS
        return self.instant


@pytest.fixture
def store(database: Database) -> PollStore:
    return PollStore(database, Clock(), RandomIds(7))


def run_of(poll: Poll, number: int, *, started: bool = True) -> Run:
    return Run(
        id=f"{number:024x}",
        session_id=f"s{number}",
        room_id="r",
        poll=poll,
        created_at=1,
        started_at=5 if started else 0,
        stopped_at=9 if started else 0,
    )


def response_of(poll: Poll, number: int, session: str = "s1", *, final: bool = True, question: int = 1) -> Response:
    return Response(
        id=f"{number:024x}",
        poll_id=poll.id,
        session_id=session,
        question=question,
        participant=f"u{number}",
        peer_id="p",
        user_id=f"u{number}",
        user_name="n",
        role="guest",
        given=Given(options=(1,)),
        final=final,
        sent_at=number,
    )


async def test_a_poll_is_found_as_it_was_made_with_its_questions_numbered(store: PollStore) -> None:
    made = await store.create(PollBody(title="Tea", questions=(ASKED, ASKED)))
    assert await store.get(made.id) == made
    assert [question.index for question in made.questions] == [1, 2]
    assert [option.index for option in made.questions[0].options] == [1, 2]


@pytest.mark.parametrize("poll_id", ["0" * 24, "", "x/y", "a" * 65, "\x00"])
async def test_a_poll_that_does_not_exist_is_not_found(store: PollStore, poll_id: str) -> None:
    with pytest.raises(NotFound):
        await store.get(poll_id)


async def test_a_poll_that_cannot_be_asked_is_not_stored(store: PollStore) -> None:
    made = await store.create(PollBody(questions=(ASKED,)))
    bad = msgspec.structs.replace(ASKED, options=())
    with pytest.raises(Invalid):
        await store.create(PollBody(questions=(bad,)))
    with pytest.raises(Invalid):
        await store.change(made.id, lambda poll: msgspec.structs.replace(poll, questions=(bad,)))
    assert await store.get(made.id) == made


async def test_changes_made_at_the_same_time_do_not_undo_each_other(store: PollStore) -> None:
    made = await store.create(PollBody())

    def more(poll: Poll) -> Poll:
        return msgspec.structs.replace(poll, questions=(*poll.questions, ASKED))

    await asyncio.gather(*(store.change(made.id, more) for _ in range(10)))
    changed = await store.get(made.id)
    assert [question.index for question in changed.questions] == list(range(1, 11))
    assert changed.updated_at > made.updated_at


async def test_a_question_that_is_taken_out_moves_the_later_ones_down(store: PollStore) -> None:
    made = await store.create(PollBody(questions=tuple(msgspec.structs.replace(ASKED, text=t) for t in "abc")))
    changed = await store.change(
        made.id, lambda p: msgspec.structs.replace(p, questions=tuple(q for q in p.questions if q.index != 2))
    )
    assert [(question.index, question.text) for question in changed.questions] == [(1, "a"), (2, "c")]


async def test_runs_that_were_started_are_listed_newest_first(database: Database, store: PollStore) -> None:
    poll = await store.create(PollBody(questions=(ASKED,)))
    runs = [run_of(poll, 1), run_of(poll, 2, started=False), run_of(poll, 3), run_of(poll, 4)]
    await database.commit(Unit(tuple(map(run_row, runs))))
    page = await store.runs(poll.id, limit=2)
    assert page == [runs[3], runs[2]]
    assert await store.runs(poll.id, limit=2, start=page[-1].id) == [runs[0]]
    assert await store.runs_of_session("s2") == [runs[1]]


async def test_answers_are_listed_newest_first_by_question_and_with_those_that_were_replaced(
    database: Database, store: PollStore
) -> None:
    poll = await store.create(PollBody(questions=(ASKED, ASKED)))
    given = [
        response_of(poll, 1, final=False),
        response_of(poll, 2),
        response_of(poll, 3, question=2),
        response_of(poll, 4, session="s2"),
    ]
    await database.commit(Unit(tuple(map(response_row, given))))
    assert await store.responses(poll.id, 10) == [given[3], given[2], given[1]]
    assert await store.responses(poll.id, 10, superseded=True) == given[::-1]
    assert await store.responses(poll.id, 10, question=2) == [given[2]]
    assert await store.responses(poll.id, 1, start=given[2].id) == [given[1]]
    assert await store.response(poll.id, given[0].id) == given[0]
    assert await store.responses_of_run(run_of(poll, 1)) == [given[1], given[2]]
    with pytest.raises(NotFound):
        await store.response("0" * 24, given[0].id)
