"""Doing a replay: the handler of its jobs.

Owns: `KIND`, `Task`, `Work`.

Always holds: an attempt and what it means for the replay are one commit, under the job's fence, before the next one is
begun. So a kill repeats at most the one delivery that was under way, and whoever has lost the job sends at most that
one too.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

import msgspec

from callboard.clock import NANOSECONDS, Clock
from callboard.database import Database, Delete, Put
from callboard.events import replayed
from callboard.jobs import Backoff, Cause, Failure, Handlers, Job, JobError, Kind, Result, Run
from callboard.ledger import Changes, Ledger, Recorded
from callboard.webhooks.attempts import REPLAYED
from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.failures import Failure as Refusal
from callboard.webhooks.parking import replayed as no_longer_parked
from callboard.webhooks.replays import choosing
from callboard.webhooks.replays import part as parts
from callboard.webhooks.replays.filters import Replay, replay_of
from callboard.webhooks.replays.line import Client, Line
from callboard.webhooks.replays.part import NOT_CHOSEN, QUICK, Part, State, Step, part_of, verdict
from callboard.webhooks.replays.targets import DELETED, Target, target_of
from callboard.webhooks.replays.troubles import Troubles
from callboard.webhooks.request import head_row

HEADER: Final = b"callboard-replay: %b\r\n"
"""Names the replay, in each of its deliveries."""

_DAY: Final = 86_400.0
_ROWS: Final = 20
"""Chunks that are written at a time."""


class Task(msgspec.Struct, frozen=True):
    """What a job is to do: the part of a replay that goes to one target (`targets.py`)."""

    replay_id: str
    endpoint_id: str


KIND: Final = Kind(
    "webhook-replay",
    Task,
    weight=0.0,
    concurrency=16,
    give_up_after=3 * _DAY,
    most_losses=0,
    backoff=Backoff(first=5.0, factor=2.0, most=120.0),
)


class Work:
    """See the module. `per_second` events are begun at most in each job."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        endpoints: Endpoints,
        clock: Clock,
        client: Client,
        per_second: float,
        quick: tuple[float, ...] = QUICK,
        backoff: Backoff = KIND.backoff,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._endpoints = endpoints
        self._clock = clock
        self._client = client
        self._interval = 1 / per_second
        self._quick = quick
        self._backoff = backoff

    def add_to(self, handlers: Handlers) -> None:
        """Be the one who does them."""
        handlers.add(replace(KIND, backoff=self._backoff), self._perform, self._give_up)

    async def _perform(self, run: Run, task: Task) -> Result:
        replay, part = await self._found(task)
        await self._endpoints.refresh()  # another node may have made this one a moment ago
        journey = _Journey(self, run, replay, part)
        try:
            part = await journey.to_the_end()
        except JobError as error:
            if not error.final:
                await journey.wait_for(error.message)
            raise
        finally:
            await journey.close()
        return Result(self._end(part, State.DONE, journey.left_out()))

    async def _give_up(self, job: Job, failure: Failure) -> Changes:
        task = KIND.payload_of(job)
        _, part = await self._found(task)
        if failure.cause is Cause.CANCELLED:
            return self._end(part, State.CANCELLED)
        return self._end(part, State.TERMINATED, failure.message or f"given up: {failure.cause}")

    def _end(self, part: Part, state: State, message: str = "") -> Changes:
        over = parts.ended(part, state, self._clock.now(), message)
        gone = choosing.no_chunks(part.replay_id, part.endpoint_id, over.total)
        return Changes(rows=(parts.stored(over), *gone))

    async def _found(self, task: Task) -> tuple[Replay, Part]:
        rows = await self._database.fetch("replay_by_id", id=task.replay_id)
        own = await self._database.fetch("replay_part", replay_id=task.replay_id, endpoint_id=task.endpoint_id)
        return replay_of(rows[0]), part_of(own[0])

    async def choose(self, run: Run, replay: Replay, part: Part) -> Part:
        """The part, once it is settled which events there are. Raises `JobError`."""
        target = await self.target(part.endpoint_id)
        positions = await choosing.chosen_positions(self._database, self._ledger, replay, target)
        rows = list(choosing.chunks(replay.id, target.id, positions))
        for start in range(0, len(rows), _ROWS):
            await run.commit(Changes(rows=tuple(rows[start : start + _ROWS])))
        chosen = parts.chosen(part, len(positions), self._clock.now())
        await run.commit(Changes(rows=(parts.stored(chosen),)))
        return chosen

    async def target(self, target_id: str) -> Target:
        """To whom a part goes. Raises `JobError`."""
        target = await target_of(self._endpoints, target_id)
        if target is None:
            raise JobError("endpoint_deleted", DELETED, final=True)
        return target

    async def event_at(self, position: int) -> Recorded | None:
        """The event, if retention has left it there."""
        found = await self._ledger.read(position - 1, 1)
        return found[0] if found and found[0].position == position else None

    async def last_number(self, replay: Replay, event: Recorded, endpoint: Endpoint) -> int:
        """The number of the last attempt that the replay made for it, or what stands for none."""
        rows = await self._database.fetch(
            "last_attempt_number",
            event_id=event.id,
            endpoint_id=endpoint.id,
            after=replay.number * REPLAYED,
            before=(replay.number + 1) * REPLAYED,
        )
        return int(str(rows[0][0]))


class _Journey:
    """One try at a part: from where it had come to, to its end."""

    def __init__(self, work: Work, run: Run, replay: Replay, part: Part) -> None:
        self._work = work
        self._run = run
        self._replay = replay
        self._part = part
        self._positions: list[int] = []
        self._chunk = -1
        self._endpoint: Endpoint | None = None
        self._line: Line | None = None
        self._slot = 0.0
        self._troubles = Troubles()

    async def close(self) -> None:
        if self._line is not None:
            await self._line.close()
            self._line = None

    def left_out(self) -> str:
        """Which rooms' webhooks got nothing, or not all, in a few words."""
        return self._troubles.said()

    async def to_the_end(self) -> Part:
        """Raises `JobError` when the endpoint cannot be delivered to."""
        if self._part.total == NOT_CHOSEN:
            self._part = await self._work.choose(self._run, self._replay, self._part)
        while self._part.next < self._part.total:
            position = await self._position(self._part.next)
            event = await self._work.event_at(position)
            if event is None:
                await self._step(parts.failed(self._part, f"position {position}: expired", Step.REFUSED))
            else:
                await self._deliver(event)
            self._run.progress(self._part.next / self._part.total)
        return self._part

    async def wait_for(self, what: str) -> None:
        """Say what the replay waits for."""
        await self._step(self._part._replace(message=f"waiting: {what}"))

    async def _position(self, number: int) -> int:
        chunk, place = divmod(number, choosing.CHUNK)
        if chunk != self._chunk:
            part = self._part
            self._positions = await choosing.chunk(self._work._database, part.replay_id, part.endpoint_id, chunk)
            self._chunk = chunk
        return self._positions[place]

    async def _deliver(self, event: Recorded) -> None:
        """Try until it is accepted, or has failed. Raises `JobError` when it is the endpoint that does not work."""
        marked = msgspec.structs.replace(event, body=replayed(event.body))
        number = 0
        while True:
            number += 1
            ready = await self._ready(event)
            if ready is None:
                return await self._step(parts.failed(self._part, event.id, Step.REFUSED))
            target, endpoint, line = ready
            logged = await self._work.last_number(self._replay, event, endpoint) + 1
            sent = await line.send(marked)
            step = self._judged(target, event, sent.failure, number)
            delay = self._work._quick[number - 1] if step is Step.AGAIN else 0.0
            next_at = self._work._clock.now() + int(delay * NANOSECONDS) if delay else 0
            row = sent.row(marked, endpoint, logged, next_at)
            head = head_row(endpoint)
            match step:
                case Step.ACCEPTED:
                    unparked = no_longer_parked(target.parked_for, event.id)
                    return await self._step(parts.accepted(self._part), row, head, unparked)
                case Step.REFUSED | Step.FAILED:
                    return await self._step(parts.failed(self._part, event.id, step), row, head)
                case Step.AGAIN:
                    await self._run.commit(Changes(rows=(row, head)))
                    await asyncio.sleep(delay)
                case Step.DOWN | Step.GONE:
                    message = f"the endpoint does not work ({sent.failure})"
                    await self._run.commit(Changes(rows=(row, head)))
                    raise JobError("endpoint_down", message, final=step is Step.GONE)

    def _judged(self, target: Target, event: Recorded, failure: Refusal | None, number: int) -> Step:
        again = len(self._work._quick)
        if target.each_alone:
            return self._troubles.judged(event.hook, verdict(failure, number, 0, again))
        return verdict(failure, number, self._part.streak, again)

    async def _step(self, part: Part, *rows: Put | Delete) -> None:
        await self._run.commit(Changes(rows=(parts.stored(part), *rows)))
        self._part = part

    async def _ready(self, event: Recorded) -> tuple[Target, Endpoint, Line] | None:
        """What the event goes to as it is now, and a line to it, when the next attempt may begin; None if it is not to
        be sent: its room has no webhook any more, or one that does not work.
        """
        await self._run.rest()
        if self._troubles.left_out(event.hook):
            return None
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._slot - loop.time()))
        self._slot = max(loop.time(), self._slot) + self._work._interval
        target = await self._work.target(self._part.endpoint_id)
        endpoint = await target.endpoint(event)
        if endpoint is None:
            self._troubles.gone(event.hook)
            return None
        if endpoint != self._endpoint or self._line is None:
            await self.close()
            header = HEADER % self._replay.id.encode()
            self._line = Line(endpoint, self._work._client, self._work._clock, header)
            self._endpoint = endpoint
        return target, endpoint, self._line
