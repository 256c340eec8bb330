"""The official server SDK (npm, pinned) as a child process that is told what to call.

Owns: the fixture `sdk` and `ServerSdk`. The SDK is a tool of these tests alone (its licence is GPL-3.0): nothing of it
is in the product.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callboard.demo.server import ServerProcess

HERE = Path(__file__).parent
STAMP = HERE / "node_modules" / ".lock-digest"


class SdkError(Exception):
    """What the SDK threw: `code` is the HTTP status."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('code')} {error.get('name')}: {error.get('message')}")
        self.code = error.get("code")
        self.message = error.get("message")


class ServerSdk:
    """The SDK, pointed at a server. `tried` is what was called of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self.tried: set[tuple[str, str]] = set()

    async def call(self, group: str, method: str = "", *args: Any) -> Any:
        """The result, read to its end. Raises `SdkError`."""
        self.tried.add((group, method))
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = {"id": next(self._ids), "path": [group, method], "args": args}
        self._process.stdin.write(json.dumps(line).encode() + b"\n")
        async with asyncio.timeout(30):
            answer = json.loads(await self._process.stdout.readline())
        if "error" in answer:
            raise SdkError(answer["error"])
        return answer["result"]


def install() -> None:
    """Put the pinned packages into `node_modules`, unless they are there."""
    digest = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    if STAMP.exists() and STAMP.read_text() == digest:
        return
    done = subprocess.run(
        ["npm", "ci", "--ignore-scripts"], cwd=HERE, timeout=300, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"npm ci failed:\n{done.stderr}"
    STAMP.write_text(digest)


@asynccontextmanager
async def sdk_for(server: ServerProcess) -> AsyncIterator[ServerSdk]:
    """The SDK for this server."""
    await asyncio.to_thread(install)
    process = await asyncio.create_subprocess_exec(
        "node",
        str(HERE / "driver.mjs"),
        f"{server.base_url}/v2",
        server.access_key,
        server.secret,
        cwd=HERE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
    )
    try:
        yield ServerSdk(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await asyncio.wait_for(process.wait(), 10)


@pytest.fixture
def sdk() -> Any:
    """`sdk_for`."""
    return sdk_for
