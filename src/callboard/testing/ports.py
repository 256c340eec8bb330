"""Ports for servers that are told their port before they start.

Owns: `free_port`.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_FIRST, _LAST = 10_000, 15_999
"""Below the ports that the kernel gives away by itself (ip(7), `ip_local_port_range`), and those of media."""


def free_port() -> int:
    """A port of loopback that nobody has at the moment, neither for TCP nor for UDP.

    Nobody is given it by the kernel either: so it is still free when a server has come up, or comes up again. Raises
    `OSError` when there is none.
    """
    chance = random.SystemRandom()  # not one that a test has seeded: two processes would choose alike
    for _ in range(_LAST - _FIRST):
        port = chance.randint(_FIRST, _LAST)
        with suppress(OSError), socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended do not count
            tcp.bind(("127.0.0.1", port))
            tcp.listen()
            udp.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")
