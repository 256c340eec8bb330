"""The ICE connection under the API channel, exchangeable while DTLS and SCTP above it live on.

Owns: `IceLink` (what aiortc's DTLS transport asks of an ICE transport) and `HostConnection`.

Always holds: what arrives and is not DTLS is dropped (aiortc's DTLS transport would end on an empty
datagram); the queue of what arrived is bounded; while there is no path, what is to be sent is dropped, as on
any network, and SCTP sends it again. aioice cannot restart ICE: a restart is a second connection, which takes
over once it is connected.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from typing import Final

import aioice
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol

from callboard.media.apisection import RemoteEnd
from callboard.media.candidates import IceCandidate

log = logging.getLogger("callboard.media")

MAX_QUEUE: Final = 512
PORT_ATTEMPTS: Final = 64


class HostConnection(aioice.Connection):
    """An ICE connection on the addresses and ports it is told."""

    def __init__(self, addresses: Sequence[str], ports: tuple[int, int]) -> None:
        super().__init__(ice_controlling=True)
        self._host_addresses = tuple(addresses)
        self._ports = ports

    async def get_component_candidates(
        self,
        component: int,
        addresses: list[str],  # noqa: ARG002 - aioice's choice; ours was made at the start
        timeout: int = 5,  # noqa: ARG002, ASYNC109 - part of aioice's signature; nothing here waits
    ) -> list[aioice.Candidate]:
        """Bind a port on each address. Called by aioice's `gather_candidates`."""
        candidates = []
        for preference, address in enumerate(reversed(self._host_addresses)):
            try:
                protocol = await self._bind(address)
            except OSError as error:
                log.warning("an API channel does without %s: %s", address, error)
                continue
            port = int(protocol.transport.get_extra_info("sockname")[1])
            protocol.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", address),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host", 65535 - 100 + preference),
                host=address,
                port=port,
                type="host",
            )
            self._protocols.append(protocol)
            candidates.append(protocol.local_candidate)
        if not candidates:
            raise OSError(f"no free UDP port on any of {', '.join(self._host_addresses)}")
        return candidates[::-1]

    async def _bind(self, address: str) -> StunProtocol:
        loop = asyncio.get_running_loop()
        low, high = self._ports
        ports = random.sample(range(low, high + 1), min(PORT_ATTEMPTS, high + 1 - low))  # not a secret
        for port in ports:
            try:
                _, protocol = await loop.create_datagram_endpoint(
                    lambda: StunProtocol(self), local_addr=(address, port)
                )
            except OSError:
                continue  # taken, most likely by Janus: both use the same range
            return protocol
        raise OSError(f"no free port found within {low}-{high}")


class IceLink:
    """Has the members of `aiortc.RTCIceTransport` that `RTCDtlsTransport` uses: `role`, `state`, `_recv`,
    `_send`.
    """

    role = "controlling"
    state = "completed"

    def __init__(self, addresses: Sequence[str], ports: tuple[int, int]) -> None:
        self._addresses = addresses
        self._ports = ports
        self._current: aioice.Connection | None = None
        self._next: aioice.Connection | None = None
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUE)
        self._pumps: dict[aioice.Connection, asyncio.Task[None]] = {}

    @property
    def up(self) -> bool:
        """Whether there is a path that the client consents to."""
        return self._current is not None

    async def prepare(self) -> tuple[str, str, list[IceCandidate]]:
        """Gather for a new connection: its user name, password and candidates, to be offered. Raises
        `OSError`.
        """
        await self._drop(self._next)
        self._next = connection = HostConnection(self._addresses, self._ports)
        try:
            await connection.gather_candidates()
        except OSError:
            await self._drop(connection)
            self._next = None
            raise
        candidates = [
            IceCandidate(found.foundation[:32], found.priority, found.host, found.port, found.type)
            for found in connection.local_candidates
        ]
        return connection.local_username, connection.local_password, candidates

    async def connect(self, remote: RemoteEnd) -> bool:
        """Connect what was prepared and let it take over; `False` when a newer one was prepared meanwhile.

        Raises `ConnectionError`. Waits for ever for a client that cannot be reached.
        """
        connection = self._next
        if connection is None:
            raise ConnectionError("no ICE connection was prepared")
        connection.remote_username, connection.remote_password = remote.username, remote.password
        for candidate in remote.candidates:
            await self.add_candidate(candidate)
        try:
            await connection.connect()
        except ConnectionError:
            if self._next is connection:
                raise
        if self._next is not connection:
            return False
        before, self._current, self._next = self._current, connection, None
        self._pumps[connection] = asyncio.create_task(self._pump(connection), name="api channel ice")
        await self._drop(before)
        return True

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """A candidate of the client, for the connection that is being made."""
        if self._next is not None:
            await self._next.add_remote_candidate(
                aioice.Candidate(
                    foundation=candidate.foundation,
                    component=1,
                    transport="udp",
                    priority=candidate.priority,
                    host=candidate.address,
                    port=candidate.port,
                    # aioice takes no signalled peer-reflexive ones
                    type="srflx" if candidate.kind == "prflx" else candidate.kind,
                )
            )

    async def close(self) -> None:
        """Close every socket. Idempotent."""
        current, self._current = self._current, None
        pending, self._next = self._next, None
        await self._drop(pending)
        await self._drop(current)

    async def _recv(self) -> bytes:
        return await self._arrived.get()

    async def _send(self, data: bytes) -> None:
        connection = self._current
        if connection is None:
            return
        try:
            await connection.send(data)
        except ConnectionError:
            log.debug("the API channel has no path at the moment")

    async def _pump(self, connection: aioice.Connection) -> None:
        try:
            while True:
                data = await connection.recv()
                if data and 20 <= data[0] <= 63 and not self._arrived.full():  # DTLS: RFC 7983 §7
                    self._arrived.put_nowait(data)
        except ConnectionError:
            if self._current is connection:
                self._current = None

    async def _drop(self, connection: aioice.Connection | None) -> None:
        if connection is None:
            return
        pump = self._pumps.pop(connection, None)
        if pump is not None:
            pump.cancel()
            await asyncio.wait([pump])
        await connection.close()
