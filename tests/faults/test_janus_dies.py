"""Janus dies, hangs or will not start; the control connection drops; we die."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callboard.clock import RandomIds
from callboard.media import (
    EngineStartError,
    MediaEngine,
    MediaError,
    MediaLost,
    MediaSettings,
    MediaUnavailable,
)
from callboard.media import engine as engine_module
from callboard.media.testing import DirectPeer, running_engine

pytestmark = [pytest.mark.faults, pytest.mark.media, pytest.mark.timeout(120)]


class Watcher:
    """An `EngineObserver` to wait for."""

    def __init__(self, engine: MediaEngine) -> None:
        self.told: list[str] = []
        self.lost = asyncio.Event()
        self.restored = asyncio.Event()
        engine.observe(self)

    def engine_lost(self, reason: str) -> None:
        self.told.append(f"lost: {reason}")
        self.lost.set()

    def engine_restored(self, node_id: str) -> None:
        self.told.append(f"restored: {node_id}")
        self.restored.set()


def janus_pid(engine: MediaEngine) -> int:
    assert engine._generation is not None
    return engine._generation.process.pid


async def within(seconds: float, event: asyncio.Event) -> None:
    async with asyncio.timeout(seconds):
        await event.wait()


async def no_handle_left(engine: MediaEngine) -> None:
    """Wait until Janus has forgotten what is being detached; our control handle stays."""
    async with asyncio.timeout(30):
        while await engine.handles() > 1:
            await asyncio.sleep(0.05)
    assert await engine.handles() == 1


async def call(engine: MediaEngine, first: str, second: str) -> tuple[DirectPeer, DirectPeer]:
    """Two peers, the first of which sees the second."""
    anna, ben = DirectPeer(engine, "room", first), DirectPeer(engine, "room", second)
    await anna.join()
    await ben.join()
    await ben.publish("audio", "video")
    anna.media.want([ben.subscription("audio"), ben.subscription("video")])
    await anna.until_received(ben.subscription("video"))
    return anna, ben


async def test_a_killed_janus_is_replaced_and_peers_can_come_back() -> None:
    async with running_engine() as engine:
        watcher, node = Watcher(engine), engine.node_id
        anna, ben = await call(engine, "anna", "ben")
        os.kill(janus_pid(engine), signal.SIGKILL)
        await within(30, watcher.lost)
        assert "killed by SIGKILL" in watcher.told[0]
        with pytest.raises(MediaLost, match="engine was lost"):
            anna.media.want([])
        with pytest.raises(MediaLost):
            await ben.media.publish("v=0", [])
        await within(30, watcher.restored)
        assert engine.node_id != node
        assert watcher.told[1:] == [f"restored: {engine.node_id}"]

        again = await call(engine, "anna", "ben")
        assert again[0].media.node_id.startswith(engine.node_id)
        assert not any("down" in report for peer in (anna, ben) for report in peer.reports)
        await asyncio.gather(*(peer.close() for peer in (anna, ben, *again)))
        assert (engine.counters.engine_starts, engine.counters.engine_losses) == (2, 1)


async def test_a_peer_may_be_opened_while_janus_restarts() -> None:
    async with running_engine() as engine:
        watcher = Watcher(engine)
        os.kill(janus_pid(engine), signal.SIGKILL)
        await within(30, watcher.lost)
        anna = DirectPeer(engine, "room", "anna")
        await anna.join()
        await anna.close()


async def test_a_call_that_is_being_made_when_janus_dies_fails_with_an_error() -> None:
    async with running_engine() as engine:
        watcher = Watcher(engine)
        peers = [DirectPeer(engine, "room", f"p{number}") for number in range(4)]
        joining = [asyncio.create_task(peer.enter()) for peer in peers]
        await asyncio.sleep(0.01)
        os.kill(janus_pid(engine), signal.SIGKILL)
        results = await asyncio.gather(*joining, return_exceptions=True)
        await within(30, watcher.restored)
        assert all(isinstance(result, MediaError | None) for result in results), results
        await asyncio.gather(*(peer.close() for peer in peers))
        await no_handle_left(engine)


async def test_a_janus_that_hangs_is_replaced() -> None:
    settings = MediaSettings(request_deadline=2.0, health_interval=0.2)  # a busy one takes a second to answer
    async with running_engine(settings) as engine:
        watcher, pid = Watcher(engine), janus_pid(engine)
        anna = DirectPeer(engine, "room", "anna")
        await anna.join()
        os.kill(pid, signal.SIGSTOP)
        await within(60, watcher.restored)
        assert "stopped answering" in watcher.told[0]
        assert janus_pid(engine) != pid
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        await anna.close()


async def test_when_only_the_control_connection_drops_the_call_goes_on() -> None:
    async with running_engine() as engine:
        watcher, node, pid = Watcher(engine), engine.node_id, janus_pid(engine)
        anna, ben = await call(engine, "anna", "ben")
        generation = engine._generation
        assert generation is not None
        assert generation.context.session._connection is not None
        generation.context.session._connection.abort()
        await anna.until(lambda: engine.counters.control_reclaims == 1)
        await anna.until_received(ben.subscription("video"))
        carl = DirectPeer(engine, "room", "carl")
        await carl.join()
        await carl.publish("audio")
        anna.media.want([ben.subscription("video"), carl.subscription("audio")])
        await anna.until_received(carl.subscription("audio"))
        assert (watcher.told, engine.node_id, janus_pid(engine)) == ([], node, pid)
        assert not any("down" in report for report in (*anna.reports, *ben.reports))
        await asyncio.gather(*(peer.close() for peer in (anna, ben, carl)))
        await no_handle_left(engine)


async def test_a_janus_that_will_not_start_gives_the_end_of_its_log(tmp_path: Path) -> None:
    janus = tmp_path / "janus"
    janus.write_text("#!/bin/sh\necho 'error while loading shared libraries: libnice.so.10'\nexit 127\n")
    janus.chmod(0o755)
    engine = MediaEngine(MediaSettings(janus=str(janus)), RandomIds())
    with pytest.raises(EngineStartError, match=r"ended with code 127(.|\n)*libnice\.so\.10"):
        await engine.start()
    assert not engine.running
    await engine.stop()


async def test_without_an_engine_no_peer_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "OPEN_DEADLINE", 0.05)
    engine = MediaEngine(MediaSettings(), RandomIds())
    anna = DirectPeer(engine, "room", "anna")
    with pytest.raises(MediaUnavailable, match="not running"):
        await anna.enter()
    await anna.vanish()
    await engine.stop()


async def test_one_that_does_not_come_back_at_once_is_tried_again(tmp_path: Path) -> None:
    real, broken = shutil.which("janus"), tmp_path / "broken"
    janus = tmp_path / "janus"
    janus.write_text(f'#!/bin/sh\n[ -e {broken} ] && {{ echo no luck; exit 1; }}\nexec {real} "$@"\n')
    janus.chmod(0o755)
    settings = MediaSettings(janus=str(janus), restart_delays=(0.0, 0.05))
    async with running_engine(settings) as engine:
        watcher = Watcher(engine)
        broken.touch()
        os.kill(janus_pid(engine), signal.SIGKILL)
        await within(30, watcher.lost)
        async with asyncio.timeout(30):
            while engine.counters.failed_restarts < 3:
                await asyncio.sleep(0.02)
        assert not engine.running
        broken.unlink()
        await within(30, watcher.restored)
        anna = DirectPeer(engine, "room", "anna")
        await anna.join()
        await anna.close()


async def test_an_engine_can_be_stopped_while_it_restarts(tmp_path: Path) -> None:
    settings = MediaSettings(folder=tmp_path / "m", restart_delays=(30.0,))
    async with running_engine(settings) as engine:
        watcher = Watcher(engine)
        os.kill(janus_pid(engine), signal.SIGKILL)
        await within(30, watcher.lost)
    assert list((tmp_path / "m").iterdir()) == []


async def test_stopping_the_engine_ends_every_peer_and_cleans_up(tmp_path: Path) -> None:
    async with running_engine(MediaSettings(folder=tmp_path / "m")) as engine:
        anna, ben = await call(engine, "anna", "ben")
        pid = janus_pid(engine)
    with pytest.raises(MediaLost):
        anna.media.want([])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert list((tmp_path / "m").iterdir()) == []
    await asyncio.gather(anna.vanish(), ben.vanish())


def test_janus_dies_with_us() -> None:
    program = (
        "import asyncio\n"
        "from callboard.clock import RandomIds\n"
        "from callboard.media import MediaEngine, MediaSettings\n"
        "async def main():\n"
        "    engine = MediaEngine(MediaSettings(), RandomIds())\n"
        "    await engine.start()\n"
        "    print(engine._generation.process.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert Path(f"/proc/{pid}/comm").read_text().strip() == "janus"
        process.send_signal(signal.SIGKILL)
    for _ in range(3000):
        try:
            if "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2]:
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        signal.sigtimedwait([], 0.01)
    raise AssertionError("janus outlived us")
