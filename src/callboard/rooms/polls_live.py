"""Polls of open sessions: created, started, answered, stopped (signal.md §7.8).

Owns: `LivePolls`, and `Board`: the polls of one session with their final answers, in memory and durable.

Always holds: a caller is answered, and anybody told, when what it did is durable. A run is started at most once and
every run that was started is stopped: by somebody, when its time is over, or with its session, also after a crash.
Who answers twice counts once. Of an anonymous poll nothing is kept that says who answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from callboard.background import Background
from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database, Put, Unit
from callboard.errors import Conflict, Invalid, NotFound
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.polls import (
    Given,
    Poll,
    PollBody,
    Question,
    Response,
    Run,
    checked,
    in_order,
    poll_row,
    response_row,
    run_of,
    run_row,
)
from callboard.rooms.polls_scoring import judged, require_answerable
from callboard.rooms.polls_store import POLL_ID, PollStore
from callboard.rooms.session import Peer
from callboard.rooms.transitions import Closed, Joined, Opened, Outcome

log = logging.getLogger("callboard.rooms")

MAX_POLLS: Final = 100
"""So many polls a session may have."""


class News(StrEnum):
    """What happened to a run."""

    STARTED = "started"
    ANSWERED = "answered"
    STOPPED = "stopped"


Listener = Callable[[News, Run], None]


def participant(run: Run, peer: Peer) -> str:
    """Who this peer counts as, by the poll's mode; in an anonymous poll by a digest of that, for this run only."""
    known = {"userid": peer.user_id, "peerid": peer.id, "username": peer.name}[run.poll.mode] or peer.id
    return digest(run, known) if run.poll.anonymous else known


def digest(run: Run, known: str) -> str:
    """A name for somebody within one run."""
    return hashlib.sha256(f"{run.id} {known}".encode()).hexdigest()[:32]


class Board:
    """The polls of one session, by poll id, each with its final answers, and the most peers that were in meanwhile."""

    def __init__(self, session_id: str, room_id: str) -> None:
        self.session_id = session_id
        self.room_id = room_id
        self.runs: dict[str, Run] = {}
        self.most: dict[str, int] = {}
        self.timers: dict[str, asyncio.TimerHandle] = {}
        self._answers: dict[str, dict[tuple[str, int], Response]] = {}

    def run(self, poll_id: str) -> Run:
        """Raises `NotFound`."""
        if poll_id not in self.runs:
            raise NotFound("poll not found")
        return self.runs[poll_id]

    def responses(self, poll_id: str) -> list[Response]:
        """The final answers, the oldest first."""
        return sorted(self._answers.get(poll_id, {}).values(), key=lambda one: (one.sent_at, one.id))

    def answer_of(self, poll_id: str, who: str, question: int) -> Response | None:
        return self._answers.get(poll_id, {}).get((who, question))

    def put(self, run: Run, responses: Iterable[Response]) -> None:
        self.runs[run.poll.id] = run
        answers = self._answers.setdefault(run.poll.id, {})
        answers.update({(one.participant, one.question): one for one in responses if one.final})

    def voters(self, poll_id: str) -> set[str]:
        return {who for who, _ in self._answers.get(poll_id, {})}


class LivePolls:
    """The boards of all open sessions. Raises `callboard.errors` refusals and what `Database.submit` raises."""

    def __init__(
        self, database: Database, store: PollStore, rooms: LiveRooms, background: Background, clock: Clock, ids: Ids
    ) -> None:
        self._database = database
        self._store = store
        self._rooms = rooms
        self._background = background
        self._clock = clock
        self._ids = ids
        self._boards: dict[str, asyncio.Future[Board]] = {}
        self._listeners: list[Listener] = []
        rooms.observe(self._observe)

    def listen(self, listener: Listener) -> None:
        """Call `listener` with what happens to runs, once it is durable."""
        self._listeners.append(listener)

    async def start_up(self) -> None:
        """Take up what a process before us left: the clocks of polls in open sessions go on, others are stopped."""
        rows = await self._database.fetch("poll_sessions_left_open")
        left = [(run_of(row[:-1]), int(row[-1] or 0)) for row in rows]
        stopped = [msgspec.structs.replace(run, stopped_at=closed_at) for run, closed_at in left]
        if stopped:
            await self._database.commit(Unit(tuple(run_row(run) for run in stopped)))
        for live in self._rooms.all_live():
            await self.board(live)

    def stop_clocks(self) -> None:
        """The process ends; whoever takes the sessions up starts the clocks again."""
        for loading in self._boards.values():
            if loading.done() and not loading.cancelled() and loading.exception() is None:
                for timer in loading.result().timers.values():
                    timer.cancel()

    async def board(self, live: LiveRoom) -> Board:
        """The polls of the room's session. Raises `NotFound` when none is open."""
        if live.session is None:
            raise NotFound("session not found")
        session_id = live.session.id
        if session_id not in self._boards:
            self._boards[session_id] = asyncio.ensure_future(self._load(live, session_id))
            self._boards[session_id].add_done_callback(lambda loaded: self._loaded(session_id, loaded))
        return await asyncio.shield(self._boards[session_id])

    def known(self, session_id: str) -> Board | None:
        """The polls of an open session, if anybody has looked at them yet."""
        loading = self._boards.get(session_id)
        return loading.result() if loading is not None and loading.done() else None

    def _loaded(self, session_id: str, loaded: asyncio.Future[Board]) -> None:
        if loaded.cancelled() or loaded.exception() is not None:
            self._boards.pop(session_id, None)

    async def _load(self, live: LiveRoom, session_id: str) -> Board:
        board = Board(session_id, live.room.id)
        for run in await self._store.runs_of_session(session_id):
            board.put(run, await self._store.responses_of_run(run))
            board.most[run.poll.id] = max(len(board.voters(run.poll.id)), self._present(board))
            self._arm(board, run)
        for poll_id in live.room.polls:
            if poll_id not in board.runs:
                await self._link(board, poll_id)
        return board

    async def _link(self, board: Board, poll_id: str) -> None:
        """A poll that the room names is in each of its sessions, and is started with it unless that is by hand."""
        try:
            run = self._new_run(board, await self._store.get(poll_id))
        except NotFound:
            log.warning("room %s names a poll %s that does not exist", board.room_id, poll_id)
            return
        await self._apply(board, run)
        if run.poll.start == "auto":
            await self._begin(board, run, "")

    # --- the verbs ---------------------------------------------------------------------------------------------------

    async def create(self, live: LiveRoom, body: PollBody, by: str, poll_id: str = "") -> Run:
        """A new poll, not started, or a draft changed, whose questions stay. Raises `Conflict`, `Invalid`."""
        if poll_id and not POLL_ID.fullmatch(poll_id):
            raise Invalid("invalid poll id", ["1 to 64 letters, digits, - or _ are allowed"])
        board = await self.board(live)
        if poll_id in board.runs:
            draft = _draft(board.runs[poll_id])
            fields = {name: getattr(body, name) for name in PollBody.__struct_fields__ if name != "questions"}
            return await self._write(board, draft, msgspec.structs.replace(draft.poll, **fields))
        if len(board.runs) >= MAX_POLLS:
            raise Conflict("too many polls", [f"a session has at most {MAX_POLLS}"])
        if poll_id and await self._exists(poll_id):
            raise Conflict("this poll id is taken")
        poll = self._store.new(body, poll_id)
        if poll.id in board.runs:  # the same call came twice, at the same time
            return board.runs[poll.id]
        return await self._write(board, self._new_run(board, poll, by), poll)

    async def set_questions(self, live: LiveRoom, poll_id: str, questions: tuple[Question, ...]) -> Run:
        """The draft has these questions from now on. Raises `NotFound`, `Conflict` (it was started), `Invalid`."""
        board = await self.board(live)
        draft = _draft(board.run(poll_id))
        poll = checked(msgspec.structs.replace(draft.poll, questions=in_order(questions)))
        return await self._write(board, draft, poll)

    async def start(self, live: LiveRoom, poll_id: str, by: str) -> Run:
        """Let it be answered from now on. Started already: that run. Raises `NotFound`, `Conflict` (it is over)."""
        board = await self.board(live)
        if board.run(poll_id).state == "created":
            poll = await self._store.get(poll_id)
            run = board.run(poll_id)
            if run.state == "created":
                return await self._begin(board, msgspec.structs.replace(run, poll=poll), by)
        if board.run(poll_id).state == "stopped":
            raise Conflict("the poll is over")
        return board.run(poll_id)

    async def stop(self, live: LiveRoom, poll_id: str, by: str) -> Run:
        """No more answers. Stopped already: that run. Raises `NotFound`, `Conflict` (it was not started)."""
        board = await self.board(live)
        return await self._end(board, poll_id, by)

    async def answer(
        self, live: LiveRoom, peer: Peer, poll_id: str, question: int, given: Given, duration: int
    ) -> Response:
        """Answer one question; the same again is that answer again. Raises `NotFound`, `Invalid`, `Conflict` (it is not
        running; it was answered, and that stands: in a quiz, and when the question says so)."""
        board = await self.board(live)
        run = board.run(poll_id)
        asked = run.poll.question(question)
        if asked is None:
            raise NotFound("question not found")
        if run.state != "started":
            raise Conflict("the poll is not running")
        require_answerable(asked, given)
        before = board.answer_of(poll_id, participant(run, peer), question)
        if before is not None and before.given == given:
            return before
        if before is not None and (asked.once or run.poll.type == "quiz"):
            raise Conflict("this question was answered, and that answer stands")
        response = self._response(run, peer, asked, given, duration, before)
        rows = [response] if before is None else [msgspec.structs.replace(before, final=False), response]
        voters = board.voters(poll_id) | {response.participant}
        counted = run.responses + (before is None)
        await self._apply(board, msgspec.structs.replace(run, responses=counted, participants=len(voters)), rows)
        self._tell(News.ANSWERED, board.run(poll_id))
        return response

    # --- how ---------------------------------------------------------------------------------------------------------

    def _new_run(self, board: Board, poll: Poll, by: str = "") -> Run:
        now = self._clock.now()
        return Run(
            id=self._ids.object_id(now),
            session_id=board.session_id,
            room_id=board.room_id,
            poll=poll,
            created_at=now,
            created_by=by,
        )

    def _response(
        self, run: Run, peer: Peer, asked: Question, given: Given, duration: int, before: Response | None
    ) -> Response:
        now = self._clock.now()
        right, score = judged(run.poll, asked, given)
        named = not run.poll.anonymous
        return Response(
            id=self._ids.object_id(now),
            poll_id=run.poll.id,
            session_id=run.session_id,
            question=asked.index,
            participant=participant(run, peer),
            peer_id=peer.id if named else "",
            user_id=peer.user_id if named else "",
            user_name=peer.name if named else "",
            role=peer.role,
            given=given,
            duration=duration,
            retries=before.retries + 1 if before else 0,
            original=(before.original or before.id) if before else "",
            correct=right,
            score=score,
            sent_at=now,
        )

    async def _exists(self, poll_id: str) -> bool:
        return bool(await self._database.fetch("poll_by_id", id=poll_id))

    async def _write(self, board: Board, run: Run, poll: Poll) -> Run:
        poll = msgspec.structs.replace(poll, updated_at=self._clock.now())
        run = msgspec.structs.replace(run, poll=poll)
        await self._apply(board, run, also=(poll_row(poll),))
        return run

    async def _begin(self, board: Board, run: Run, by: str) -> Run:
        run = msgspec.structs.replace(run, started_at=self._clock.now(), started_by=by)
        board.most[run.poll.id] = self._present(board)
        await self._apply(board, run)
        self._arm(board, run)
        self._tell(News.STARTED, run)
        return run

    async def _end(self, board: Board, poll_id: str, by: str) -> Run:
        run = board.run(poll_id)
        if run.state == "created":
            raise Conflict("the poll was not started")
        if run.state == "stopped":
            return run
        if (timer := board.timers.pop(poll_id, None)) is not None:
            timer.cancel()
        run = msgspec.structs.replace(run, stopped_at=self._clock.now(), stopped_by=by)
        await self._apply(board, run)
        self._tell(News.STOPPED, run)
        return run

    def _apply(
        self, board: Board, run: Run, responses: Sequence[Response] = (), also: tuple[Put, ...] = ()
    ) -> asyncio.Future[None]:
        """Take it into memory, so that what comes next sees it; the future is done when it is durable.

        Raises `NotFound` when the session is over: its runs are stopped, and stay so."""
        if not self._open(board):
            raise NotFound("session not found")
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        unit = Unit((*also, run_row(run), *(response_row(one) for one in responses)))
        self._database.submit(unit, lambda _: None if durable.done() else durable.set_result(None))
        board.put(run, responses)
        return durable

    def _arm(self, board: Board, run: Run) -> None:
        if run.state == "started" and run.poll.duration:
            left = (run.started_at - self._clock.now()) / NANOSECONDS + run.poll.duration
            loop = asyncio.get_running_loop()
            board.timers[run.poll.id] = loop.call_later(
                max(left, 0.0), lambda: self._background.start(self._time_is_over(board, run.poll.id))
            )

    async def _time_is_over(self, board: Board, poll_id: str) -> None:
        if self._open(board):
            await self._end(board, poll_id, "")

    def _open(self, board: Board) -> bool:
        live = self._rooms.live(board.room_id)
        return live is not None and live.session is not None and live.session.id == board.session_id

    def _present(self, board: Board) -> int:
        live = self._rooms.live(board.room_id)
        return len(live.session.peers) if live is not None and live.session is not None else 0

    def _tell(self, news: News, run: Run) -> None:
        for listener in self._listeners:
            listener(news, run)

    def _observe(self, live: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Opened() if live.room.polls and live.session is not None:
                    self._background.start(self._begin_with(live))
                case Joined() if live.session is not None:
                    self._joined(live.session.id)
                case Closed(session):
                    self._closed(session.id)
                case _:
                    pass

    async def _begin_with(self, live: LiveRoom) -> None:
        try:
            await self.board(live)
        except NotFound:
            log.info("the session of room %s was over before its polls began", live.room.id)

    def _joined(self, session_id: str) -> None:
        board = self.known(session_id)
        if board is not None:
            for run in board.runs.values():
                if run.state == "started":
                    board.most[run.poll.id] = max(board.most.get(run.poll.id, 0), self._present(board))

    def _closed(self, session_id: str) -> None:
        """The session is over, and its polls with it; nobody is left to be told."""
        loading = self._boards.pop(session_id, None)
        if loading is None or not loading.done():
            return  # `start_up` of the next process stops what is being started just now
        board, now = loading.result(), self._clock.now()
        for timer in board.timers.values():
            timer.cancel()
        for run in board.runs.values():
            if run.state == "started":
                self._database.submit(Unit((run_row(msgspec.structs.replace(run, stopped_at=now)),)))


def _draft(run: Run) -> Run:
    if run.state != "created":
        raise Conflict("the poll was started: it cannot be changed any more")
    return run
