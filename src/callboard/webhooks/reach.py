"""From a target to an open connection: which addresses may be spoken to, and connecting to one of them.

Owns: `Target`, `reach`, and the seam `Resolve` where it is decided who may be spoken to.

Always holds: a connection goes to an address that `Resolve` gave, and to no other. TLS verifies the certificate
against the target's host name. Proxies in the environment are not looked at.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic

from callboard.webhooks.connection import Opening
from callboard.webhooks.failures import Failure


class AddressRefused(Exception):  # noqa: N818 - what happened, said as it is
    """Raised by a `Resolve` whose policy forbids to speak to this host."""


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""`resolve_and_vet(host, port)`: the addresses (in numbers) that may be connected to, best first, asked whenever a
connection is opened. Raises `socket.gaierror`, `TimeoutError` or `AddressRefused`."""

ADDRESS_SECONDS = 4.0
"""How long an address may take to accept, when there is another one to try."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of `host`, all of them allowed."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that IDNA does not know
        raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


@dataclass(frozen=True, slots=True)
class Target:
    """Where the requests go. `tls` is None for plain HTTP."""

    host: str
    port: int
    tls: ssl.SSLContext | None


async def reach(target: Target, resolve_and_vet: Resolve, protocol: asyncio.Protocol, opening: Opening) -> None:
    """Connect `protocol` to the first vetted address that accepts. Raises what the last one failed with.

    What is known of it is in `opening`, also when it fails. An address after which there is another is given
    `ADDRESS_SECONDS`; the whole is the caller's to limit.
    """
    began = monotonic()
    try:
        addresses = await resolve_and_vet(target.host, target.port)
    finally:
        opening.dns = monotonic() - began
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        try:
            connected = await _connect(address, target.port, opening, ADDRESS_SECONDS if left > 1 else None)
            await _speak(connected, target, protocol, opening)
        except OSError as error:
            failure = error
        else:
            return
    raise failure


async def _connect(address: str, port: int, opening: Opening, seconds: float | None) -> socket.socket:
    """A TCP connection to an address in numbers: nothing is resolved here any more."""
    opening.remote, opening.timeout, began = address, Failure.TIMEOUT_CONNECT, monotonic()
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connecting = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        connecting.setblocking(False)
        connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().sock_connect(connecting, (address, port))
    except BaseException:
        connecting.close()
        raise
    finally:
        opening.connect += monotonic() - began
    return connecting


async def _speak(connected: socket.socket, target: Target, protocol: asyncio.Protocol, opening: Opening) -> None:
    """Let `protocol` have the connection, inside TLS if the target wants it."""
    opening.timeout, began = Failure.TIMEOUT_TLS, monotonic()
    server_hostname = target.host.removesuffix(".") if target.tls else None
    try:
        await asyncio.get_running_loop().create_connection(
            lambda: protocol, sock=connected, ssl=target.tls, server_hostname=server_hostname
        )
    except BaseException:
        connected.close()
        raise
    finally:
        if target.tls is not None:
            opening.tls += monotonic() - began


def failure_of(error: OSError | AddressRefused, opening: Opening) -> Failure:
    """What an attempt that failed so while its connection was being opened is recorded with."""
    if isinstance(error, TimeoutError):
        return opening.timeout
    if isinstance(error, socket.gaierror):
        return Failure.DNS_ERROR
    if isinstance(error, AddressRefused):
        return Failure.REFUSED_ADDRESS
    if isinstance(error, ssl.SSLError) or opening.timeout is Failure.TIMEOUT_TLS:
        return Failure.TLS_ERROR
    return Failure.CONNECTION_REFUSED if isinstance(error, ConnectionRefusedError) else Failure.CONNECTION_FAILED
