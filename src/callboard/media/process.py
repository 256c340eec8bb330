"""One run of Janus as a child process.

Owns: `JanusProcess`: its private directory, its configuration, the child, its log.

Always holds: the child dies with us (`launch.py`), writes no core file, has a directory of its own as working
directory, and that directory is gone after `stop` or `kill`. A start that fails leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from callboard.media import launch
from callboard.media.addresses import choose_addresses, host_addresses
from callboard.media.contract import EngineStartError, MediaSettings
from callboard.media.folder import PrivateFolder
from callboard.media.janusconfig import Access, config_files
from callboard.media.logring import LogRing

log = logging.getLogger("callboard.media")

_PREFIX = "callboard-janus-"


class JanusProcess:
    """Make one with `start`; it is used up when it ends."""

    def __init__(
        self,
        settings: MediaSettings,
        access: Access,
        folder: PrivateFolder,
        child: asyncio.subprocess.Process,
        ring: LogRing,
    ) -> None:
        self.access = access
        self.log = ring
        self._settings = settings
        self._folder = folder
        self._child = child
        self._reader = asyncio.create_task(self._read_log(), name="janus log")

    @classmethod
    async def start(cls, settings: MediaSettings, token: Callable[[], str]) -> JanusProcess:
        """Start Janus and wait until it listens. Raises `EngineStartError` with the reason and the log's end."""
        program = shutil.which(settings.janus)
        if program is None:
            raise EngineStartError(
                f"the media server Janus was not found (looked for {settings.janus!r}): install the Debian "
                "package `janus` (`apt install janus`), or set the path of its executable"
            )
        addresses = choose_addresses(settings.ice_addresses, host_addresses())
        folder = PrivateFolder.make(settings.folder, _PREFIX)
        try:
            access = Access.random(folder.path, token)
            for name, text in config_files(access, settings, addresses).items():
                (folder.path / name).write_text(text, encoding="utf-8")
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", launch.__file__, str(os.getpid())),
                *(program, "-F", str(folder.path)),
                cwd=folder.path,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is ours to handle: peers are detached first
            )
        except BaseException:
            folder.remove()
            raise
        process = cls(settings, access, folder, child, LogRing(settings.log_lines, access.secrets))
        try:
            await process._wait_until_it_listens()
        except BaseException:
            await process.kill()
            raise
        log.info("janus started, pid %d, media addresses %s", child.pid, ", ".join(addresses))
        return process

    @property
    def pid(self) -> int:
        return self._child.pid

    async def wait(self) -> str:
        """Wait until it has ended; how it ended, in words."""
        return describe_exit(await self._child.wait())

    async def stop(self) -> None:
        """Ask it to end (SIGTERM), make it end after the deadline, clean up. Detach all handles before.

        (Janus can crash while stopping with data channels alive, janus.md §4.2.)
        """
        with suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._settings.stop_deadline):
                await self._child.wait()
        except TimeoutError:
            log.warning("janus, pid %d, did not end when asked to: killing it", self.pid)
        await self.kill()

    async def kill(self) -> None:
        """End it at once if it still runs, and clean up. Idempotent."""
        with suppress(ProcessLookupError):
            self._child.kill()
        await self._child.wait()
        self._reader.cancel()
        await asyncio.wait([self._reader])
        self._folder.remove()

    async def _wait_until_it_listens(self) -> None:
        ended = asyncio.create_task(self._child.wait())
        listening = asyncio.create_task(self._poll_sockets())
        try:
            await asyncio.wait(
                {ended, listening},
                timeout=self._settings.start_deadline,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ended.done():
                await asyncio.wait([self._reader], timeout=1)
                how = describe_exit(ended.result())
                raise EngineStartError(f"Janus {how} while starting; {self._said()}")
            if not listening.done():
                raise EngineStartError(
                    f"Janus did not listen within {self._settings.start_deadline:g} s; {self._said()}"
                )
        finally:
            for task in (ended, listening):
                task.cancel()
            await asyncio.wait({ended, listening})

    async def _poll_sockets(self) -> None:
        for path in (self.access.api_socket, self.access.admin_socket):
            while True:
                try:
                    _, writer = await asyncio.open_unix_connection(str(path))
                except OSError:
                    await asyncio.sleep(0.02)
                    continue
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
                break

    async def _read_log(self) -> None:
        assert self._child.stdout is not None
        while chunk := await self._child.stdout.read(65536):
            for line in self.log.feed(chunk):
                grave = line.startswith(("[ERR]", "[FATAL]"))
                log.log(logging.WARNING if grave else logging.DEBUG, "janus: %s", line)

    def _said(self) -> str:
        tail = self.log.tail()
        return f"its last words:\n{tail}" if tail else "it printed nothing"


def describe_exit(code: int) -> str:
    """`ended with code 1`, `was killed by SIGKILL`."""
    if code >= 0:
        return f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
