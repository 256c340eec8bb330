"""A server as a child process: started, killed, started again on the same data and the same port.

Owns: `ServerProcess`. For the demo and for tests that need the real thing, from outside.

Always holds: the child cannot outlive us (PR_SET_PDEATHSIG, prctl(2)); its log is kept in a file.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import secrets
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from callboard.auth.tokens import Tokens
from callboard.clock import RandomIds, SystemClock
from callboard.demo.http import HttpError, request_json
from callboard.rooms.models import Workspace
from callboard.testing.ports import free_port

START_SECONDS = 60.0
STOP_SECONDS = 60.0
PR_SET_PDEATHSIG = 1


class ServerFailed(Exception):  # noqa: N818 - it is what happened; the message carries the end of its log
    """The server did not start."""


def die_with_parent() -> None:
    """For `preexec_fn`: the child is killed when we end (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class ServerProcess:
    """`callboard serve` with its data in `folder`. `settings` are environment variables, `CALLBOARD_…`."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.access_key, self.secret = secrets.token_hex(8), secrets.token_hex(24)
        keys = Workspace(id="0" * 24, app_id="0" * 24, access_key=self.access_key, secret=self.secret, created_at=0)
        self.tokens = Tokens(keys, SystemClock(), RandomIds())
        self._settings = dict(settings or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def log_file(self) -> Path:
        return self.folder / "server.log"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        assert self._process is not None
        return self._process.pid

    def management_token(self) -> str:
        return self.tokens.mint_management_token()

    async def start(self) -> None:
        """Start, and wait until it answers. Raises `ServerFailed`."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("CALLBOARD_")},
            "CALLBOARD_DATA_DIR": str(self.folder),
            "CALLBOARD_SERVER__PORT": str(self.port),
            "CALLBOARD_WORKSPACE__ACCESS_KEY": self.access_key,
            "CALLBOARD_WORKSPACE__SECRET": self.secret,
            "CALLBOARD_WEBHOOKS__ALLOWED_NETWORKS": '["127.0.0.0/8", "::1/128"]',  # where the receivers are
            **self._settings,
        }
        with self.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "callboard",
                "serve",
                cwd=self.folder,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        await self._answers()

    async def _answers(self) -> None:
        assert self._process is not None
        try:
            async with asyncio.timeout(START_SECONDS):
                while self._process.returncode is None:
                    try:
                        await request_json("GET", f"{self.base_url}/readyz", deadline=2.0)
                    except (OSError, HttpError):
                        await asyncio.sleep(0.05)
                    else:
                        return
        except TimeoutError:
            await self.kill()
        raise ServerFailed(f"the server did not start; the end of its log:\n{self.log_tail()}")

    def log_tail(self, characters: int = 3000) -> str:
        """The end of its log."""
        return self.log_file.read_text(errors="replace")[-characters:] if self.log_file.exists() else ""

    async def stop(self) -> int:
        """SIGTERM, then wait; returns the exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()
            raise ServerFailed(f"the server did not stop in {STOP_SECONDS} s:\n{self.log_tail()}") from None

    async def kill(self) -> None:
        """SIGKILL: no goodbye to anybody."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
