"""Polls and quizzes: written before a session, read after it (platform.md §3.11). Running one is signalling's.

Owns: polls, their runs, responses and results as REST shows them, and the routes that read what became of them.
`poll_questions.py` has the routes that change questions and options.

Always holds: a change of a poll touches no run that has begun. Of an anonymous poll nothing says who answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from callboard.api import pages
from callboard.api.bodies import JsonBody
from callboard.api.deps import Deps
from callboard.api.errors import errors
from callboard.api.pages import Start
from callboard.events import timestamps
from callboard.rooms.polls import MAX_QUESTIONS, Poll, PollBody, Response, Run

Question = Annotated[
    int, QueryParameter(ge=0, le=MAX_QUESTIONS, description="Only of this question, 1 for the first; 0: of all.")
]
Limit = Annotated[int, QueryParameter(description="How many at most: 1 to 100, others are moved into that.")]


class PollResponse(PollBody, frozen=True, kw_only=True):
    """A poll or quiz. `duration` is in seconds, 0: until it is stopped or the session ends."""

    id: str


class PollSession(Struct, frozen=True, kw_only=True):
    """One run of a poll, in a session. `stopped_at` is "" while it goes on."""

    id: str
    poll_id: str
    session_id: str
    started_at: str
    stopped_at: str
    total_responses: int
    unique_participants: int


class PollSessionPage(Struct, frozen=True, kw_only=True):
    limit: int
    last: str
    sessions: list[PollSession]


class GivenResponse(Struct, frozen=True, kw_only=True):
    """One answer. `update`: it replaces an earlier one of the same participant, `original_response` is the first of
    those. `duration` is milliseconds. Of an anonymous poll `peer_id` and `user_id` are "".
    """

    id: str
    poll_id: str
    session_id: str
    question: int
    skipped: bool
    options: tuple[int, ...]
    text: str
    duration: int
    update: bool
    original_response: str
    retries: int
    sent_at: str
    peer_id: str
    user_id: str


class ResponsePage(Struct, frozen=True, kw_only=True):
    limit: int
    last: str
    responses: list[GivenResponse]


class PollResult(Struct, frozen=True, kw_only=True):
    """What an answer scored; only a quiz scores."""

    id: str
    poll_id: str
    session_id: str
    question: int
    duration: int
    peer_id: str
    user_id: str
    score: int


class ResultPage(Struct, frozen=True, kw_only=True):
    limit: int
    last: str
    results: list[PollResult]


def shown(poll: Poll) -> PollResponse:
    """The poll as REST shows it."""
    return PollResponse(id=poll.id, **{name: getattr(poll, name) for name in PollBody.__struct_fields__})


def shown_run(run: Run) -> PollSession:
    """The run as REST shows it."""
    return PollSession(
        id=run.id,
        poll_id=run.poll.id,
        session_id=run.session_id,
        started_at=timestamps.stored(run.started_at),
        stopped_at=timestamps.stored(run.stopped_at) if run.stopped_at else "",
        total_responses=run.responses,
        unique_participants=run.participants,
    )


def shown_response(one: Response) -> GivenResponse:
    """The answer as REST shows it."""
    return GivenResponse(
        id=one.id,
        poll_id=one.poll_id,
        session_id=one.session_id,
        question=one.question,
        skipped=one.given.skipped,
        options=one.given.options,
        text=one.given.text,
        duration=one.duration,
        update=bool(one.original),
        original_response=one.original,
        retries=one.retries,
        sent_at=timestamps.stored(one.sent_at),
        peer_id=one.peer_id,
        user_id=one.user_id,
    )


def shown_result(one: Response) -> PollResult:
    """What the answer scored."""
    return PollResult(
        id=one.id,
        poll_id=one.poll_id,
        session_id=one.session_id,
        question=one.question,
        duration=one.duration,
        peer_id=one.peer_id,
        user_id=one.user_id,
        score=one.score,
    )


def last_of(page: Sequence[Run] | Sequence[Response], *, more: bool) -> str:
    """The cursor of the page that follows."""
    return page[-1].id if more else ""


def writing_routes(deps: Deps) -> Router:
    """Where polls are written."""

    @post(
        "/",
        status_code=200,
        operation_id="create_poll",
        summary="Create a poll",
        responses=errors(),
        dto=JsonBody[PollBody],
        return_dto=None,
    )
    async def create_poll(data: JSONBody[PollBody]) -> PollResponse:
        """Create a poll. It is in the sessions of the rooms whose `polls` name it, and starts with them unless `start`
        is `manual`. Questions and options are numbered in the order in which they stand.
        """
        return shown(await deps.polls.create(data))

    @get("/{poll_id:str}", operation_id="get_poll", summary="Get a poll", responses=errors(404))
    async def get_poll(poll_id: FromPath[str]) -> PollResponse:
        """The poll, right answers included."""
        return shown(await deps.polls.get(poll_id))

    @post(
        "/{poll_id:str}",
        status_code=200,
        operation_id="update_poll",
        summary="Replace a poll",
        responses=errors(404),
        dto=JsonBody[PollBody],
        return_dto=None,
    )
    async def update_poll(poll_id: FromPath[str], data: JSONBody[PollBody]) -> PollResponse:
        """Replace the poll. Runs of it that have begun stay as they are."""
        return shown(await deps.polls.change(poll_id, lambda _: data))

    return Router("/polls", route_handlers=[create_poll, get_poll, update_poll], tags=["Polls"])


def reading_routes(deps: Deps) -> Router:
    """Where is read what became of polls."""

    @get(
        "/{poll_id:str}/sessions",
        operation_id="list_poll_sessions",
        summary="List the runs of a poll",
        responses=errors(404),
    )
    async def list_sessions(
        poll_id: FromPath[str], limit: Limit = pages.MIN_LIMIT, start: Start = ""
    ) -> PollSessionPage:
        """In which sessions the poll was run, newest first."""
        poll, applied = await deps.polls.get(poll_id), pages.few(limit)
        page, more = pages.cut(await deps.polls.runs(poll.id, applied + 1, pages.cursor(start)), applied)
        return PollSessionPage(limit=applied, last=last_of(page, more=more), sessions=[shown_run(one) for one in page])

    @get(
        "/{poll_id:str}/responses",
        operation_id="list_poll_responses",
        summary="List the answers to a poll",
        responses=errors(404),
    )
    async def list_responses(
        poll_id: FromPath[str],
        limit: Limit = pages.MIN_LIMIT,
        start: Start = "",
        question: Question = 0,
        every: Annotated[
            bool, QueryParameter(name="all", description="Those too that a later answer replaced.")
        ] = False,
    ) -> ResponsePage:
        """Answers in all sessions, newest first."""
        poll, applied = await deps.polls.get(poll_id), pages.few(limit)
        found = await deps.polls.responses(
            poll.id, applied + 1, pages.cursor(start), question=question, superseded=every
        )
        page, more = pages.cut(found, applied)
        return ResponsePage(limit=applied, last=last_of(page, more=more), responses=[shown_response(r) for r in page])

    @get(
        "/{poll_id:str}/responses/{response_id:str}",
        operation_id="get_poll_response",
        summary="Get an answer to a poll",
        responses=errors(404),
    )
    async def get_response(poll_id: FromPath[str], response_id: FromPath[str]) -> GivenResponse:
        """The answer."""
        return shown_response(await deps.polls.response(poll_id, response_id))

    @get(
        "/{poll_id:str}/results",
        operation_id="list_poll_results",
        summary="List the results of a quiz",
        responses=errors(404),
    )
    async def list_results(
        poll_id: FromPath[str], limit: Limit = pages.MIN_LIMIT, start: Start = "", question: Question = 0
    ) -> ResultPage:
        """What each answer that stands scored, newest first."""
        poll, applied = await deps.polls.get(poll_id), pages.few(limit)
        found = await deps.polls.responses(poll.id, applied + 1, pages.cursor(start), question=question)
        page, more = pages.cut(found, applied)
        return ResultPage(limit=applied, last=last_of(page, more=more), results=[shown_result(one) for one in page])

    @get(
        "/{poll_id:str}/results/{result_id:str}",
        operation_id="get_poll_result",
        summary="Get a result of a quiz",
        responses=errors(404),
    )
    async def get_result(poll_id: FromPath[str], result_id: FromPath[str]) -> PollResult:
        """What one answer scored: a result has the id of its answer."""
        return shown_result(await deps.polls.response(poll_id, result_id))

    handlers = [list_sessions, list_responses, get_response, list_results, get_result]
    return Router("/polls", route_handlers=handlers, tags=["Polls"])
