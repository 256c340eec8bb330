"""Janus as a child process, with small programs in its place."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from callboard.media import launch
from callboard.media.contract import EngineStartError, MediaSettings
from callboard.media.folder import PrivateFolder
from callboard.media.process import JanusProcess, describe_exit

LISTEN = """
import pathlib, socket, sys, time, signal
folder = pathlib.Path(sys.argv[sys.argv.index("-F") + 1])
print("hello from the child", flush=True)
sockets = []
for name in ("api.sock", "admin.sock"):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / name))
    listener.listen()
    sockets.append(listener)
"""

Program = Callable[[str], MediaSettings]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Settings that run a Python program in Janus's place."""

    def make(source: str) -> MediaSettings:
        script = tmp_path / "janus"
        script.write_text(f"#!{sys.executable}\n{source}")
        script.chmod(0o755)
        return MediaSettings(janus=str(script), start_deadline=60, stop_deadline=60, log_lines=5)

    return make


def token() -> str:
    return "0123456789abcdef"


async def test_it_starts_has_a_private_directory_and_cleans_up(program: Program) -> None:
    process = await JanusProcess.start(program(LISTEN + "time.sleep(60)"), token)
    folder = process.access.folder
    try:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert Path(f"/proc/{process.pid}/cwd").resolve() == folder.resolve()
        async with asyncio.timeout(60):  # what it printed is read on the side
            while "hello from the child" not in process.log.tail():
                await asyncio.sleep(0.01)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert "Max core file size        0                    0" in limits
    finally:
        await process.stop()
    assert not folder.exists()


async def test_it_is_asked_to_end_before_it_is_made_to(program: Program) -> None:
    polite = (
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('goodbye', flush=True), sys.exit(3)))\n"
    )
    process = await JanusProcess.start(program(polite + LISTEN + "time.sleep(60)"), token)
    ended = asyncio.create_task(process.wait())
    await process.stop()
    assert await ended == "ended with code 3"
    assert "goodbye" in process.log.tail()


async def test_one_that_does_not_listen_to_reason_is_killed(program: Program) -> None:
    stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTEN + "time.sleep(60)"
    process = await JanusProcess.start(replace(program(stubborn), stop_deadline=1), token)
    ended = asyncio.create_task(process.wait())
    await process.stop()
    assert await ended == "was killed by SIGKILL"


async def test_one_that_ends_while_starting_gives_its_last_words(program: Program) -> None:
    dying = "import sys\nfor n in range(9): print('line', n)\nsys.exit('no such option')"
    with pytest.raises(EngineStartError, match=r"ended with code 1 while starting.*\n(.*\n)*.*no such option"):
        await JanusProcess.start(program(dying), token)


async def test_one_that_hangs_while_starting_is_killed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []
    kill = JanusProcess.kill

    async def noted(process: JanusProcess) -> None:
        pids.append(process.pid)
        os.kill(process.pid, 0)
        await kill(process)

    monkeypatch.setattr(JanusProcess, "kill", noted)
    quick = replace(program("import time\ntime.sleep(60)"), start_deadline=0.5)
    with pytest.raises(EngineStartError, match=r"did not listen within 0\.5 s; it printed nothing"):
        await JanusProcess.start(quick, token)
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_start_that_is_cancelled_leaves_nothing_behind(program: Program, tmp_path: Path) -> None:
    settings = MediaSettings(janus=program("import time\ntime.sleep(60)").janus, folder=tmp_path / "m")
    starting = asyncio.create_task(JanusProcess.start(settings, token))
    while not list((tmp_path / "m").glob("*/janus.jcfg")):
        await asyncio.sleep(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert list((tmp_path / "m").iterdir()) == []


async def test_a_missing_janus_is_named_with_its_package() -> None:
    with pytest.raises(EngineStartError, match=r"install the Debian package `janus`"):
        await JanusProcess.start(MediaSettings(janus="no-such-janus"), token)


async def test_secrets_do_not_show_in_the_log(program: Program) -> None:
    telling = LISTEN + "print((folder / 'janus.jcfg').read_text(), flush=True)\ntime.sleep(60)"
    settings = program(telling)
    process = await JanusProcess.start(MediaSettings(janus=settings.janus, log_lines=100), token)
    try:
        while "events" not in process.log.tail(100):
            await asyncio.sleep(0.01)
        assert "api_secret" in process.log.tail(100)
        assert token() not in process.log.tail(100)
    finally:
        await process.stop()


def test_directories_of_dead_runs_are_removed_and_those_in_use_are_not(tmp_path: Path) -> None:
    living = PrivateFolder.make(tmp_path, "run-")
    dead, other, elsewhere = tmp_path / "run-dead", tmp_path / "other", tmp_path / "elsewhere"
    for folder in (dead, other, elsewhere):
        folder.mkdir()
        (folder / "file").write_text("x")
    link = tmp_path / "run-link"
    link.symlink_to(elsewhere)
    newer = PrivateFolder.make(tmp_path, "run-")
    assert sorted(tmp_path.iterdir()) == sorted([living.path, newer.path, other, elsewhere, link])
    assert (elsewhere / "file").exists()
    living.remove()
    living.remove()
    newer.remove()
    assert sorted(tmp_path.iterdir()) == sorted([other, elsewhere, link])


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(EngineStartError, match="file"):
        PrivateFolder.make(tmp_path / "file", "run-")


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-I', '-S', {launch.__file__!r}, str(os.getpid()), 'sleep', '60']\n"
        "child = subprocess.Popen(command)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        wait_for(lambda: Path(f"/proc/{child}/comm").read_text().strip() == "sleep")
        process.send_signal(signal.SIGKILL)
    wait_for(lambda: state(child) in ("", "Z"))


def test_a_child_whose_parent_is_gone_already_does_not_start() -> None:
    command = [sys.executable, "-I", "-S", launch.__file__, "1", "sleep", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "the parent is gone" in done.stderr


def test_an_exit_is_put_into_words() -> None:
    assert describe_exit(0) == "ended with code 0"
    assert describe_exit(-11) == "was killed by SIGSEGV"
    assert describe_exit(-99) == "was killed by signal 99"


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return ""


def wait_for(condition: Callable[[], bool]) -> None:
    for _ in range(6000):
        if condition():
            return
        signal.sigtimedwait([], 0.01)
    raise AssertionError("it did not happen")
