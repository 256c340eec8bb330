"""Cutting off a peer connection as a crash or a pulled cable would.

Owns: `cut_off`. This is the one place that reaches into aiortc's and aioice's insides (aiortc 1.16,
aioice 0.13): neither has a way to stop without saying goodbye.

Always holds: once `cut_off` was called not one more datagram leaves the connection, no DTLS alert, no
RTCP BYE, no STUN; everything it holds is released all the same.
"""

from __future__ import annotations

import asyncio

from aiortc import RTCPeerConnection


class _Mute(asyncio.DatagramTransport):
    """A datagram transport that sends nothing and, when closed, closes the real one."""

    def __init__(self, real: asyncio.DatagramTransport) -> None:
        super().__init__()
        self._real = real

    def sendto(self, data: object, addr: object = None) -> None:
        """Send nothing."""

    def close(self) -> None:
        self._real.close()

    def abort(self) -> None:
        self._real.abort()


async def cut_off(connection: RTCPeerConnection) -> None:
    """Stop `connection` without a sign to the other side, and release what it holds. Idempotent."""
    transports = [t.receiver.transport for t in connection.getTransceivers()]
    if connection.sctp is not None:
        transports.append(connection.sctp.transport)
    for dtls in transports:
        for protocol in dtls.transport._connection._protocols:
            if not isinstance(protocol.transport, _Mute):
                protocol.transport = _Mute(protocol.transport)
    await connection.close()
