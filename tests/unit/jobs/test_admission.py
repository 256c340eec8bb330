"""Which jobs are taken next."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS, RandomIds
from callboard.jobs import Handlers, Job, Kind, Result, new_job
from callboard.jobs.admission import admit, room_for
from callboard.ledger import Changes
from callboard.testing.jobs import Task

NOW = 1_700_000_000 * NANOSECONDS
KINDS = {
    "small": Kind("small", Task, weight=0.5, concurrency=4),
    "big": Kind("big", Task, weight=2.0, concurrency=2),
    "huge": Kind("huge", Task, weight=99.0, concurrency=1),
    "upload": Kind("upload", Task, weight=0.0, concurrency=3),
}
IDS = RandomIds(1)


async def perform(*_: object) -> Result:
    raise AssertionError


async def give_up(*_: object) -> Changes:
    raise AssertionError


HANDLERS = Handlers()
for kind in KINDS.values():
    HANDLERS.add(kind, perform, give_up)


def job(kind: str, priority: int = 0, due: int = 0) -> Job:
    return new_job(KINDS[kind], Task(), now=NOW, ids=IDS, priority=priority)._replace(due_at=due)


jobs = st.lists(st.builds(job, st.sampled_from(list(KINDS)), st.integers(0, 2), st.integers(0, 5)), max_size=15)


def names(taken: list[Job]) -> list[str]:
    return [one.kind for one in taken]


def test_by_priority_first_then_by_how_long_it_waits() -> None:
    first, second, third = job("small", 0, 5), job("small", 7, 9), job("small", 0, 1)
    assert admit(HANDLERS, [first, second, third], [], 8.0) == [second, third, first]


def test_no_more_of_a_kind_than_its_concurrency() -> None:
    assert names(admit(HANDLERS, [job("big")] * 3, [job("big")], 100.0)) == ["big"]


def test_a_job_that_does_not_fit_is_not_overtaken_by_others_that_need_cores() -> None:
    due = [job("big", 1), job("small"), job("upload"), job("small")]
    assert names(admit(HANDLERS, due, [job("small")], 2.0)) == ["upload"]
    assert names(admit(HANDLERS, due, [], 2.0)) == ["big", "upload"]


def test_a_job_that_asks_for_more_than_there_is_runs_alone() -> None:
    assert names(admit(HANDLERS, [job("huge"), job("small")], [], 2.0)) == ["huge"]
    assert names(admit(HANDLERS, [job("huge"), job("upload")], [job("small")], 2.0)) == ["upload"]
    assert names(admit(HANDLERS, [job("small")], [job("huge")], 2.0)) == []


def test_a_kind_whose_concurrency_is_used_up_does_not_hold_up_others() -> None:
    due = [job("big", 5), job("small")]
    assert names(admit(HANDLERS, due, [job("big"), job("big")], 5.0)) == ["small"]


@given(jobs, jobs, st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_limits_are_kept_and_with_nothing_running_something_is_always_taken(
    due: list[Job], before: list[Job], cores: float
) -> None:
    running = admit(HANDLERS, before, [], cores)
    taken = admit(HANDLERS, due, running, cores)
    count = Counter(names(running + taken))
    assert all(count[name] <= kind.concurrency for name, kind in KINDS.items())
    assert sum(min(KINDS[one.kind].weight, cores) for one in running + taken) <= cores + 1e-6
    assert len({one.id for one in taken}) == len(taken)
    assert taken or running or not due


@given(jobs, jobs)
def test_whoever_needs_cores_is_passed_over_only_by_those_before_it_or_for_its_concurrency(
    due: list[Job], before: list[Job]
) -> None:
    running = admit(HANDLERS, before, [], 2.0)
    taken = admit(HANDLERS, due, running, 2.0)
    count = Counter(names(running + taken))
    for waiting in due:
        if (
            waiting in taken
            or KINDS[waiting.kind].weight == 0
            or count[waiting.kind] >= KINDS[waiting.kind].concurrency
        ):
            continue
        key = (-waiting.priority, waiting.due_at, waiting.id)
        overtaken_by = [one for one in taken if (-one.priority, one.due_at, one.id) > key]
        assert all(KINDS[one.kind].weight == 0 for one in overtaken_by)


def test_kinds_without_room_are_not_looked_for() -> None:
    room = room_for(HANDLERS, ["big", "small", "huge"], [job("huge"), job("big"), job("upload")])
    assert room == {"big": 1, "small": 4}
