"""Whether the TURN servers that clients are told of let them in, and whether media reach us from there.

Owns: looking at each of `media.turn_urls` with an allocation of our own (RFC 8656), made with the credentials that a
client would get, and sending through it to a media port of this host: the one look at it from outside.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from aioice import stun, turn

from callboard.config import Media
from callboard.doctor.finding import Finding, broken, care, well
from callboard.media.addresses import host_addresses
from callboard.signaling.turn import turn_credentials

SECONDS: Final = 8.0
SENT: Final = b"callboard doctor"
ARRIVES_SECONDS: Final = 0.3
TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Server:
    """A TURN URL in its parts (RFC 7065)."""

    host: str
    port: int
    transport: str
    secure: bool


def parse(url: str) -> Server:
    """Raises `ValueError` for what is no TURN URL."""
    found = re.fullmatch(r"(turns?):(\[[^\]]+\]|[^:?]+)(?::(\d+))?(?:\?transport=(udp|tcp))?", url)
    if found is None:
        raise ValueError(f"{url} is not turn:HOST:PORT?transport=udp or tcp")
    scheme, host, port, transport = found.groups()
    secure = scheme == "turns"
    default = 5349 if secure else 3478
    return Server(host.strip("[]"), int(port or default), transport or ("tcp" if secure else "udp"), secure)


class Arrivals(asyncio.DatagramProtocol):
    """Notes whether what we sent arrives."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ARG002 - the protocol's
        if data == SENT:
            self.arrived.set()


async def turn_server(url: str, media: Media, now: int) -> list[Finding]:
    """What a client will meet there, and what meets us from there."""
    subject = f"TURN {url}"
    try:
        server = parse(url)
    except ValueError as error:
        return [broken(subject, str(error), "set media.turn_urls")]
    if server.secure and server.transport == "udp":
        return [care(subject, "DTLS is not tried from here", "try it from a browser")]
    name, password = turn_credentials(media.turn_secret, "doctor", now, 600)
    try:
        async with asyncio.timeout(SECONDS):
            relay, _ = await turn.create_turn_endpoint(
                asyncio.DatagramProtocol,
                (server.host, server.port),
                name,
                password,
                ssl=ssl.create_default_context() if server.secure else None,
                transport=server.transport,
            )
    except stun.TransactionFailed as error:
        return [_refused(subject, error)]
    except (OSError, TimeoutError, stun.TransactionError) as error:
        what = str(error) or "no answer"
        return [broken(subject, f"it cannot be reached: {what}", "is coturn running, and does its firewall let us in?")]
    try:
        relayed = relay.get_extra_info("sockname")[0]
        return [well(subject, f"it relays from {relayed}"), await _from_outside(relay, media)]
    finally:
        relay.close()


def _refused(subject: str, error: stun.TransactionFailed) -> Finding:
    code, reason = error.response.attributes.get("ERROR-CODE", (0, "no reason given"))
    if code == 401:
        remedy = "media.turn_secret must be coturn's static-auth-secret, and use-auth-secret be on"
        return broken(subject, f"it refuses our credentials ({code} {reason})", remedy)
    return broken(subject, f"it refuses to relay ({code} {reason})", "see coturn's log")


async def _from_outside(relay: turn.TurnTransport, media: Media) -> Finding:
    """Whether a packet from the TURN server reaches a media port of ours."""
    subject = "media from outside"
    address = media.public_address or next(iter(media.ice_addresses), "") or next(iter(host_addresses()), "")
    if not address:
        return care(subject, "this host has no address to send to", "set media.ice_addresses")
    opened = await _free_port(media)
    if opened is None:
        return care(subject, "no media port is free to try it with", "see media ports")
    transport, arrivals, port = opened
    try:
        for _ in range(TRIES):
            relay.sendto(SENT, (address, port))
            with suppress(TimeoutError):
                async with asyncio.timeout(ARRIVES_SECONDS):
                    await arrivals.arrived.wait()
                return well(subject, f"the TURN server reaches UDP {port} at {address}")
    finally:
        transport.close()
    remedy = (
        f"let UDP {media.port_min} to {media.port_max} in (firewall, cloud security group); behind NAT set"
        " media.public_address; a TURN server that denies private peers says nothing about public ones"
    )
    return care(subject, f"nothing from the TURN server arrived at UDP {port} of {address}", remedy)


async def _free_port(media: Media) -> tuple[asyncio.DatagramTransport, Arrivals, int] | None:
    """A media port nobody has, open: from the middle of the range on, where few are in use."""
    loop = asyncio.get_running_loop()
    for port in range((media.port_min + media.port_max) // 2, media.port_max + 1):
        with suppress(OSError):
            transport, arrivals = await loop.create_datagram_endpoint(Arrivals, local_addr=("0.0.0.0", port))  # noqa: S104
            return transport, arrivals, port
    return None
