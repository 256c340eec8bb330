"""A worker's own page: where it is served, that it tells how the worker is, and what is said where it cannot be."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from callboard.clock import RandomIds
from callboard.config import ConfigError, load
from callboard.demo.server import die_with_parent
from callboard.metrics.settings import host_and_port
from callboard.recording.capture.folder import open_folder
from callboard.testing.ports import free_port


async def run(arguments: list[str], settings: Mapping[str, str]) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CALLBOARD_")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "callboard", "worker", *arguments),
        env={**inherited, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )


async def ask(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


@pytest.mark.postgresql
async def test_a_worker_serves_its_metrics_and_its_health_until_it_ends_and_a_second_says_that_the_port_is_taken(
    tmp_path: Path, postgresql_url: str
) -> None:
    open_folder(tmp_path / "capture", RandomIds().uuid)
    port = free_port()
    settings = {
        "CALLBOARD_DATABASE__URL": postgresql_url,
        "CALLBOARD_DATA_DIR": str(tmp_path / "one"),
        "CALLBOARD_RECORDING__CAPTURE_DIR": str(tmp_path / "capture"),
        "CALLBOARD_SERVER__PUBLIC_URL": "https://rooms.example.org",
        "CALLBOARD_WEBHOOKS__MASTER_KEY": "A" * 43 + "=",
        "CALLBOARD_WORKSPACE__SECRET": "x" * 40,
    }
    process = await run(["--metrics", f"127.0.0.1:{port}", "--kinds", "recording.track"], settings)
    assert process.stdout is not None
    async with asyncio.timeout(90):
        assert f"ready, seen at 127.0.0.1:{port}" in (await process.stdout.readline()).decode()
        while (await ask(port, "/readyz"))[0] != 200:  # its first look
            await asyncio.sleep(0.02)
    status, text = await ask(port, "/metrics")
    assert status == 200
    assert 'callboard_worker_running{kind="recording.track"} 0' in text
    assert "recording.stream" not in text
    assert "process_resident_memory_bytes" in text
    assert not {secret for secret in (postgresql_url, "x" * 40, "A" * 43) if secret in text}
    assert json.loads((await ask(port, "/readyz"))[1])["checks"] == {"database": True, "jobs": True}
    second = await run([], settings | {"CALLBOARD_METRICS__WORKER": f"127.0.0.1:{port}"})
    _, said = await asyncio.wait_for(second.communicate(), 90)
    assert second.returncode == 1
    words = " ".join(said.decode().split())
    assert f"cannot listen on 127.0.0.1 port {port} (metrics.worker, --metrics)" in words
    assert "needs an address of its own" in words
    assert "Traceback" not in words
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    with pytest.raises(ConnectionRefusedError):
        await ask(port, "/healthz")


async def test_an_address_that_cannot_be_one_is_named_with_what_is_allowed() -> None:
    process = await run(["--metrics", "9464"], {})
    _, said = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode == 2
    assert "--metrics: must be empty, or HOST:PORT, as 127.0.0.1:9464" in " ".join(said.decode().split())


@pytest.mark.parametrize(
    "wrong", ["9464", ":9464", "host", "host:", "host:0", "host:65536", "::1:9464", "a b:1", "h:1\n"]
)
def test_a_setting_that_cannot_be_an_address_is_an_error(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"CALLBOARD_METRICS__WORKER.*HOST:PORT"):
        load(None, {"CALLBOARD_METRICS__WORKER": wrong})


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:65535", ("::1", 65535)),
        ("worker-3.example.org:1", ("worker-3.example.org", 1)),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, parts: tuple[str, int]) -> None:
    settings = load(None, {"CALLBOARD_METRICS__WORKER": address})
    assert host_and_port(settings.metrics.worker) == parts
