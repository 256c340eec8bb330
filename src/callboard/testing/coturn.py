"""A real coturn on loopback, which shares a secret with us.

Owns: `running_coturn`. Always holds: it ends with the block that started it; nothing is written outside `folder`.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from callboard.testing.ports import free_port

DEADLINE = 60.0


class CoturnMissing(Exception):  # noqa: N818 - it is what is the case
    """The program is not installed."""


@dataclass(frozen=True, slots=True)
class Coturn:
    """A running server. `port` of 127.0.0.1 takes UDP and TCP; `log` is where it writes what it does."""

    port: int
    secret: str
    log: Path


class Collects(asyncio.DatagramProtocol):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue(100)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.arrived.put_nowait((data, addr))


@asynccontextmanager
async def running_coturn(folder: Path, secret: str, relay_ip: str = "127.0.0.1") -> AsyncIterator[Coturn]:
    """coturn with this shared secret, relaying from `relay_ip`. Raises `CoturnMissing`, `TimeoutError`."""
    program = shutil.which("turnserver")
    if program is None:
        raise CoturnMissing("coturn is not installed (Debian: apt-get install coturn)")
    found = Coturn(free_port(), secret, folder / "coturn.log")
    with found.log.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            "-n",  # no configuration file
            "--listening-ip=127.0.0.1",
            f"--listening-port={found.port}",
            f"--relay-ip={relay_ip}",
            "--allow-loopback-peers",
            "--use-auth-secret",
            f"--static-auth-secret={secret}",
            "--realm=callboard",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--verbose",
            "--log-file=stdout",
            f"--pidfile={folder / 'coturn.pid'}",
            f"--userdb={folder / 'coturn.db'}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        await _answers(found.port)
        yield found
    finally:
        process.kill()
        await process.wait()


async def _answers(port: int) -> None:
    """Return once something at this UDP port answers a STUN binding request (RFC 8489 §5)."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Collects, remote_addr=("127.0.0.1", port))
    try:
        async with asyncio.timeout(DEADLINE):
            for attempt in itertools.count():
                transport.sendto(bytes.fromhex("000100002112a442") + attempt.to_bytes(12, "big"))
                try:
                    await asyncio.wait_for(protocol.arrived.get(), 0.2)
                except TimeoutError:
                    continue
                return
    finally:
        transport.close()
