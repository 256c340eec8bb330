"""What steps have answered, and what becomes of it when a job's code changes."""

from __future__ import annotations

import functools
import logging

import pytest

from callboard.database import Delete, Put
from callboard.database.tables import JOB_STEP
from callboard.jobs.journal import MOST_ANSWER, Journal, answer_type, encoded


def rows(*names: str) -> list[tuple[int, str, bytes, int]]:
    return [(position, name, b'"%d"' % position, 1) for position, name in enumerate(names)]


def test_a_finished_step_answers_as_it_did() -> None:
    journal = Journal("j", rows("a", "b"))
    assert [journal.next("a"), journal.next("b"), journal.next("c")] == [(0, b'"0"'), (1, b'"1"'), (2, None)]


def test_a_step_with_another_name_is_done_and_nothing_after_it_counts(caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal("j", rows("a", "b", "c", "d"))
    with caplog.at_level(logging.WARNING, "callboard.jobs"):
        assert [journal.next("a"), journal.next("x"), journal.next("c")] == [(0, b'"0"'), (1, None), (2, None)]
    assert "job j: step 1 is now x, was b" in caplog.text


def test_what_counts_no_more_is_deleted_with_the_first_new_answer() -> None:
    journal = Journal("j", rows("a", "b", "c", "d"))
    journal.next("a")
    journal.next("x")
    assert journal.rows(1, "x", b"1", 7) == (
        Put(JOB_STEP, ("j", 1, "x", b"1", 7)),
        Delete(JOB_STEP, ("j", 2)),
        Delete(JOB_STEP, ("j", 3)),
    )
    journal.next("c")
    assert journal.rows(2, "c", b"2", 8) == (Put(JOB_STEP, ("j", 2, "c", b"2", 8)),)


def test_without_a_change_only_the_answer_is_written() -> None:
    journal = Journal("j", rows("a"))
    journal.next("a")
    journal.next("b")
    assert journal.rows(1, "b", b"null", 7) == (Put(JOB_STEP, ("j", 1, "b", b"null", 7)),)


def test_an_answer_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="step upload answered 262146 bytes, 262144 are allowed"):
        encoded("upload", "x" * MOST_ANSWER)
    with pytest.raises(TypeError):
        encoded("upload", object())


async def typed() -> dict[str, int]:
    return {}


class Worker:
    async def work(self, number: int) -> str | None:
        return str(number)


def test_the_type_of_an_answer_is_the_declared_one() -> None:
    assert answer_type(typed) == dict[str, int]
    assert answer_type(Worker().work) == (str | None)


def test_a_step_that_does_not_say_what_it_answers_is_refused() -> None:
    async def untyped():  # type: ignore[no-untyped-def]
        return 1

    with pytest.raises(TypeError, match="must say what type it answers"):
        answer_type(untyped)
    with pytest.raises(TypeError):
        answer_type(functools.partial(typed))
