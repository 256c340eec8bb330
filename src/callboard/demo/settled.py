"""When an aiortc connection may be negotiated again.

Owns: `settled`.

Always holds: after it returns, what the next negotiation adds will be sent and received. aiortc 1.16
starts senders and receivers only in a negotiation that finds the transport connected, or that connects
it itself; those added while DTLS is still shaking hands would stay silent for ever.
"""

from __future__ import annotations

import asyncio

from aiortc import RTCPeerConnection

CONNECT_DEADLINE = 30.0  # seconds: longer than ICE and DTLS try on their own


async def settled(connection: RTCPeerConnection, deadline: float = CONNECT_DEADLINE) -> None:
    """Return when `connection` was never negotiated, or is connected, failed or closed.

    Raises `TimeoutError` when it is still connecting after `deadline` seconds.
    """
    if not connection.remoteDescription:
        return
    changed = asyncio.Event()
    connection.on("connectionstatechange", changed.set)
    try:
        async with asyncio.timeout(deadline):
            while connection.connectionState in ("new", "connecting"):
                changed.clear()
                await changed.wait()
    finally:
        if connection.connectionState != "closed":  # closing has removed all listeners
            connection.remove_listener("connectionstatechange", changed.set)
