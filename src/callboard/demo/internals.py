"""What aiortc has no public way for: vanishing, following an ICE restart, hearing of requests for a whole picture, and
telling where it sends to.

Owns: `cut_off`, `follow_ice_restart`, `on_key_wanted`, `ports_sent_to`. This is the one place that reaches into the
insides of aiortc 1.16 and aioice 0.13.

Always holds: once `cut_off` was called not one more datagram leaves the connection, no DTLS alert, no
RTCP BYE, no STUN; everything it holds is released all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiortc import RTCDtlsTransport, RTCPeerConnection, RTCRtpSender

from callboard.demo.sections import Description


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
    for dtls in _transports(connection).values():
        for protocol in dtls.transport._connection._protocols:
            if not isinstance(protocol.transport, _Mute):
                protocol.transport = _Mute(protocol.transport)
    await connection.close()


def follow_ice_restart(connection: RTCPeerConnection, offer: Description) -> bool:
    """Check consent (RFC 7675) with the ICE credentials of `offer` from now on; return if they are new.

    aiortc does not restart ICE: it keeps its own credentials and the pair that works, which the server
    accepts as long as the network is the same. With the old credentials its consent would expire in 30 s.
    """
    restarted = False
    for mid, dtls in _transports(connection).items():
        section = next((s for s in offer.sections if s.mid == mid), None)
        if section is None:
            continue
        agent = dtls.transport._connection
        name, password = section.attribute("ice-ufrag"), section.attribute("ice-pwd")
        if name and agent.remote_username not in (None, name):
            agent.remote_username, agent.remote_password = name, password
            restarted = True
    return restarted


def on_key_wanted(sender: RTCRtpSender, wanted: Callable[[], None]) -> None:
    """Have `wanted` called, too, when a receiver asks for a whole picture (PLI, FIR: RFC 4585, RFC 5104)."""
    known = sender._send_keyframe

    def both() -> None:
        known()
        wanted()

    sender._send_keyframe = both  # type: ignore[method-assign]  # there is no other way to hear of it


def ports_sent_to(connection: RTCPeerConnection) -> set[int]:
    """The UDP ports of the other side that `connection` has settled on."""
    agents = [dtls.transport._connection for dtls in _transports(connection).values()]
    return {pair.remote_candidate.port for agent in agents for pair in agent._nominated.values()}


def _transports(connection: RTCPeerConnection) -> dict[str, RTCDtlsTransport]:
    """Mid → the transport of that section."""
    found = {t.mid or "": t.receiver.transport for t in connection.getTransceivers()}
    if connection.sctp is not None:
        found[connection.sctp.mid or ""] = connection.sctp.transport
    return found
