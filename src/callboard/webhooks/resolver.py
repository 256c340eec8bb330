"""Names to addresses that may be connected to.

Owns: `Resolver`, a `reach.Resolve`.

Always holds: every address of a name is vetted, and one that is refused refuses the name; what is returned is
connected to as it is, the name is not asked for again (so a name that changes its mind meanwhile changes nothing). At
most `THREADS` names are asked for at a time, each once however many wait for it, and nobody waits longer than
`SECONDS`.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

from callboard.webhooks.guard import Address, Policy, plain
from callboard.webhooks.hosts import HostError, host_of, permits_host
from callboard.webhooks.reach import AddressRefused

THREADS = 16
SECONDS = 5.0
MOST_ADDRESSES = 64
"""A name with more addresses is refused: nobody needs them, and each costs time to vet."""

Look = Callable[[str, int], Sequence[str]]
"""Asks for a name's addresses, and blocks. Raises `OSError` or `UnicodeError`."""

log = logging.getLogger("callboard.webhooks")


def look_up(host: str, port: int) -> Sequence[str]:
    """The addresses that the system knows for `host`, best first."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def is_local(address: Address) -> bool:
    """Whether the address is this machine's: only those can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError as error:
        if error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EINVAL}:
            log.warning("whether %s is this machine's could not be found out: %s", address, error)
            return True
        return False
    return True


class Resolver:
    """See the module. Used on the event loop's thread only; `close` once."""

    def __init__(self, policy: Policy, look: Look = look_up, local: Callable[[Address], bool] = is_local) -> None:
        self._policy = policy
        self._look = look
        self._local = local
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="resolve")
        self._asked: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses that may be connected to, best first.

        Raises `AddressRefused` if one must not be, `socket.gaierror` if there is none, `TimeoutError`.
        """
        try:
            known = host_of(host)
        except HostError as error:
            raise AddressRefused(str(error)) from None
        if not permits_host(self._policy, known, port):
            raise AddressRefused(host)
        found = await self._found(known, port) if isinstance(known, str) else [str(known)]
        return [self._vetted(text, host, port) for text in found]

    def close(self) -> None:
        """Ask for no more names."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _found(self, name: str, port: int) -> Sequence[str]:
        asked = self._asked.get(name)
        if asked is None:
            loop = asyncio.get_running_loop()
            asked = self._asked[name] = loop.run_in_executor(self._threads, self._look, name, port)
            asked.add_done_callback(lambda done: self._answered(name, done))
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.shield(asked)
        except TimeoutError:
            raise TimeoutError(f"no answer within {SECONDS:g} s") from None
        except UnicodeError as error:  # a label that IDNA does not know
            raise socket.gaierror(socket.EAI_NONAME, str(error)) from error
        if len(found) > MOST_ADDRESSES:
            raise socket.gaierror(socket.EAI_FAIL, f"more than {MOST_ADDRESSES} addresses")
        return found

    def _answered(self, name: str, done: asyncio.Future[Sequence[str]]) -> None:
        del self._asked[name]
        if not done.cancelled():
            done.exception()  # those who waited were told; if nobody does any more, it is nobody's concern

    def _vetted(self, text: str, host: str, port: int) -> str:
        address = plain(ip_address(text))
        if not self._policy.permits(address, port, local=self._local(address)):
            log.warning("deliveries to %s are refused: it has an address that is not allowed", host)
            raise AddressRefused(host)
        return str(address)
