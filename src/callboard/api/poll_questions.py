"""The questions of a poll and their options, one by one (platform.md §3.11).

Owns: their routes.

Always holds: questions and options are numbered 1, 2, 3, …: behind one that is deleted the others move up.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from litestar import Router, delete, post
from litestar.params import JSONBody, PathParameter
from msgspec.structs import replace

from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.errors import NotFound
from callboard.rooms.polls import MAX_OPTIONS, MAX_QUESTIONS, Option, Poll, PollBody, Question

T = TypeVar("T")
PollId = Annotated[str, PathParameter(description="The poll's id.")]
QuestionNumber = Annotated[int, PathParameter(ge=1, le=MAX_QUESTIONS, description="1 for the first question.")]
OptionNumber = Annotated[int, PathParameter(ge=1, le=MAX_OPTIONS, description="1 for the first option.")]


def placed(parts: tuple[T, ...], number: int, part: T, what: str) -> tuple[T, ...]:
    """The parts with this one at the place `number` (1, 2, …), or after the last. Raises `NotFound` beyond that."""
    if number > len(parts) + 1:
        raise NotFound(f"{what} not found", (f"the next one would be {len(parts) + 1}",))
    return (*parts[: number - 1], part, *parts[number:])


def without(parts: tuple[T, ...], number: int, what: str) -> tuple[T, ...]:
    """The parts without the one at the place `number`. Raises `NotFound`."""
    if number > len(parts):
        raise NotFound(f"{what} not found")
    return (*parts[: number - 1], *parts[number:])


def asked(poll: Poll, number: int) -> Question:
    """The question. Raises `NotFound`."""
    found = poll.question(number)
    if found is None:
        raise NotFound("question not found")
    return found


def with_question(poll: Poll, question: Question) -> Poll:
    """The poll with this question in the place of the one with its number."""
    return replace(poll, questions=tuple(question if one.index == question.index else one for one in poll.questions))


def without_option(poll: Poll, question: int, option: int) -> PollBody:
    """The poll without the option; right answers move up with theirs. Raises `NotFound`."""
    old = asked(poll, question)
    options = without(old.options, option, "option")
    right = old.answer
    if right is not None:
        moved = tuple(one - (one > option) for one in right.options if one != option)
        right = replace(right, options=moved)
    return with_question(poll, replace(old, options=options, answer=right))


def questions_routes(deps: Deps) -> Router:
    """The routes below `/v2/polls/{id}/questions`."""

    @post(
        "/{poll_id:str}/questions/{question:str}",
        status_code=200,
        operation_id="update_poll_question",
        summary="Write a question of a poll",
        responses=errors(404),
        dto=JsonBody[Question],
        return_dto=None,
    )
    async def update_question(poll_id: PollId, question: QuestionNumber, data: JSONBody[Question]) -> Question:
        """Replace the question, or, with the number after the last, add one."""
        poll = await deps.polls.change(
            poll_id, lambda old: replace(old, questions=placed(old.questions, question, data, "question"))
        )
        return poll.questions[question - 1]

    @delete(
        "/{poll_id:str}/questions/{question:str}",
        operation_id="delete_poll_question",
        summary="Delete a question of a poll",
        responses=errors(404),
    )
    async def delete_question(poll_id: PollId, question: QuestionNumber) -> None:
        """Delete the question; those behind it move up."""
        await deps.polls.change(
            poll_id, lambda old: replace(old, questions=without(old.questions, question, "question"))
        )

    @post(
        "/{poll_id:str}/questions/{question:str}/options/{option:str}",
        status_code=200,
        operation_id="update_poll_option",
        summary="Write an option of a question",
        responses=errors(404),
        dto=JsonBody[Option],
        return_dto=None,
    )
    async def update_option(
        poll_id: PollId, question: QuestionNumber, option: OptionNumber, data: JSONBody[Option]
    ) -> Option:
        """Replace the option, or, with the number after the last, add one."""

        def change(old: Poll) -> PollBody:
            found = asked(old, question)
            return with_question(old, replace(found, options=placed(found.options, option, data, "option")))

        poll = await deps.polls.change(poll_id, change)
        return poll.questions[question - 1].options[option - 1]

    @delete(
        "/{poll_id:str}/questions/{question:str}/options/{option:str}",
        operation_id="delete_poll_option",
        summary="Delete an option of a question",
        responses=errors(404),
    )
    async def delete_option(poll_id: PollId, question: QuestionNumber, option: OptionNumber) -> None:
        """Delete the option; those behind it move up, and the right answers with them."""
        await deps.polls.change(poll_id, lambda old: without_option(old, question, option))

    handlers = [update_question, delete_question, update_option, delete_option]
    return Router("/polls", route_handlers=handlers, tags=["Polls"])
