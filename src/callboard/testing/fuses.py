"""Where a process that does jobs is killed: before, in and after each step of each job, and around the job itself.

Owns: `Point`, `Fuse`, `FusedHandlers`.

Always holds: nothing in the product knows of this, and no job or step is named here: a point is where a handler, its
`Run` or a commit of a job's row passes by. So a step that somebody adds is a point from then on.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Collection, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from callboard.database import Put
from callboard.jobs import Failure, Handlers, Job, Kind, Result, Run, State
from callboard.jobs.job import job_of
from callboard.jobs.journal import answer_type
from callboard.jobs.kinds import Again, GiveUp, Perform
from callboard.ledger import Changes
from callboard.testing.ffmpegs import kill_working

T = TypeVar("T")
P = TypeVar("P")
A = ParamSpec("A")

MOMENTS = {
    "taken": "the claim is durable, nothing is done",
    "before": "the step is the next one to be done",
    "in": "the step's function, or the handler, waits for the second time",
    "beside a child": "a child process works for it",
    "child killed": "the child process was killed, and the failed try is written down",
    "child too quick": "the child process had ended when it was to be killed, and the step has not",
    "made": "the step has answered, which is not written down",
    "written": "the answer is durable",
    "done": "the handler has answered, and the end is not written down",
    "given up": "what is told of its failure is known, and not written down",
    "ended": "the end is durable",
}
"""Name and meaning of each. In a `full` drill also "in N", for each time that a step's function waits."""


class Point(NamedTuple):
    """`step` is the first word of its name (the rest says which one), "" for what belongs to the job as a whole."""

    kind: str
    step: str
    moment: str

    def __str__(self) -> str:
        return "|".join(self)


class Fuse:
    """Ends this process, as a power cut would, at the point `at`, or else at the first one that is not in `passed`.

    `how` may be SIGSTOP: the process then hangs there until somebody lets it go on. `say` writes a line that outlives
    the process. A fuse that is not `armed` does nothing. `full`: at each time that something waits.
    """

    def __init__(
        self,
        say: Callable[[str], object],
        *,
        at: str = "",
        passed: frozenset[str] = frozenset(),
        how: signal.Signals = signal.SIGKILL,
        armed: bool = True,
        full: bool = False,
    ) -> None:
        self._say = say
        self._at = at
        self._passed = passed
        self._how = how
        self._armed = armed
        self._full = full
        self._killed_child: Point | None = None

    def reach(self, point: Point) -> None:
        if self._is_for(point):
            self._end(point)

    def _end(self, point: Point) -> None:
        self._armed = False  # it goes on if that was SIGSTOP
        self._say(f"ended {point}")
        os.kill(os.getpid(), self._how)
        self._say(f"went on {point}")

    def _is_for(self, point: Point) -> bool:
        if not self._armed or self._killed_child not in {None, point}:
            return False
        return str(point) == self._at if self._at else str(point) not in self._passed

    def waits(self, kind: str, step: str, count: int, children: Collection[int]) -> None:
        """The step's function waits for the `count`th time, with these children; "" is the handler, with what it does
        outside of steps."""
        if count == 2:
            self.reach(Point(kind, step, "in"))
        if self._full:
            self.reach(Point(kind, step, f"in {count}"))
        if not children:
            return
        point = Point(kind, step, "child killed")
        if self._is_for(point) and self._killed_child is None:
            killed = [kill_working(child) for child in children]
            if any(killed):
                self._killed_child = point  # the process itself goes when that is written down
            else:
                self._end(Point(kind, step, "child too quick"))  # the next life has it make the same once more
        if self._killed_child is None:
            self.reach(Point(kind, step, "beside a child"))

    def written(self, put: Put) -> None:
        """The row of a job is durable (`Ledger.watch`)."""
        job = job_of(put.row)
        if job.state is State.RUNNING:
            self.reach(Point(job.kind, "", "taken"))
        elif job.ended_at:
            self.reach(Point(job.kind, "", "ended"))
        elif self._killed_child is not None and self._killed_child.kind == job.kind and job.error:
            self.reach(self._killed_child)


class FusedHandlers(Handlers):
    """Handlers whose jobs reach the fuse's points. `began(job, step)` is told when a step's function is called.

    They may lose as many workers as it takes: what becomes of a job that kills its workers is not what is asked here.
    """

    def __init__(self, fuse: Fuse, began: Callable[[Job, str], Awaitable[None]]) -> None:
        super().__init__()
        self._fuse = fuse
        self._began = began

    def add(self, kind: Kind[Any], perform: Perform[Any], give_up: GiveUp, again: Again | None = None) -> None:
        fuse = self._fuse

        async def fused(run: Run, payload: Any) -> Result:
            work = perform(_FusedRun(run, fuse, self._began), payload)
            result = await _Watched(work, lambda *now: fuse.waits(kind.name, "", *now))
            fuse.reach(Point(kind.name, "", "done"))
            return result

        async def given_up(job: Job, failure: Failure) -> Changes:
            changes = await give_up(job, failure)
            fuse.reach(Point(kind.name, "", "given up"))
            return changes

        super().add(replace(kind, most_losses=0), fused, given_up, again)


class _FusedRun(Run):
    """The run that it is made of, with points before, in and after each step."""

    def __init__(self, run: Run, fuse: Fuse, began: Callable[[Job, str], Awaitable[None]]) -> None:
        vars(self).update(vars(run))
        self._fuse = fuse
        self._began = began

    async def step(self, name: str, function: Callable[A, Awaitable[T]], *args: A.args, **kwargs: A.kwargs) -> T:
        kind, step, done = self.job.kind, name.split(maxsplit=1)[0], False

        async def fused() -> T:
            nonlocal done
            self._fuse.reach(Point(kind, step, "before"))
            await self._began(self.job, name)
            work = function(*args, **kwargs)
            answer: T = await _Watched(work, lambda *now: self._fuse.waits(kind, step, *now))
            done = True
            self._fuse.reach(Point(kind, step, "made"))
            return answer

        fused.__annotations__["return"] = answer_type(function)
        answer = await super().step(name, fused)
        if done:
            self._fuse.reach(Point(kind, step, "written"))
        return answer


class _Watched(Awaitable[T]):
    """Awaits `work`, and tells each time that it waits how often it has, and which child processes of it there are."""

    def __init__(self, work: Awaitable[T], waits: Callable[[int, set[int]], object]) -> None:
        self._work = work
        self._waits = waits

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self._work.__await__()
        advance: Callable[[], Any] = lambda: next(inner)  # noqa: E731 - what happens at each turn
        count, mine = 0, set[int]()
        while True:
            before = _children()
            try:
                waited_for = advance()
            except StopIteration as end:
                answer: T = end.value
                return answer
            count += 1
            mine |= _children() - before  # a child is started while its work goes on, and nothing else does
            self._waits(count, mine & _children())
            try:
                sent = yield waited_for
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is the work's
                advance = _thrown(inner, error)
            else:
                advance = _sent(inner, sent)


def _children() -> set[int]:
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return set(map(int, found))


def _sent(inner: Generator[Any, Any, Any], value: Any) -> Callable[[], Any]:
    return lambda: inner.send(value)


def _thrown(inner: Generator[Any, Any, Any], error: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(error)
