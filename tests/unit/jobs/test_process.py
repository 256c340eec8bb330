"""Programs that jobs run: bounded, killed in time, and told nothing that is not theirs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from callboard.jobs import Finished, ProcessFailed, ProcessTimeout, TooMuchOutput
from callboard.jobs.memory import oom_kills
from callboard.jobs.process import run_process

GENEROUS = 60.0


async def shell(script: str, **options: object) -> Finished:
    return await run_process(["sh", "-c", script], **{"deadline": GENEROUS, **options})  # type: ignore[arg-type]


async def test_a_program_that_ends_well_answers_with_what_it_printed() -> None:
    assert await shell("printf 'out\\0put'; echo careful >&2") == Finished(b"out\0put", "careful\n")


async def test_a_program_that_fails_says_how_and_why() -> None:
    with pytest.raises(ProcessFailed, match=r"^sh ended with code 3: no such codec$") as caught:
        await shell("echo no such codec >&2; exit 3")
    assert caught.value.code == 3


async def test_a_program_that_is_killed_says_so() -> None:
    with pytest.raises(ProcessFailed, match="sh was killed by signal 9"):
        await shell("kill -9 $$")


async def test_a_program_that_does_not_exist_says_so() -> None:
    with pytest.raises(ProcessFailed, match=r"no-such-program ended with code 127: .*No such file") as caught:
        await run_process(["no-such-program"], deadline=GENEROUS)
    assert caught.value.code == 127


async def test_a_program_is_killed_at_its_deadline_with_all_that_it_started(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $! > child; echo $$ > self; echo stuck >&2; wait"
    task = asyncio.create_task(shell(script, deadline=4.0, folder=tmp_path))
    with pytest.raises(ProcessTimeout, match="sh was not done after 4 s: stuck"):
        await task
    await gone(*pids(tmp_path))


async def test_a_cancelled_call_kills_the_program_with_all_that_it_started(tmp_path: Path) -> None:
    script = "sleep 1000 & echo $! > child; echo $$ > self; wait"
    task = asyncio.create_task(shell(script, folder=tmp_path))
    await written(tmp_path / "self")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(*pids(tmp_path))


async def test_a_program_that_prints_too_much_is_killed() -> None:
    with pytest.raises(TooMuchOutput, match="sh printed more than 1000 bytes"):
        await shell("while :; do echo yes; done", most_output=1_000)


async def test_only_the_end_of_what_it_complains_is_kept() -> None:
    finished = await shell("seq 100000 >&2; echo the end >&2")
    assert len(finished.complaints) == 16_384
    assert finished.complaints.endswith("100000\nthe end\n")


async def test_progress_is_read_line_by_line_and_not_kept() -> None:
    lines: list[str] = []
    script = "printf 'frame=1\\nfra'; sleep 0.1; printf 'me=2\\n'; head -c 200000 /dev/zero; printf '\\nend\\nno line'"
    finished = await shell(script, progress=lines.append, most_output=10)
    assert lines == ["frame=1", "frame=2", "end"]
    assert finished.output == b""


async def test_a_progress_reader_that_fails_ends_the_program(tmp_path: Path) -> None:
    def fails(_: str) -> float | None:
        raise LookupError("by the test")

    with pytest.raises(LookupError):
        await shell("echo $$ > self; cp self child; echo line; sleep 1000", progress=fails, folder=tmp_path)
    await gone(*pids(tmp_path))


async def test_a_program_gets_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLBOARD_DATABASE_URL", "postgresql://user:secret@host/db")
    finished = await shell("env", environment={"THREADS": "2"})
    names = {line.partition(b"=")[0] for line in finished.output.splitlines()}
    assert names - {b"PWD", b"SHLVL", b"_", b"OLDPWD"} == {b"PATH", b"LC_ALL", b"THREADS"}


async def test_a_program_is_nice_and_has_no_input_and_writes_no_core() -> None:
    finished = await shell("nice; ulimit -c; cat", niceness=7)
    ours = os.nice(0)
    assert finished.output.split() == [str(min(ours + 7, 19)).encode(), b"0"]


async def test_a_program_is_offered_to_the_kernel_before_us_when_memory_runs_out() -> None:
    finished = await run_process(["cat", "/proc/self/oom_score_adj"], deadline=GENEROUS)
    assert int(finished.output) == 1000 > int(Path("/proc/self/oom_score_adj").read_text(encoding="ascii"))


def test_how_often_the_kernel_has_killed_is_read_where_it_says_so(tmp_path: Path) -> None:
    counts = tmp_path / "vmstat"
    counts.write_text("pgfault 7\noom_kill 4\noom_kill_x 9\n", encoding="ascii")
    assert oom_kills(counts) == 4
    assert oom_kills(tmp_path / "nowhere") == 0


async def test_a_program_gets_no_more_memory_than_it_may_have() -> None:
    command = [sys.executable, "-c", "bytearray(400_000_000)"]
    await run_process(command, deadline=GENEROUS)
    with pytest.raises(ProcessFailed, match="MemoryError"):
        await run_process(command, deadline=GENEROUS, memory=300_000_000)


PARENT = """
import asyncio, sys
from callboard.jobs.process import run_process
asyncio.run(run_process(["sh", "-c", "echo $$ > self; exec sleep 1000"], deadline=60.0))
"""


async def test_a_program_does_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, cwd=tmp_path)
    await written(tmp_path / "self")
    [child] = pids(tmp_path, "self")
    os.kill(child, 0)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await gone(child)


def pids(folder: Path, *names: str) -> list[int]:
    return [int((folder / name).read_text()) for name in names or ("self", "child")]


async def written(path: Path) -> None:
    async with asyncio.timeout(GENEROUS):
        while not path.exists() or not path.read_text().endswith("\n"):
            await asyncio.sleep(0.01)


async def gone(*processes: int) -> None:
    """Wait until they have ended (orphans may stay behind as zombies where nobody reaps them)."""
    async with asyncio.timeout(GENEROUS):
        for pid in processes:
            while alive(pid):
                await asyncio.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
