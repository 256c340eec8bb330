"""Polls and quizzes: writing, starting, answering, reading (signal.md §3.6, §7.8).

Owns: the `poll-*` methods. Whether a role may is checked here (`pollRead`, `pollWrite`, the poll's own lists of roles);
whether the poll is in a state for it, in `rooms/polls_live.py`.

Always holds: one answer that is refused does not undo the others of the same call.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from callboard.errors import Refusal
from callboard.rooms.polls import (
    MAX_OPTIONS,
    MAX_QUESTIONS,
    Given,
    Mode,
    PollBody,
    PollType,
    Question,
    QuestionType,
    Run,
    State,
)
from callboard.rooms.polls_live import Board, participant
from callboard.rooms.polls_scoring import leaderboard
from callboard.signaling import polls as wire
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call

MAX_PAGE = 100

Roles = Annotated[list[str], msgspec.Meta(max_length=100)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Offset = Annotated[int, msgspec.Meta(ge=0)]


class PollInfoSet(msgspec.Struct, frozen=True):
    poll_id: str | None = None
    title: str = ""
    type: PollType = "poll"
    duration: int | None = None
    anonymous: bool | None = None
    visibility: bool | None = None
    locked: bool | None = None
    mode: Mode | None = None
    vote: Roles | None = None
    responses: Roles | None = None


class PollId(msgspec.Struct, frozen=True):
    poll_id: str


class WireQuestion(msgspec.Struct, frozen=True):
    text: str
    type: QuestionType
    skippable: bool = True
    duration: int = 0
    once: bool = False
    weight: int = 1
    negative: bool = False
    answer_min_len: int = 0
    answer_max_len: int = 0


class WireOption(msgspec.Struct, frozen=True):
    text: str
    weight: int | None = None


class WireAnswer(msgspec.Struct, frozen=True):
    hidden: bool = False
    option: int | None = None
    options: list[int] | None = None
    text: str | None = None
    case: bool | None = None
    trim: bool | None = None


class WholeQuestion(msgspec.Struct, frozen=True):
    question: WireQuestion
    options: Annotated[list[WireOption], msgspec.Meta(max_length=MAX_OPTIONS)] | None = None
    answer: WireAnswer | None = None


class QuestionsSet(msgspec.Struct, frozen=True):
    poll_id: str
    questions: Annotated[list[WholeQuestion], msgspec.Meta(max_length=MAX_QUESTIONS)]


class Page(msgspec.Struct, frozen=True):
    poll_id: str
    index: Offset = 0
    count: Count = 50
    self: bool = False


class WireResponse(msgspec.Struct, frozen=True):
    question: int
    skipped: bool = False
    option: int | None = None
    options: Annotated[list[int], msgspec.Meta(max_length=MAX_OPTIONS)] | None = None
    text: str | None = None
    duration: Annotated[float, msgspec.Meta(ge=0, le=86_400_000)] = 0


class Responses(msgspec.Struct, frozen=True):
    poll_id: str
    responses: Annotated[list[WireResponse], msgspec.Meta(min_length=1, max_length=MAX_QUESTIONS)]


class PollList(msgspec.Struct, frozen=True):
    state: State | None = None
    count: Count = 50
    start: str = ""


class Leaderboard(msgspec.Struct, frozen=True):
    poll_id: str
    count: Count = 50
    offset: Offset = 0
    question: Offset = 0


def _require_write(call: Call) -> None:
    call.require("poll_write", "create, start or stop polls")


async def _readable(call: Call, poll_id: str) -> tuple[Board, Run]:
    """The run, if the caller may see it: a draft only, if it may write. Raises `SignalError`, `NotFound`."""
    role = call.role()
    if not wire.may_read(role):
        raise SignalError(403, f"role {role.name!r} may not see polls")
    board = await call.service.polls.board(call.live())
    run = board.run(poll_id)
    if run.state == "created" and not role.permissions.poll_write:
        raise SignalError(404, "poll not found")
    return board, run


async def set_info(call: Call, params: PollInfoSet) -> object:
    """A new poll, or a draft changed."""
    _require_write(call)
    given = {name: value for name, value in msgspec.structs.asdict(params).items() if value is not None}
    poll_id = given.pop("poll_id", "")
    try:
        body = msgspec.convert(given, PollBody)
    except msgspec.ValidationError as problem:
        raise SignalError(400, f"invalid params: {problem}") from None
    run = await call.service.polls.create(call.live(), body, call.peer().id, poll_id)
    return {"poll_id": run.poll.id}


async def get_info(call: Call, params: PollId) -> object:
    """What a poll is, without its questions."""
    _, run = await _readable(call, params.poll_id)
    return wire.info(run)


async def set_questions(call: Call, params: QuestionsSet) -> object:
    """The draft has exactly these questions from now on, numbered in this order."""
    _require_write(call)
    try:
        questions = tuple(_question(one) for one in params.questions)
    except msgspec.ValidationError as problem:
        raise SignalError(400, f"invalid params: {problem}") from None
    run = await call.service.polls.set_questions(call.live(), params.poll_id, questions)
    return {"poll_id": run.poll.id, "total_questions": len(run.poll.questions)}


def _question(one: WholeQuestion) -> Question:
    """Raises `msgspec.ValidationError` for what is out of range."""
    fields: dict[str, Any] = msgspec.structs.asdict(one.question)
    choice = one.question.type in ("single-choice", "multiple-choice")
    if choice:
        fields["options"] = [
            {"text": o.text, **({} if o.weight is None else {"weight": o.weight})} for o in one.options or ()
        ]
    if one.answer is not None:
        answer = one.answer
        right = ([answer.option] if answer.option else answer.options or []) if choice else []
        fields["answer"] = {
            "hidden": answer.hidden,
            "options": right,
            **{name: value for name in ("text", "case", "trim") if (value := getattr(answer, name)) is not None},
        }
    return msgspec.convert(fields, Question)


async def get_questions(call: Call, params: Page) -> object:
    """The questions from `index` (0 is the first) on."""
    _, run = await _readable(call, params.poll_id)
    asked = run.poll.questions[params.index : params.index + min(params.count, MAX_PAGE)]
    role = call.role()
    return {
        "poll_id": run.poll.id,
        "questions": [wire.question(run, one, role) for one in asked],
        "last": params.index + len(asked) >= len(run.poll.questions),
    }


async def start(call: Call, params: PollId) -> object:
    """Let it be answered; everybody who may see polls is told."""
    _require_write(call)
    run = await call.service.polls.start(call.live(), params.poll_id, call.peer().id)
    return {"poll_id": run.poll.id, "duration": run.poll.duration}


async def stop(call: Call, params: PollId) -> object:
    """No more answers."""
    _require_write(call)
    run = await call.service.polls.stop(call.live(), params.poll_id, call.peer().id)
    return {"poll_id": run.poll.id, "duration": run.poll.duration}


async def respond(call: Call, params: Responses) -> object:
    """Answer questions, each for itself. Raises `SignalError` only if none of them was taken."""
    _, run = await _readable(call, params.poll_id)
    if not wire.may_vote(call.role(), run):
        raise SignalError(403, f"role {call.role().name!r} may not answer this poll")
    outcomes: list[dict[str, object]] = []
    refused: Refusal | None = None
    for one in params.responses:
        try:
            outcomes.append({"question": one.question, "correct": await _respond(call, run, one)})
        except Refusal as refusal:
            refused = refusal
            error = {"code": 400, "message": refusal.message, "description": str(refusal)}
            outcomes.append({"question": one.question, "correct": False, "error": error})
    if refused is not None and all("error" in outcome for outcome in outcomes):
        raise refused
    return {"poll_id": run.poll.id, "result": outcomes}


async def _respond(call: Call, run: Run, one: WireResponse) -> bool:
    """Whether the answer is right, as far as the one who gave it may know by now."""
    options = (one.option,) if one.option is not None else tuple(dict.fromkeys(one.options or ()))
    given = Given(skipped=True) if one.skipped else Given(options=tuple(sorted(options)), text=one.text or "")
    polls, live = call.service.polls, call.live()
    response = await polls.answer(live, call.peer(), run.poll.id, one.question, given, int(one.duration))
    asked = run.poll.question(one.question)
    hidden = asked is not None and asked.answer is not None and asked.answer.hidden
    return response.correct and not hidden


async def responses(call: Call, params: Page) -> object:
    """The caller's own answers, or those of all, if it may see them; from `index` (0 is the first) on."""
    board, run = await _readable(call, params.poll_id)
    peer, found = call.peer(), board.responses(run.poll.id)
    if params.self:
        me = participant(run, peer)
        found = [one for one in found if one.participant == me]
    elif not wire.sees_answers(call.role(), peer, run):
        raise SignalError(403, f"role {call.role().name!r} may not see the answers of others")
    shown = found[params.index : params.index + min(params.count, MAX_PAGE)]
    return {
        "poll_id": run.poll.id,
        "responses": [wire.response(run, one) for one in shown],
        "last": params.index + len(shown) >= len(found),
    }


async def listed(call: Call, params: PollList) -> object:
    """The polls of the session, in the order in which they came: of one state; drafts for who may write polls."""
    role = call.role()
    board = await call.service.polls.board(call.live())
    runs = [run for run in board.runs.values() if params.state in (None, run.state) and wire.may_read(role)]
    visible = [run for run in runs if run.state != "created" or role.permissions.poll_write]
    ids = [run.poll.id for run in visible]
    first = ids.index(params.start) + 1 if params.start in ids else 0
    page = visible[first : first + min(params.count, MAX_PAGE)]
    more = first + len(page) < len(visible)
    return {"polls": [wire.info(run) for run in page], "last": page[-1].poll.id if more else ""}


async def result(call: Call, params: PollId) -> object:
    """The counts; what was answered, only for who may see it. Never refused, or the official client would not show that
    the poll has stopped."""
    board, run = await _readable(call, params.poll_id)
    return wire.result(board, run, whole=wire.sees_answers(call.role(), call.peer(), run))


async def leaders(call: Call, params: Leaderboard) -> object:
    """Who did best in a quiz: when it is over, or before for who may write polls."""
    board, run = await _readable(call, params.poll_id)
    role = call.role()
    if not wire.sees_answers(role, call.peer(), run) or (run.state != "stopped" and not role.permissions.poll_write):
        raise SignalError(403, f"role {role.name!r} may not see the leaderboard now")
    found = leaderboard(run.poll, board.responses(run.poll.id), params.question)
    page = found.entries[params.offset : params.offset + min(params.count, MAX_PAGE)]
    return {
        "poll_id": run.poll.id,
        "total_users": max(board.most.get(run.poll.id, 0), run.participants),
        "voted_users": len(found.entries),
        "correct_users": found.all_right,
        "avg_time": found.average_time,
        "avg_score": found.average_score,
        "questions": [wire.entry(run, one) for one in page],
        "last": params.offset + len(page) >= len(found.entries),
    }
