"""What a server process needs of its host: a socket, a data folder to itself, signals.

Owns: `listen`, `alone_in`, `stop_on_signals`, and uvicorn without a mind of its own.

Always holds: the lock of a data folder goes with the process that holds it, however it ends.
"""

from __future__ import annotations

import asyncio
import fcntl
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises `OSError`.

    Not `socket.create_server`: its sockets have protocol 0, for which asyncio does not set TCP_NODELAY, and each
    second small frame to a client would wait 40 ms for an acknowledgement.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"cannot listen on {host} port {port} (server.host, server.port): {error}") from None
    return listening


class DataInUse(Exception):  # noqa: N818 - it is what is the case
    """Another server works in this data folder."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises `DataInUse`: two servers on one SQLite file would each believe that all live
    rooms are theirs. The lock goes with the process, however it ends (flock(2))."""
    with (folder / "callboard.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataInUse(f"another server works in {folder} (data_dir): each needs a folder of its own") from None
        yield


class HttpServer(uvicorn.Server):
    """uvicorn, without its own signal handling: it would end the process before the parts are stopped. `ending` is
    called when it begins to shut down: for what would go on for ever.
    """

    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def stop_on_signals(server: uvicorn.Server) -> Iterator[None]:
    """SIGINT and SIGTERM let the server finish what it is doing and stop."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.should_exit = True

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop)
    try:
        yield
    finally:
        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(signum)
