"""Our TURN credentials at a real coturn: it relays for those it should, and refuses the rest."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice import turn as client
from aioice.stun import TransactionFailed

from callboard.clock import NANOSECONDS, SystemClock
from callboard.signaling.turn import Turn, turn_credentials

pytestmark = pytest.mark.media

SECRET = "logen-south-logen-north"
DEADLINE = 20.0


class Coturn:
    """A running server. `address` is where it listens."""

    def __init__(self, port: int) -> None:
        self.address = ("127.0.0.1", port)
        self.turn = Turn((f"turn:127.0.0.1:{port}?transport=udp",), SECRET, 600, SystemClock())


class Collects(asyncio.DatagramProtocol):
    """Keeps what arrives."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue(100)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.arrived.put_nowait((data, addr))


def free_udp_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    """coturn on loopback, with the secret that we share with it."""
    program = shutil.which("turnserver")
    assert program is not None, "coturn is not installed (Debian: apt-get install coturn)"
    port = free_udp_port()
    with (tmp_path / "coturn.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            "-n",  # no configuration file
            "--listening-ip=127.0.0.1",
            f"--listening-port={port}",
            "--relay-ip=127.0.0.1",
            "--allow-loopback-peers",
            "--use-auth-secret",
            f"--static-auth-secret={SECRET}",
            "--realm=callboard",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--log-file=stdout",
            f"--pidfile={tmp_path / 'coturn.pid'}",
            f"--userdb={tmp_path / 'coturn.db'}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
    try:
        await answers(port)
        yield Coturn(port)
    finally:
        process.kill()
        await process.wait()


async def answers(port: int) -> None:
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


@asynccontextmanager
async def relayed(coturn: Coturn, name: str, password: str) -> AsyncIterator[tuple[client.TurnTransport, Collects]]:
    """An allocation at the server with these credentials. Raises `TransactionFailed`."""
    async with asyncio.timeout(DEADLINE):
        transport, protocol = await client.create_turn_endpoint(
            Collects, server_addr=coturn.address, username=name, password=password, transport="udp"
        )
    try:
        yield transport, protocol
    finally:
        transport.close()


async def test_what_a_client_is_told_lets_it_relay_both_ways(coturn: Coturn) -> None:
    told = coturn.turn.ice_server("0b0e4ae0-peer")
    loop = asyncio.get_running_loop()
    other, arrived = await loop.create_datagram_endpoint(Collects, local_addr=("127.0.0.1", 0))
    try:
        async with relayed(coturn, told["username"], told["credential"]) as (transport, protocol):
            transport.sendto(b"enter", other.get_extra_info("sockname"))
            async with asyncio.timeout(DEADLINE):
                data, relay = await arrived.arrived.get()
                assert data == b"enter"
                assert relay == transport.get_extra_info("sockname")
                other.sendto(b"exeunt", relay)
                assert (await protocol.arrived.get())[0] == b"exeunt"
    finally:
        other.close()


@pytest.mark.parametrize(
    ("secret", "lifetime"),
    [(SECRET, -60), ("another secret", 600)],
    ids=["their time is over", "made with another secret"],
)
async def test_other_credentials_are_refused(coturn: Coturn, secret: str, lifetime: int) -> None:
    name, password = turn_credentials(secret, "0b0e4ae0-peer", SystemClock().now(), lifetime)
    with pytest.raises(TransactionFailed, match="401"):
        async with relayed(coturn, name, password):
            pass


async def test_nobody_can_give_themselves_more_time(coturn: Coturn) -> None:
    told = coturn.turn.ice_server("0b0e4ae0-peer")
    later = SystemClock().now() // NANOSECONDS + 10**6
    with pytest.raises(TransactionFailed, match="401"):
        async with relayed(coturn, f"{later}:0b0e4ae0-peer", told["credential"]):
            pass
