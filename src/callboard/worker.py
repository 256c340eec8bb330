"""A process that does background jobs and nothing else: one of any number, beside servers on one PostgreSQL database.

Owns: `Workers`: the parts that jobs need, without rooms, media or HTTP.

Always holds: it has the handlers that a server has, made in the same places. It starts only where it can do what it
takes: the capture folder is the one that a server uses (its marker is there), and links that it signs lead to a server.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from callboard.clock import Clock, Ids, RandomIds, SystemClock
from callboard.config import Settings
from callboard.database import Database, open_database
from callboard.jobs import Handlers, Worker
from callboard.jobs.setup import new_worker
from callboard.ledger import Ledger
from callboard.metrics.listener import serving
from callboard.metrics.settings import host_and_port
from callboard.metrics.work import WorkerCollector
from callboard.parts import database_url
from callboard.recording.capture.folder import MARKER
from callboard.recording.setup import Workshop, capture_path, open_workshop
from callboard.rooms.credentials import sealed_secret
from callboard.rooms.models import Workspace
from callboard.rooms.store import Store
from callboard.webhooks.vault import Vault
from callboard.webhooks.vault_file import open_vault

SQLITE: Final = (
    "an SQLite database is for one process: `callboard serve` does its jobs (jobs.worker). Workers of their own need"
    " database.url = postgresql://…"
)
ANOTHER_PORT: Final = "Each worker on a machine needs an address of its own there, which nothing else uses"
NO_URL: Final = "server.public_url must be set: links to recordings that are told in events lead there"


class CannotWork(Exception):  # noqa: N818 - said as the sentence it is
    """The settings are not those of a worker, or a folder is not where it should be; the message says which."""


class Workers:
    """`async with` it; `work` does jobs until it is told to stop."""

    database: Database
    ledger: Ledger
    store: Store
    workspace: Workspace
    vault: Vault
    workshop: Workshop

    def __init__(self, settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.ids = ids or RandomIds()
        self.handlers = Handlers()
        self.url = settings.server.public_url.rstrip("/")
        self.writes = True
        """Whether the database takes what is done."""
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Workers:
        """Raises `CannotWork`, `DatabaseStopped`, `VaultError`, `OSError`."""
        await self._check()
        async with AsyncExitStack() as starting:
            self.database = open_database(database_url(self.settings))
            await self.database.open()
            starting.push_async_callback(self.database.close)
            self.store = Store(self.database, self.clock, self.ids)
            keys, data = self.settings.workspace, Path(self.settings.data_dir)
            self.workspace = await self.store.open_workspace(secrets.token_bytes, keys.access_key, keys.secret)
            self.ledger = Ledger(self.database, account_id=self.workspace.id, app_id=self.workspace.app_id)
            sealed, master = await sealed_secret(self.database), self.settings.webhooks.master_key
            self.vault = await asyncio.to_thread(open_vault, master, data, secrets.token_bytes, sealed=sealed)
            self.workshop = await open_workshop(self)
            self._parts = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    async def work(self, kinds: frozenset[str] | None = None, ready: Callable[[], None] = lambda: None) -> None:
        """Do jobs of these kinds (None: all) until SIGINT or SIGTERM, or until the database stops; `ready` is called
        once it does.

        Raises `ValueError` for a kind that there is not, `CannotWork` where its metrics cannot be served.
        """
        over = asyncio.Event()
        worker = new_worker(self, f"worker-{self.ids.uuid()}", kinds, reserve=0)
        self.database.on_stop(lambda _: self._stopped(over))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        async with self._seen(worker):  # until the last job is given back
            await worker.start()
            ready()
            try:
                await over.wait()
            finally:
                await worker.stop()
                for number in (signal.SIGINT, signal.SIGTERM):
                    loop.remove_signal_handler(number)

    def _stopped(self, over: asyncio.Event) -> None:
        self.writes = False
        over.set()

    @asynccontextmanager
    async def _seen(self, worker: Worker) -> AsyncIterator[None]:
        """Its metrics and its health are served, if they are to be. Raises `CannotWork`."""
        address = self.settings.metrics.worker
        if not address:
            yield
            return
        made = self.workshop.making.made
        collector = WorkerCollector(self.database, self.ledger, worker, made, self.clock)
        checks = {"database": lambda: self.writes, "jobs": worker.alive}
        async with AsyncExitStack() as served:
            try:
                await served.enter_async_context(
                    serving(*host_and_port(address), collector, setting="metrics.worker, --metrics", checks=checks)
                )
            except OSError as error:
                raise CannotWork(f"{error.strerror}. {ANOTHER_PORT}") from None
            yield

    async def _check(self) -> None:
        if database_url(self.settings).startswith("sqlite:"):
            raise CannotWork(SQLITE)
        if not self.url:
            raise CannotWork(NO_URL)
        data = await asyncio.to_thread(Path(self.settings.data_dir).absolute)
        folder = capture_path(self.settings.recording, data)
        if not await asyncio.to_thread((folder / MARKER).exists):
            raise CannotWork(
                f"{folder} (recording.capture_dir) is not the capture folder of a server: share that folder with this"
                " machine, under any path, and name it there"
            )
        await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
