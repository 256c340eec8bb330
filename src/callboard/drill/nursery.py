"""Many processes, quickly: each is a fork of one that has everything loaded, and does nothing else.

That one is a program of its own (`nurse`): a line of JSON, the orders, in; the new process's number out.

Owns: `Nursery`, `Victim`, `nurse`.

Always holds: the one that forks has no thread and no event loop. It and all its children end with whoever started it.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
import uvloop

O = TypeVar("O", bound=msgspec.Struct)  # noqa: E741 - orders

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, prctl(2)
_LIBC = ctypes.CDLL(None)


class Victim:
    """A process that was started."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ended = asyncio.Event()
        try:
            self._file = os.pidfd_open(pid)
        except ProcessLookupError:
            self._ended.set()
        else:
            asyncio.get_running_loop().add_reader(self._file, self._end)

    def send(self, signum: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if not self._ended.is_set():
            signal.pidfd_send_signal(self._file, signum)

    async def ended(self, seconds: float) -> None:
        """Raises `TimeoutError`."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            raise TimeoutError(f"process {self.pid} did not come to its end within {seconds:.0f} s") from None

    def _end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)
        self._ended.set()


class Nursery:
    """Within `async with`. `module` is the program: what it does with its orders is its own matter."""

    def __init__(self, module: str) -> None:
        self._module = module

    async def __aenter__(self) -> Nursery:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self._module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def start(self, orders: msgspec.Struct) -> Victim:
        """A new process. Raises `OSError` if there can be none."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(msgspec.json.encode(orders) + b"\n")
        line = await stdout.readline()
        if not line:
            raise OSError("the process that starts the others has ended")
        return Victim(int(line))


def nurse(kind: type[O], live: Callable[[O], Coroutine[Any, Any, None]]) -> None:
    """The program: each child does `live(orders)`. See the module."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them: they leave no zombies
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(msgspec.json.decode(line, type=kind), live)}\n")
        sys.stdout.flush()


def _fork(orders: O, live: Callable[[O], Coroutine[Any, Any, None]]) -> int:
    pid = os.fork()
    if pid:
        return pid
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    status = 1
    try:
        uvloop.run(live(orders))
        status = 0
    except BaseException:  # noqa: BLE001 - whatever it is, it must not go on as the parent would
        traceback.print_exc()
    finally:
        os._exit(status)
