"""Sessions that were captured, made by hand, and all that makes recordings of them: without Janus, without a server.

Owns: `Studio`, marked capture files, and a worker as a program: `python -m callboard.testing.studio FOLDER [LEASE]`.

Always holds: what a studio leaves in its folder another one, in whatever process, finds there.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import msgspec

from callboard.clock import NANOSECONDS, Clock, Ids, RandomIds, SystemClock
from callboard.config import Recording, Settings
from callboard.database import Database, Put, open_database
from callboard.database.tables import PEER, SESSION
from callboard.jobs import Handlers, Worker, WorkerSettings
from callboard.ledger import Changes, Ledger
from callboard.recording.assets import Recording as Run
from callboard.recording.assets import RecordingStatus, recording_row
from callboard.recording.capture.derive import load_capture
from callboard.recording.composite.job import CompositeSettings
from callboard.recording.composite.look import Look
from callboard.recording.setup import Workshop, open_workshop
from callboard.recording.timeline import (
    Capture,
    CapturedTrack,
    Kind,
    Segment,
    Wanted,
    capture_row,
    segment_row,
    track_row,
)
from callboard.recording.truth.coding import SAMPLES, PictureCodec, PictureCoder, SoundCoder
from callboard.recording.truth.picture import draw
from callboard.recording.truth.sound import RATE, synthesize
from callboard.recording.truth.stamp import Stamp
from callboard.rooms.models import RecordingSettings, Workspace
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.store import Store
from callboard.testing.captures import Sent, h264_chunks, vp8_chunks, write_mjr
from callboard.webhooks.vault import MasterKey, Vault

OPENED_AT = (time.time_ns() // NANOSECONDS - 600) * NANOSECONDS
"""When all sessions open: a little while ago, for captures of old sessions are not kept."""
SMALL = Look(width=320, height=240, rate=10, chunk=2)
IMPATIENT = CompositeSettings(look=SMALL, tries=2, most_delay=0.1)
LEASE = 30.0
"""Seconds. Longer than a busy machine keeps a worker waiting: nobody else takes its job as long as it lives."""
COMPOSED = Wanted(composite=True, presign_seconds=600)
SIZES = ((160, 120),)
_FRAMES = 10


@dataclass
class Studio:
    """Use `open`, then `captured`, a worker, and `close`. One session at a time needs no more."""

    settings: Settings
    database: Database
    ledger: Ledger
    store: Store
    workspace: Workspace
    clock: Clock = field(default_factory=SystemClock)
    ids: Ids = field(default_factory=RandomIds)
    handlers: Handlers = field(default_factory=Handlers)
    url: str = "http://127.0.0.1:1"
    vault: Vault = field(default_factory=lambda: Vault([MasterKey.of(bytes(32))], secrets.token_bytes, "a test"))

    workshop: Workshop = field(init=False)

    @classmethod
    async def open(
        cls,
        folder: Path,
        recording: Mapping[str, object] | None = None,
        composite: CompositeSettings | None = None,
        *,
        database: str = "",
        clock: Clock | None = None,
        handlers: Handlers | None = None,
    ) -> Studio:
        """A studio in `folder`; `recording` are settings of the section of that name, `database` is a URL, if it is
        not a file in the folder."""
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        clock, ids = clock or SystemClock(), RandomIds()
        section = msgspec.convert({"min_free_bytes": 0, **(recording or {})}, Recording)
        opened = open_database(database or f"sqlite:///{folder / 'studio.db'}")
        await opened.open()
        store = Store(opened, clock, ids)
        workspace = await store.open_workspace(lambda count: bytes(range(count)))
        ledger = Ledger(opened, account_id=workspace.id, app_id=workspace.app_id)
        settings = Settings(data_dir=str(folder), recording=section)
        studio = cls(settings, opened, ledger, store, workspace, clock, ids, handlers or Handlers())
        studio.workshop = await open_workshop(
            studio, composite or CompositeSettings(look=SMALL, tries=2, most_delay=0.1)
        )
        return studio

    async def captured(
        self,
        tracks: Sequence[tuple[int, Kind, float, float]],
        *,
        template: Mapping[str, object] | None = None,
        wanted: Wanted = COMPOSED,
        sizes: Sequence[tuple[int, int]] = SIZES,
        codec: PictureCodec = "vp8",
    ) -> str:
        """A session whose capture is complete, with these tracks (who, kind, from, to), and what is wanted of it
        enqueued. Pictures have these `sizes`, one after the other; `codec` is vp8 or h264.

        Returns its id.
        """
        room = await self._room(template)
        session_id, now = self.ids.object_id(OPENED_AT), self.clock.now()
        ended_at = OPENED_AT + int(max([1.0, *(end for *_, end in tracks)]) * NANOSECONDS)
        recording_id = self.ids.object_id(now)
        template_id = room[1]
        folder = self.workshop.folder
        capture = Capture(
            session_id, room[0], template_id, OPENED_AT, ended_at, "complete", wanted, recording_id, folder.id
        )
        run = Run(
            recording_id,
            room[0],
            session_id,
            "sfu",
            RecordingStatus.POST_PROCESSING,
            "{}",
            OPENED_AT,
            OPENED_AT,
            ended_at,
            now,
        )
        rows = [
            Put(SESSION, (session_id, room[0], template_id, OPENED_AT, ended_at)),
            capture_row(capture),
            recording_row(run),
        ]
        for who in sorted({who for who, *_ in tracks}):
            stay = (session_id, f"peer{who}", OPENED_AT, room[0], "", f"Person {who}", "", "host", "regular", ended_at)
            rows.append(Put(PEER, (*stay, "", "")))
        for who, kind, start, end in tracks:
            rows += await asyncio.to_thread(self._track, capture, (who, kind, start, end), sizes, codec)
        await self.ledger.commit(Changes(rows=tuple(rows)))
        captured = await load_capture(self.database, session_id)
        assert captured is not None
        for maker in (self.workshop.tracks, self.workshop.streams, self.workshop.composites):
            await self.ledger.commit(maker.make(captured, now))
        return session_id

    async def compose(self, session_id: str) -> None:
        """Enqueue another composition."""
        captured = await load_capture(self.database, session_id)
        assert captured is not None
        await self.ledger.commit(self.workshop.composites.make(captured, self.clock.now()))

    def worker(
        self,
        name: str = "worker",
        kinds: frozenset[str] | None = None,
        settings: WorkerSettings = WorkerSettings(cores=4.0, lease=LEASE, poll=0.1),  # noqa: B008 - a value
    ) -> Worker:
        """A worker that has not started; for all kinds of jobs unless told otherwise."""
        return Worker(
            self.database,
            self.ledger,
            self.handlers,
            name=name,
            clock=self.clock,
            random=Random(1),  # noqa: S311 - jitter
            settings=settings,
            kinds=kinds,
        )

    async def told(self, session_id: str) -> list[Mapping[str, object]]:
        """The `data` of all events of the session, with their type in `type`."""
        events = await self.ledger.read_stream(session_id, 0, 100)
        return [{"type": event.type, **msgspec.json.decode(event.body)["data"]} for event in events]

    async def until_told(self, session_id: str, within: float = 60.0) -> Mapping[str, object]:
        """The one event that the session's recording ends with. Raises `TimeoutError`."""
        async with asyncio.timeout(within):
            while not (told := await self.told(session_id)):  # noqa: ASYNC110 - another process may tell
                await asyncio.sleep(0.05)
        (event,) = told
        return event

    async def close(self) -> None:
        await self.database.close()

    async def _room(self, template: Mapping[str, object] | None) -> tuple[str, str]:
        """The ids of a new room and its template, whose `settings.recording.upload` is `template`."""
        room = await self.store.create_room(RoomRequest())
        if template is not None:
            known = await self.store.template(room.template_id)
            recording = msgspec.convert({"enabled": True, "upload": template}, RecordingSettings)
            settings = msgspec.structs.replace(known.settings, recording=recording)
            await self.store.change_template(known.id, lambda old: msgspec.structs.replace(old, settings=settings))
        return room.id, room.template_id

    def _track(
        self,
        capture: Capture,
        track: tuple[int, Kind, float, float],
        sizes: Sequence[tuple[int, int]],
        codec: PictureCodec,
    ) -> list[Put]:
        who, kind, start, end = track
        started_at = OPENED_AT + round(start * NANOSECONDS)
        ended_at = OPENED_AT + round(end * NANOSECONDS)
        base = Path(self.workshop.folder.base(capture.room_id, self.ids.object_id(started_at)))
        file = base.with_name(f"{base.name}-{kind}-0.mjr")
        packets = pictures(who, start, end, sizes, codec) if kind == "video" else sounds(who, start, end)
        write_mjr(file, packets, codec if kind == "video" else "opus", started_at // 1000)
        track_id, stream_id = f"{kind}{who}", f"stream{who}"
        captured = CapturedTrack(
            capture.session_id,
            f"peer{who}",
            track_id,
            stream_id,
            "",
            f"Person {who}",
            kind,
            "regular",
            self.ids.object_id(started_at),
            started_at,
            ended_at,
        )
        segment = Segment(
            capture.session_id,
            f"peer{who}",
            track_id,
            1,
            self.workshop.folder.relative(str(file)),
            started_at,
            ended_at,
        )
        return [track_row(captured), segment_row(segment)]


def pictures(
    who: int, start: float, end: float, sizes: Sequence[tuple[int, int]] = SIZES, codec: PictureCodec = "vp8"
) -> Iterator[Sent]:
    """A publisher's marked pictures as RTP packets, `_FRAMES` a second, in these sizes one after the other."""
    sequence, count, coder = 0, round((end - start) * _FRAMES), PictureCoder(codec, *sizes[0], _FRAMES)
    for n in range(count):
        size = sizes[n * len(sizes) // count]
        if coder.size != size:
            coder = PictureCoder(codec, *size, _FRAMES)
        data = coder.encode(draw(Stamp(who, n, round(1000 * (start + n / _FRAMES))), *size))
        chunks = vp8_chunks(data) if codec == "vp8" else h264_chunks(data)
        for index, chunk in enumerate(chunks):
            stamp = n * 90_000 // _FRAMES
            yield Sent(1000 * n / _FRAMES, sequence, stamp, chunk, index == len(chunks) - 1)
            sequence += 1


def sounds(who: int, start: float, end: float) -> Iterator[Sent]:
    """A publisher's marked sound as RTP packets of 20 ms."""
    coder = SoundCoder()
    for n in range(round((end - start) * RATE / SAMPLES)):
        packet = coder.encode(synthesize(who, round(start * RATE) + n * SAMPLES, SAMPLES))
        yield Sent(20.0 * n, n, SAMPLES * n, packet)


async def work(folder: Path, lease: float = LEASE) -> None:
    """Do the jobs that are there, for ever; says so once it waits for them."""
    studio = await Studio.open(folder)
    settings = WorkerSettings(cores=4.0, lease=lease, poll=0.1)
    await studio.worker(studio.ids.uuid(), settings=settings).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(work(Path(sys.argv[1]), *map(float, sys.argv[2:])))
