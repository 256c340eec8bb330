"""What answers come to: whether one may be given, whether it is right, what all of them add up to. Pure.

Owns: `judged`, `Tally`, `tallies`, `leaderboard`.

Always holds: only final answers count, so nobody counts twice; a skipped question is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from callboard.errors import Invalid
from callboard.rooms.polls import MAX_ANSWER, CorrectAnswer, Given, Poll, Question, Response


def require_answerable(question: Question, given: Given) -> None:
    """Raise `Invalid` unless this can be an answer to the question."""
    if given.skipped:
        if not question.skippable:
            raise Invalid("this question cannot be skipped")
    elif question.choice:
        known = {option.index for option in question.options}
        if not given.options or not set(given.options) <= known:
            raise Invalid("no such option")
        if question.type == "single-choice" and len(given.options) != 1:
            raise Invalid("a single choice is one option")
    else:
        longest = question.answer_max_len or MAX_ANSWER
        if not max(question.answer_min_len, 1) <= len(given.text) <= longest:
            raise Invalid("answer too short or too long", [f"{question.answer_min_len} to {longest} characters"])


def is_right(question: Question, given: Given) -> bool:
    """Whether it is the question's right answer; never, when that has none."""
    right = question.answer
    if right is None or given.skipped:
        return False
    if question.type == "single-choice":
        return set(given.options) <= set(right.options)
    if question.choice:
        return bool(right.options) and set(given.options) == set(right.options)
    return bool(right.text) and _plain(right, given.text) == _plain(right, right.text)


def _plain(right: CorrectAnswer, text: str) -> str:
    text = text.strip() if right.trim else text
    return text if right.case else text.casefold()


def judged(poll: Poll, question: Question, given: Given) -> tuple[bool, int]:
    """(right, score). Only a quiz scores: the question's weight, less than nothing for a wrong answer to a `negative`
    question."""
    right = is_right(question, given)
    if poll.type != "quiz" or given.skipped:
        return right, 0
    return right, question.weight if right else (-question.weight if question.negative else 0)


@dataclass(frozen=True, slots=True)
class Tally:
    """What the final answers to one question add up to; `options` counts the votes of option 1, 2, 3, …"""

    question: Question
    options: tuple[int, ...]
    right: int
    skipped: int
    total: int


def tallies(poll: Poll, responses: Iterable[Response]) -> list[Tally]:
    """One for each question."""
    of: dict[int, list[Response]] = {question.index: [] for question in poll.questions}
    for response in responses:
        if response.final and response.question in of:
            of[response.question].append(response)
    return [_tally(question, of[question.index]) for question in poll.questions]


def _tally(question: Question, responses: Sequence[Response]) -> Tally:
    votes = dict.fromkeys((option.index for option in question.options), 0)
    for response in responses:
        for option in response.given.options:
            votes[option] += 1
    return Tally(
        question,
        tuple(votes.values()),
        sum(response.correct for response in responses),
        sum(response.given.skipped for response in responses),
        len(responses),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody's place. `duration` is the milliseconds that all of its answers took."""

    position: int
    score: int
    responses: int
    right: int
    duration: int
    first: Response
    """The first of its answers: who it is."""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The best first. `all_right` is how many answered every question rightly; averages are over who answered."""

    entries: tuple[Entry, ...]
    all_right: int
    average_time: float
    average_score: float


def leaderboard(poll: Poll, responses: Iterable[Response], question: int = 0) -> Leaderboard:
    """By score, then the faster, then who answered first; of one question, or (0) of all."""
    asked = len(poll.questions) if question == 0 else 1
    of: dict[str, list[Response]] = {}
    for response in responses:
        if response.final and question in (0, response.question) and not response.given.skipped:
            of.setdefault(response.participant, []).append(response)
    sums = [
        (
            sum(one.score for one in own),
            sum(one.duration for one in own),
            sum(one.correct for one in own),
            sorted(own, key=lambda one: one.sent_at),
        )
        for own in of.values()
    ]
    sums.sort(key=lambda entry: (-entry[0], entry[1], entry[3][0].sent_at))
    entries = tuple(
        Entry(position, score, len(own), right, duration, own[0])
        for position, (score, duration, right, own) in enumerate(sums, 1)
    )
    count = len(entries) or 1
    return Leaderboard(
        entries,
        sum(entry.right == asked for entry in entries),
        sum(entry.duration for entry in entries) / count,
        sum(entry.score for entry in entries) / count,
    )
