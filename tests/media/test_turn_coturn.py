"""Our TURN credentials at a real coturn: it relays for those it should, and refuses the rest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aioice import turn as client
from aioice.stun import TransactionFailed

from callboard.clock import NANOSECONDS, SystemClock
from callboard.signaling.turn import Turn, turn_credentials
from callboard.testing.coturn import Collects, Coturn, running_coturn

pytestmark = pytest.mark.media

SECRET = "logen-south-logen-north"
DEADLINE = 60.0


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[Coturn]:
    async with running_coturn(tmp_path, SECRET) as coturn:
        yield coturn


def turn(coturn: Coturn) -> Turn:
    """What clients are told of it."""
    return Turn((f"turn:127.0.0.1:{coturn.port}?transport=udp",), coturn.secret, 600, SystemClock())


@asynccontextmanager
async def relayed(coturn: Coturn, name: str, password: str) -> AsyncIterator[tuple[client.TurnTransport, Collects]]:
    """An allocation at the server with these credentials. Raises `TransactionFailed`."""
    async with asyncio.timeout(DEADLINE):
        transport, protocol = await client.create_turn_endpoint(
            Collects, server_addr=("127.0.0.1", coturn.port), username=name, password=password, transport="udp"
        )
    try:
        yield transport, protocol
    finally:
        transport.close()


async def test_what_a_client_is_told_lets_it_relay_both_ways(coturn: Coturn) -> None:
    told = turn(coturn).ice_server("0b0e4ae0-peer")
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
    told = turn(coturn).ice_server("0b0e4ae0-peer")
    later = SystemClock().now() // NANOSECONDS + 10**6
    with pytest.raises(TransactionFailed, match="401"):
        async with relayed(coturn, f"{later}:0b0e4ae0-peer", told["credential"]):
            pass
