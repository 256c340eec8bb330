"""Polls as clients are shown them, and who is told what of them (signal.md §3.6, §4.6, §7.8).

Owns: the shapes, who may see what, and `PollNews`: the notifications.

Always holds: a right answer that is hidden is not shown to who may answer before the end; who may not see what others
answered is told how many, never what; an anonymous poll names nobody. Counts are told at most once in `PAUSE` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.models import Role
from callboard.rooms.polls import Question, Response, Run
from callboard.rooms.polls_live import Board, LivePolls, News, digest
from callboard.rooms.polls_scoring import Entry, Tally, tallies
from callboard.rooms.session import Peer
from callboard.signaling import frames
from callboard.signaling.registry import Registry
from callboard.signaling.wire import Json, milliseconds

PAUSE: Final = 1.0


def may_read(role: Role) -> bool:
    """Whether polls are shown to this role at all; who may write may read (platform.md §2.2)."""
    return role.permissions.poll_read or role.permissions.poll_write


def may_vote(role: Role, run: Run) -> bool:
    return may_read(role) and (not run.poll.vote or role.name in run.poll.vote)


def sees_answers(role: Role, peer: Peer, run: Run) -> bool:
    """Whether what others answered may be shown to this peer: to who made the poll, and to the roles that it says."""
    allowed = not run.poll.responses or role.name in run.poll.responses
    return may_read(role) and (allowed or peer.id == run.created_by)


def info(run: Run) -> Json:
    """`PollInfo`. Times are milliseconds since the epoch, 0 for what has not happened."""
    poll = run.poll
    return {
        "poll_id": poll.id,
        "title": poll.title,
        "type": poll.type,
        "duration": poll.duration,
        "anonymous": poll.anonymous,
        "visibility": poll.visibility,
        "locked": poll.locked or run.state != "created",
        "mode": poll.mode,
        "vote": list(poll.vote),
        "responses": list(poll.responses),
        "state": run.state,
        "created_by": run.created_by,
        "started_by": run.started_by,
        "stopped_by": run.stopped_by,
        "created_at": milliseconds(run.created_at),
        "started_at": milliseconds(run.started_at),
        "stopped_at": milliseconds(run.stopped_at),
        "questions_count": len(poll.questions),
    }


def question(run: Run, one: Question, role: Role) -> Json:
    """A question; its right answer when that is not hidden, or the poll is over, or the reader may write polls."""
    shown: Json = {
        "index": one.index,
        "text": one.text,
        "type": one.type,
        "skippable": one.skippable,
        "duration": one.duration,
        "once": one.once,
        "weight": one.weight,
        "negative": one.negative,
        "answer_min_len": one.answer_min_len,
        "answer_max_len": one.answer_max_len,
    }
    options = [{"index": option.index, "text": option.text, "weight": option.weight} for option in one.options]
    found: Json = {"question": shown, "options": options}
    right = one.answer
    if right is not None and (not right.hidden or run.state == "stopped" or role.permissions.poll_write):
        found["answer"] = {"hidden": right.hidden, "case": right.case, "trim": right.trim, **_right(one)}
    return found


def _right(one: Question) -> Json:
    right = one.answer
    if right is None or (not right.options and not right.text):
        return {}
    if one.type == "single-choice":
        return {"option": right.options[0]} if right.options else {}
    return {"options": list(right.options)} if one.choice else {"text": right.text}


def who(run: Run, one: Response) -> Json:
    """Who answered: of an anonymous poll only that it is the same one again."""
    same = one.participant if run.poll.anonymous else digest(run, one.participant)
    return {"hash": same, "peerid": one.peer_id, "userid": one.user_id, "username": one.user_name}


def response(run: Run, one: Response) -> Json:
    asked = run.poll.question(one.question)
    kind = asked.type if asked is not None else "single-choice"
    shown: Json = {"response_id": one.id, "question": one.question, "type": kind, "skipped": one.given.skipped}
    if kind == "single-choice" and one.given.options:
        shown["option"] = one.given.options[0]
    elif one.given.options:
        shown["options"] = list(one.given.options)
    elif one.given.text:
        shown["text"] = one.given.text
    return {"final": one.final, "response": {**shown, "update": bool(one.original)}, "peer": who(run, one)}


def result(board: Board, run: Run, *, whole: bool) -> Json:
    """How many answered; with `whole` also what."""
    counts: Json = {
        "poll_id": run.poll.id,
        "user_count": run.participants,
        "max_user": max(board.most.get(run.poll.id, 0), run.participants),
        "total_response": run.responses,
    }
    if not whole:
        return counts
    return counts | {"questions": [_tally(one) for one in tallies(run.poll, board.responses(run.poll.id))]}


def _tally(one: Tally) -> Json:
    return {
        "question": one.question.index,
        "type": one.question.type,
        "options": list(one.options),
        "correct": one.right,
        "skipped": one.skipped,
        "total": one.total,
    }


def entry(run: Run, one: Entry) -> Json:
    """A line of the leaderboard."""
    return {
        "position": one.position,
        "score": one.score,
        "total_responses": one.responses,
        "correct_responses": one.right,
        "duration": one.duration,
        "peer": who(run, one.first),
    }


class PollNews:
    """Tells the clients of a room what happens to its polls."""

    def __init__(self, polls: LivePolls, rooms: LiveRooms, registry: Registry) -> None:
        self._polls = polls
        self._rooms = rooms
        self._registry = registry
        self._due: dict[str, asyncio.TimerHandle] = {}
        """By run: when its counts are told next."""
        polls.listen(self._heard)

    def stop(self) -> None:
        for timer in self._due.values():
            timer.cancel()
        self._due.clear()

    def _heard(self, news: News, run: Run) -> None:
        if news is News.STARTED:
            self._tell(run, "on-poll-start", {"polls": [info(run)]}, lambda role, _: may_read(role))
        elif news is News.STOPPED:
            if (timer := self._due.pop(run.id, None)) is not None:
                timer.cancel()
            self._tell(run, "on-poll-stop", {"polls": [info(run)]}, lambda role, _: may_read(role))
        elif run.id not in self._due:
            self._due[run.id] = asyncio.get_running_loop().call_later(PAUSE, self._count, run)

    def _count(self, before: Run) -> None:
        self._due.pop(before.id, None)
        live = self._rooms.live(before.room_id)
        board = self._polls.known(before.session_id)
        if live is None or board is None:
            return
        run = board.run(before.poll.id)
        stats = {"polls": [result(board, run, whole=True)]}
        self._tell(run, "on-poll-stats", stats, lambda role, peer: sees_answers(role, peer, run))

    def _tell(self, run: Run, method: str, params: Any, allowed: Callable[[Role, Peer], bool]) -> None:
        live = self._rooms.live(run.room_id)
        if live is None or live.told is None or live.told.id != run.session_id:
            return
        frame = frames.notification(method, params)
        for peer, role in _people(live):
            client = self._registry.find(run.room_id, peer.id)
            if client is not None and client.ready and client.socket is not None and allowed(role, peer):
                client.socket.send(frame)


def _people(live: LiveRoom) -> Iterable[tuple[Peer, Role]]:
    peers = live.told.peers.values() if live.told is not None else ()
    return [(peer, live.template.roles[peer.role]) for peer in peers if peer.role in live.template.roles]
