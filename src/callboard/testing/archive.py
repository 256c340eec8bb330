"""Captures without a call, for tests: rows and files that a dead process left, and workers that make something of it.

Owns: `Archive`.

Always holds: time passes only when the test says so (`work`), so days of retries take no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from callboard.clock import NANOSECONDS, RandomIds
from callboard.config import Recording as RecordingSettings
from callboard.config import Settings
from callboard.database import Database, Unit, open_database
from callboard.database.units import Put
from callboard.jobs import Handlers, Job, Office, Worker, WorkerSettings
from callboard.jobs.job import job_of
from callboard.ledger import Ledger
from callboard.recording.assets import Recording, RecordingStatus, recording_row
from callboard.recording.capture.recorder import Medias, Recorder
from callboard.recording.setup import Recordings
from callboard.recording.timeline import (
    Capture,
    CapturedTrack,
    Kind,
    Segment,
    State,
    Wanted,
    capture_row,
    segment_row,
    track_row,
)
from callboard.rooms.live import LiveRooms, RoomSettings
from callboard.rooms.models import Recording as TemplateRecording
from callboard.rooms.models import Template
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.store import Store
from callboard.rooms.templates import template_row
from callboard.storage import StorageError
from callboard.testing.captures import WRITTEN_AT, Sent, write_mjr
from callboard.testing.house import ROLES
from callboard.testing.jobs import ManualClock
from callboard.webhooks.vault import MasterKey, Vault

_STARTED = WRITTEN_AT * 1000 - NANOSECONDS
_KEY_PICTURE = b"\x10\x00\x00\x9d\x01\x2a\x40\x01\xb4\x00" + bytes(200)  # RFC 6386 §9.1: a key frame of 320×180
_MOST_ROUNDS = 20_000


class Archive:
    """See the module."""

    def __init__(self, path: Path, database: Database, recordings: Recordings, house: Any) -> None:
        self.storage = path / "recordings"
        self.database = database
        self.ledger: Ledger = house.ledger
        self.clock: ManualClock = house.clock
        self.office = Office(database, self.ledger, house.handlers, self.clock)
        self.recorder: Recorder = recordings.recorder
        self.folder = recordings.workshop.folder
        self.delivery = recordings.workshop.delivery
        self.begun = self.clock.now()
        self.rooms: LiveRooms = house.rooms
        self.room_id: str = house.room.id
        self._house = house
        self._told: list[str] = []
        self.ledger.subscribe(lambda events: self._told.extend(event.type for event in events))

    async def captured(
        self,
        *,
        state: State = "closing",
        refused: str = "",
        peer_id: str = "peer",
        stream_id: str = "stream",
        wanted: Wanted | None = None,
    ) -> str:
        """A session of one peer with sound and picture for two seconds; its id."""
        ids, room_id = self._house.ids, self._house.room.id
        session_id: str = ids.object_id(self.clock.now())
        ended = 0 if state == "recording" else _STARTED + 4 * NANOSECONDS
        wanted = wanted or Wanted(track=True, stream=True)
        template_id = self._house.room.template_id
        capture = Capture(
            session_id, room_id, template_id, _STARTED, ended, state, wanted, ids.object_id(1), self.folder.id
        )
        at = _STARTED
        recording = Recording(
            capture.recording_id, room_id, session_id, "sfu", RecordingStatus.RUNNING, "{}", at, at, 0, at
        )
        rows: list[Put] = [capture_row(capture), recording_row(recording)]
        for track_id, kind in (("sound", "audio"), ("picture", "video")):
            rows += self._track(capture, track_id, kind, peer_id, stream_id, refused)  # type: ignore[arg-type]
        await self.database.commit(Unit(tuple(rows)))
        return session_id

    def _track(
        self, capture: Capture, track_id: str, kind: Kind, peer_id: str, stream_id: str, refused: str
    ) -> list[Put]:
        started, ended = _STARTED + NANOSECONDS, capture.ended_at
        recording_id = self._house.ids.object_id(self.clock.now())
        about = (stream_id, "user", "name", kind, "regular", recording_id, started, ended, refused)
        rows = [track_row(CapturedTrack(capture.session_id, peer_id, track_id, *about))]
        if not refused:
            base = self.folder.base(capture.room_id, capture.session_id)
            file = Path(f"{base}-{kind}-{0 if kind == 'audio' else 1}.mjr")
            if kind == "audio":
                write_mjr(file, [Sent(20 * n, n, 960 * n, b"\xf8\xff\xfe") for n in range(100)])
            else:
                packets = [Sent(40 * n, n, 3600 * n, b"\x10" + _KEY_PICTURE) for n in range(50)]
                write_mjr(file, packets, codec="vp8")
            name = self.folder.relative(str(file))
            rows.append(segment_row(Segment(capture.session_id, peer_id, track_id, 1, name, started, ended)))
        return rows

    def files(self, kind: str) -> list[Path]:
        """The capture files of this kind ("": all)."""
        return sorted(path for path in self.folder.path.glob("raw/*/*.mjr") if kind in path.name)

    def left(self) -> list[Path]:
        """All files in the capture folder but its marker."""
        return [path for path in self.folder.path.rglob("*") if path.is_file() and path.suffix]

    def told(self) -> list[str]:
        """The types of the events that were recorded, sorted."""
        return sorted(self._told)

    def storage_fails(self, error: StorageError, times: int = 1_000_000) -> None:
        """Let the next uploads fail with this."""
        local, left = self._house.local, times
        put = local.put_file

        async def put_file(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            if left:
                left -= 1
                raise error
            return await put(*args, **kwargs)

        local.put_file = put_file

    def worker(self, name: str) -> Worker:
        """A worker that has not started."""
        return Worker(
            self.database,
            self.ledger,
            self._house.handlers,
            name=name,
            clock=self.clock,
            random=Random(1),  # noqa: S311 - jitter
            settings=WorkerSettings(cores=4.0),
        )

    async def work(
        self, name: str = "worker", *, seconds: float = 0.0, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Do what is due, and what becomes due within `seconds`, until nothing is left of it."""
        worker = self.worker(name)
        until = self.clock.now() + int(seconds * NANOSECONDS)
        try:
            async with asyncio.timeout(90):
                while not stop():
                    await worker.take()
                    if worker.running:
                        await asyncio.sleep(0.005)
                        continue
                    due = [job.due_at for job in await self.open_jobs()]
                    if not due or min(due) > until:
                        return
                    self.clock.advance(max(0.0, (min(due) - self.clock.now()) / NANOSECONDS) + 0.001)
        finally:
            await worker.abandon()

    async def open_jobs(self) -> list[Job]:
        """All jobs that have not ended."""
        return [job for job in await self.jobs() if not job.ended_at]

    async def jobs(self, kind: str = "") -> list[Job]:
        """All jobs of this kind ("": all) that have not ended, due or not."""
        found: list[Job] = []
        for name in self._house.handlers:
            if kind in {"", name}:
                rows = await self.database.fetch("jobs_due", kind=name, now=2**62, limit=1000)
                found += [job_of(row) for row in rows]
        return found

    async def steps(self, name: str) -> list[str]:
        """The jobs, ended or not, whose journal has this step."""
        found = []
        for job in await self.jobs():
            rows = await self.database.fetch("job_steps", job_id=job.id)
            found += [job.id for row in rows if row[1] == name]
        return found


@asynccontextmanager
async def open_archive(
    path: Path, medias: Medias = lambda *_: None, recordings: tuple[TemplateRecording, ...] = ()
) -> AsyncIterator[Archive]:
    """An archive in this folder, on SQLite; its room's template has these `recordings`."""
    database = open_database(f"sqlite:///{path / 'archive.db'}")
    await database.open()
    clock, ids = ManualClock(), RandomIds()
    store = Store(database, clock, ids)
    workspace = await store.open_workspace(lambda n: b"x" * n)
    template = Template(
        id=ids.object_id(1), name="test", roles=ROLES, recordings=recordings, created_at=1, updated_at=1
    )
    await database.commit(Unit((template_row(template),)))
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    house = SimpleNamespace(
        settings=Settings(data_dir=str(path), recording=RecordingSettings(upload_give_up_seconds=7200.0)),
        clock=clock,
        ids=ids,
        database=database,
        ledger=ledger,
        handlers=Handlers(),
        workspace=workspace,
        vault=Vault([MasterKey.of(b"k" * 32)], lambda n: b"n" * n, "a test"),
        store=store,
        url="http://files.invalid",
        room=await store.create_room(RoomRequest(name="test", template_id=template.id)),
        rooms=LiveRooms(
            database=database, ledger=ledger, directory=store, clock=clock, ids=ids, settings=RoomSettings()
        ),
    )
    opened = await Recordings.open(house, medias)
    house.local = opened.local
    archive = Archive(path, database, opened, house)
    try:
        yield archive
    finally:
        await archive.recorder.stop()
        await database.close()
