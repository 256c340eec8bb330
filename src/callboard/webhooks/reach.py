"""From a target to an open connection: which addresses may be spoken to, and connecting to one of them.

Owns: `Target`, `reach`, the seam `Resolve` where it is decided who may be spoken to, and the names of what can go wrong
on the way.

Always holds: a connection goes to an address that `Resolve` gave, and to no other. TLS verifies the certificate
against the target's host name. Proxies in the environment are not looked at.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from callboard.webhooks.connection import TIMEOUT

CONNECTION_REFUSED = "connection_refused"
CONNECTION_FAILED = "connection_failed"
DNS_ERROR = "dns_error"
TLS_ERROR = "tls_error"
ADDRESS_REFUSED = "address_refused"


class AddressRefused(Exception):  # noqa: N818 - what happened, said as it is
    """Raised by a `Resolve` whose policy forbids to speak to this host."""


Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""`resolve_and_vet(host, port)`: the addresses (in numbers) that may be connected to, best first, asked whenever a
connection is opened. Raises `socket.gaierror` or `AddressRefused`."""


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


async def reach(target: Target, resolve_and_vet: Resolve, protocol: asyncio.Protocol) -> None:
    """Connect `protocol` to the first vetted address that accepts. Raises what the last one failed with."""
    loop = asyncio.get_running_loop()
    server_hostname = target.host if target.tls else None
    failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
    for address in await resolve_and_vet(target.host, target.port):
        try:
            await loop.create_connection(
                lambda: protocol, address, target.port, ssl=target.tls, server_hostname=server_hostname
            )
        except OSError as error:
            failure = error
        else:
            return
    raise failure


def name_of(failure: OSError | AddressRefused) -> str:
    """What an attempt that failed so is recorded with."""
    names: dict[type[Exception], str] = {
        TimeoutError: TIMEOUT,
        ssl.SSLError: TLS_ERROR,
        socket.gaierror: DNS_ERROR,
        ConnectionRefusedError: CONNECTION_REFUSED,
        AddressRefused: ADDRESS_REFUSED,
    }
    return next((name for kind, name in names.items() if isinstance(failure, kind)), CONNECTION_FAILED)
