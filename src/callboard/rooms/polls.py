"""Polls and quizzes: what one is, its runs in sessions, and the answers given (platform.md §2.12, signal.md §3.6).

Owns: `Poll` (with its questions), `Run` (a poll in one session), `Response` (one answer to one question), their rows.
Pure.

Always holds: instances are values. Questions and options are numbered 1, 2, 3, … in their order. A poll's questions
do not change under a run: a run has its own copy of the poll, as it was when it began.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from callboard.database import Put, Row
from callboard.database.tables import POLL, POLL_RESPONSE, POLL_SESSION
from callboard.errors import Invalid
from callboard.rooms.shapes import Snake

MAX_QUESTIONS: Final = 50
"""The official client asks for so many, once."""
MAX_OPTIONS: Final = 20
MAX_TEXT: Final = 1024
MAX_ANSWER: Final = 2048
FOREVER_SECONDS: Final = 43_200

NO_NUL: Final = r"^[^\x00]*$"
"""PostgreSQL's text has no place for U+0000."""

PollType = Literal["poll", "quiz"]
Mode = Literal["userid", "peerid", "username"]
QuestionType = Literal["single-choice", "multiple-choice", "short-answer", "long-answer"]
State = Literal["created", "started", "stopped"]

Text = Annotated[str, Meta(max_length=MAX_TEXT, pattern=NO_NUL)]
Seconds = Annotated[int, Meta(ge=0, le=FOREVER_SECONDS)]
Weight = Annotated[int, Meta(ge=0, le=10_000)]
Index = Annotated[int, Meta(ge=1, le=MAX_QUESTIONS)]


class Option(Snake, frozen=True, kw_only=True):
    index: Annotated[int, Meta(ge=1, le=MAX_OPTIONS)] = 1
    text: Text
    weight: Weight = 1


class CorrectAnswer(Snake, frozen=True):
    """What is right: the `options` of a choice (all of them together, or, of a single choice, any one of them), or a
    `text`. `hidden`: not shown to who may answer before the end.

    `case`: upper and lower case differ. `trim`: blanks around the text do not count.
    """

    hidden: bool = False
    options: Annotated[tuple[int, ...], Meta(max_length=MAX_OPTIONS)] = ()
    text: Annotated[str, Meta(max_length=MAX_ANSWER, pattern=NO_NUL)] = ""
    case: bool = False
    trim: bool = True


class Attachment(Snake, frozen=True):
    type: Annotated[str, Meta(max_length=64, pattern=NO_NUL)]
    url: Annotated[str, Meta(max_length=2048, pattern=NO_NUL)]


class Question(Snake, frozen=True, kw_only=True):
    """One question. `weight` is what a right answer scores, `negative`: a wrong one costs it. `once`: an answer stands.

    `duration` (seconds) is for clients to show: the server does not enforce it. `answer_max_len` 0: `MAX_ANSWER`.
    """

    index: Index = 1
    text: Text
    type: QuestionType
    format: Annotated[str, Meta(max_length=32, pattern=NO_NUL)] = "text"
    attachment: Annotated[tuple[Attachment, ...], Meta(max_length=10)] = ()
    skippable: bool = True
    duration: Seconds = 0
    once: bool = False
    weight: Weight = 1
    negative: bool = False
    answer_min_len: Annotated[int, Meta(ge=0, le=MAX_ANSWER)] = 0
    answer_max_len: Annotated[int, Meta(ge=0, le=MAX_ANSWER)] = 0
    answer: CorrectAnswer | None = None
    options: Annotated[tuple[Option, ...], Meta(max_length=MAX_OPTIONS)] = ()

    @property
    def choice(self) -> bool:
        """Whether it is answered by choosing among its options."""
        return self.type in ("single-choice", "multiple-choice")


class PollBody(Snake, frozen=True):
    """A poll as it is written. `duration` is seconds, 0: until it is stopped. `start` auto: with the session.

    `vote` and `responses` are the roles that may answer, and see what was answered; empty: all that may see polls.
    """

    title: Annotated[str, Meta(max_length=256, pattern=NO_NUL)] = ""
    duration: Seconds = 0
    anonymous: bool = False
    visibility: bool = False
    locked: bool = False
    mode: Mode = "userid"
    type: PollType = "poll"
    start: Literal["auto", "manual"] = "auto"
    vote: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    responses: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    questions: Annotated[tuple[Question, ...], Meta(max_length=MAX_QUESTIONS)] = ()


class Poll(PollBody, frozen=True, kw_only=True):
    """A stored poll."""

    id: str
    created_at: int
    updated_at: int

    def question(self, index: int) -> Question | None:
        return next((one for one in self.questions if one.index == index), None)


class Run(Struct, frozen=True, kw_only=True):
    """A poll in one session. `started_at` and `stopped_at` are 0 before; `*_by` are peer ids, "" for the server."""

    id: str
    session_id: str
    room_id: str
    poll: Poll
    created_at: int
    created_by: str = ""
    started_at: int = 0
    started_by: str = ""
    stopped_at: int = 0
    stopped_by: str = ""
    responses: int = 0
    participants: int = 0

    @property
    def state(self) -> State:
        if self.stopped_at:
            return "stopped"
        return "started" if self.started_at else "created"


class Given(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was answered."""

    skipped: bool = False
    options: tuple[int, ...] = ()
    text: str = ""


class Response(Struct, frozen=True, kw_only=True):
    """One answer to one question. `participant` is who counts as one voter (by the poll's mode).

    `original` is the id of the first answer that it updates, "" for a first one; `final`: nothing updated it;
    `retries`: how many answers it replaces. `duration` is milliseconds, as the client says it.
    """

    id: str
    poll_id: str
    session_id: str
    question: int
    participant: str
    peer_id: str
    user_id: str
    user_name: str
    role: str
    given: Given
    duration: int = 0
    retries: int = 0
    original: str = ""
    final: bool = True
    correct: bool = False
    score: int = 0
    sent_at: int


def in_order(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """The questions, and the options of each, numbered 1, 2, 3, … in the order in which they stand."""
    return tuple(
        msgspec.structs.replace(
            question,
            index=number,
            options=tuple(msgspec.structs.replace(option, index=i) for i, option in enumerate(question.options, 1)),
        )
        for number, question in enumerate(questions, 1)
    )


def checked(poll: Poll) -> Poll:
    """The poll. Raises `Invalid` when its questions cannot be asked: a choice without options, an answer that is none
    of them, options of a question that has none."""
    problems = [problem for question in poll.questions for problem in _problems(question)]
    if problems:
        raise Invalid("invalid poll", problems)
    return poll


def _problems(question: Question) -> list[str]:
    where, found = f"questions[{question.index}]", []
    right = question.answer.options if question.answer else ()
    if question.choice and not question.options:
        found.append(f"{where}.options: a {question.type} question needs options")
    if not question.choice and question.options:
        found.append(f"{where}.options: a {question.type} question has none")
    known = {option.index for option in question.options}
    if not set(right) <= known:
        found.append(f"{where}.answer.options: no such option")
    if question.answer_max_len and question.answer_min_len > question.answer_max_len:
        found.append(f"{where}.answer_min_len: is more than answer_max_len")
    return found


def poll_row(poll: Poll) -> Put:
    return Put(POLL, (poll.id, msgspec.json.encode(poll).decode(), poll.created_at, poll.updated_at))


def poll_of(row: Row) -> Poll:
    """The poll that a row (columns as in `POLL`) describes."""
    return msgspec.json.decode(str(row[1]), type=Poll)


def run_row(run: Run) -> Put:
    document = msgspec.json.encode(run.poll).decode()
    values = {**{name: getattr(run, name) for name in Run.__struct_fields__}, "document": document}
    return Put(POLL_SESSION, tuple({**values, "poll_id": run.poll.id}[column.name] for column in POLL_SESSION.columns))


def run_of(row: Row) -> Run:
    """The run that a row (columns as in `POLL_SESSION`) describes."""
    values = dict(zip((column.name for column in POLL_SESSION.columns), row, strict=True))
    values.pop("poll_id")
    poll = msgspec.json.decode(str(values.pop("document")), type=Poll)
    return msgspec.convert({**values, "poll": poll}, Run)


def response_row(response: Response) -> Put:
    values = {name: getattr(response, name) for name in Response.__struct_fields__}
    values["answer"] = msgspec.json.encode(response.given).decode()
    return Put(POLL_RESPONSE, tuple(values[column.name] for column in POLL_RESPONSE.columns))


def response_of(row: Row) -> Response:
    """The response that a row (columns as in `POLL_RESPONSE`) describes."""
    values = dict(zip((column.name for column in POLL_RESPONSE.columns), row, strict=True))
    given = msgspec.json.decode(str(values.pop("answer")), type=Given)
    flags = {name: bool(values[name]) for name in ("final", "correct")}
    return msgspec.convert({**values, **flags, "given": given}, Response)
