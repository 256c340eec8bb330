"""The captures of all live sessions of this node: opened, followed, closed, and handed on.

Owns: `Recorder`: what is captured at the moment, and the commits that say so.

Always holds: what is captured is committed with the change of the session that it follows from (`rooms.live.Company`).
When a session has closed and the media engine has closed its files, "complete", the recording's state and the jobs
that make something of it are one commit. A process that starts closes what another one left open, and completes what
was closing. Below the floor of free disk space nothing new is captured, and what is being captured is ended cleanly.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final
from weakref import WeakSet

import msgspec

from callboard.background import Background
from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.database import Database
from callboard.events import TrackRecordingStartedSuccess, TrackType
from callboard.jobs.attempt import commit
from callboard.ledger import Changes, Fact, Ledger
from callboard.media import MediaUnavailable, PeerMedia
from callboard.recording.assets import Recording, RecordingStatus, load_recording, recording_row
from callboard.recording.capture.derive import Captured, load_capture
from callboard.recording.capture.folder import CaptureFolder
from callboard.recording.capture.meter import CaptureCounters, CapturedNow, Meter
from callboard.recording.capture.state import Change, File, SessionCapture, cut, follow, recovered
from callboard.recording.timeline import Capture, CapturedTrack, Wanted, capture_of, capture_row
from callboard.recording.wanted import wanted_of
from callboard.rooms.live import Company, LiveRoom, LiveRooms
from callboard.rooms.models import Room, Template
from callboard.rooms.session import Session
from callboard.rooms.transitions import Closed, Opened, Outcome, Step

WATCH_SECONDS: Final = 2.0
DISK_FULL: Final = "the disk of the capture folder is full (recording.min_free_bytes)"
TOO_LONG: Final = "the recording has reached its longest duration (maxDuration)"

log = logging.getLogger("callboard.recording")

Medias = Callable[[str, str], PeerMedia | None]
"""By room id and peer id, the peer's media at the moment."""
Maker = Callable[[Captured, int], Changes]
"""What is enqueued of a complete capture, at that instant: rows of assets and jobs, and events of what cannot be."""


class Recorder:
    """See the module. `makers` are asked in their order when a capture is complete; add to them before `start`. `floor`
    is in bytes; `low` says whether less is free."""

    def __init__(
        self,
        *,
        database: Database,
        ledger: Ledger,
        rooms: LiveRooms,
        medias: Medias,
        folder: CaptureFolder,
        clock: Clock,
        ids: Ids,
        floor: int,
    ) -> None:
        self.makers: list[Maker] = []
        self.counters = CaptureCounters()
        self._database = database
        self._ledger = ledger
        self._rooms = rooms
        self._medias = medias
        self._folder = folder
        self._clock = clock
        self._ids = ids
        self.floor = floor
        self.low = False
        self._meter = Meter(folder.path)
        self._states: dict[str, SessionCapture] = {}
        self._writing: dict[str, WeakSet[PeerMedia]] = {}
        self._background = Background("recording")

    async def start(self) -> None:
        """Take up what a process before us left. Before the rooms start, and while no media engine writes here."""
        await self._look_at_disk()
        known: set[str] = set()
        for row in await self._database.fetch("kept_captures"):
            capture = capture_of(row)
            if capture.folder != self._folder.id:
                continue  # another node's
            captured = await load_capture(self._database, capture.session_id)
            assert captured is not None
            known |= {segment.file for segment in captured.segments}
            await self._take_up(captured)
        strays = await asyncio.to_thread(self._folder.remove_strays, known)
        if strays:
            log.info("%d capture files that no session knows were removed", strays)
        self._rooms.accompany(self._accompany)
        self._rooms.observe(self._observe)
        self._background.start(self._watch())

    async def stop(self) -> None:
        """End; sessions that are open stay so, and their captures are taken up by the next process."""
        await self._background.stop(0.0)

    def now(self) -> CapturedNow:
        """What is captured at the moment."""
        states = self._states.values()
        kinds = [state.tracks[key].kind for state in states for key in state.open]
        return CapturedNow(len(states), kinds.count("audio"), kinds.count("video"), len(self._files()))

    async def base(self, room_id: str) -> str | None:
        """With which path the files of a new connection in this room are to begin; None: it is not to be captured.

        Raises `NotFound`.
        """
        live = await self._rooms.room(room_id)
        if not self._wanted(live).anything or self._refusal(live):
            return None
        try:
            return await asyncio.to_thread(self._folder.base, room_id, self._ids.object_id(self._clock.now()))
        except OSError as error:
            log.error("room %s is not captured: %s", room_id, error)  # noqa: TRY400 - the message says all
            return None

    def keeps_chat(self, session_id: str) -> bool:
        """Whether what is said in this session belongs to a recording of it."""
        state = self._states.get(session_id)
        return state is not None and state.capture.wanted.composite

    # Following the sessions.

    def _wanted(self, live: LiveRoom) -> Wanted:
        if live.session is None:
            return wanted_of(live.room, live.template)
        state = self._states.get(live.session.id)
        return state.capture.wanted if state is not None else Wanted()

    def _refusal(self, live: LiveRoom) -> str:
        """Why nothing new is captured in this room, "" if it is."""
        state = self._states.get(live.session.id) if live.session is not None else None
        if state is not None and self._over(state):
            return TOO_LONG
        return DISK_FULL if self.low else ""

    def _over(self, state: SessionCapture) -> bool:
        capture, most = state.capture, state.capture.wanted.most_seconds
        return bool(most) and self._clock.now() >= capture.started_at + most * NANOSECONDS

    def _accompany(self, live: LiveRoom, step: Step) -> Company | None:
        session = step.session or live.session
        if session is None:
            return None
        now = self._clock.now()
        state, rows = self._states.get(session.id), []
        if state is None:
            if not any(isinstance(outcome, Opened) for outcome in step.outcomes):
                return None
            wanted = wanted_of(live.room, live.template)
            if not wanted.anything:
                return None
            capture, recording = self._opened(live.room, live.template, session, wanted)
            state = SessionCapture(capture)
            rows = [capture_row(capture), recording_row(recording)]
        change = follow(state, step.outcomes, now, lambda *key: self._file_of(live, *key), self._new_id)
        if change.state is state and session.id in self._states:
            return None
        facts = tuple(self._started(track, session) for track in change.started if state.capture.wanted.track)
        return Company(Changes((*rows, *change.rows), facts), lambda: self._take(live.room.id, change))

    def _opened(self, room: Room, template: Template, session: Session, wanted: Wanted) -> tuple[Capture, Recording]:
        at, recording_id = session.started_at, self._new_id()
        document = msgspec.json.encode({"started_by": "", "stopped_by": ""}).decode()
        status = RecordingStatus.RUNNING
        recording = Recording(recording_id, room.id, session.id, "sfu", status, document, at, at, 0, at)
        folder = self._folder.id
        return Capture(session.id, room.id, template.id, at, 0, "recording", wanted, recording_id, folder), recording

    def _file_of(self, live: LiveRoom, peer_id: str, track_id: str) -> File:
        media = self._medias(live.room.id, peer_id)
        file = media.captured(track_id) if media is not None else None
        if file is None:
            return File(refused=self._refusal(live))
        return File(self._folder.relative(file))

    def _take(self, room_id: str, change: Change) -> None:
        state = change.state
        session_id = state.capture.session_id
        if session_id not in self._states:
            self.counters.sessions += 1
        before = self._states.get(session_id)
        self._states[session_id] = state
        for key, segment in state.open.items():
            known = before.open.get(key) if before is not None else None
            if known is None or known.number != segment.number:
                self.counters.segments += 1
                media = self._medias(room_id, key[0])
                if media is not None:
                    self._writing.setdefault(session_id, WeakSet()).add(media)
        for key, track in state.tracks.items():
            if track.refused and (before is None or key not in before.tracks):
                self.counters.refused += 1
                log.error("track %s of session %s is not captured: %s", track.track_id, session_id, track.refused)

    def _started(self, track: CapturedTrack, session: Session) -> Fact:
        now = self._clock.now()
        payload = TrackRecordingStartedSuccess(
            room_id=session.room_id,
            session_id=session.id,
            peer_id=track.peer_id,
            stream_id=track.stream_id,
            track_id=track.track_id,
            track_type=TrackType(track.kind),
        )
        return Fact(
            id=self._ids.time_uuid(now),
            payload=payload,
            stream=session.id,
            at=now,
            template_id=session.template_id,
            room_id=session.room_id,
            session_id=session.id,
            peer_id=track.peer_id,
            cause="track published",
        )

    def _new_id(self) -> str:
        return self._ids.object_id(self._clock.now())

    # Ending.

    def _observe(self, _: LiveRoom, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Closed) and self._states.pop(outcome.session.id, None) is not None:
                writing = tuple(self._writing.pop(outcome.session.id, ()))
                self._background.start(self._finish(outcome.session.id, writing))

    async def _finish(self, session_id: str, writing: Sequence[PeerMedia]) -> None:
        """The files are closed when the connections are; then the capture is complete."""
        await asyncio.gather(*(media.close() for media in writing))
        captured = await load_capture(self._database, session_id)
        if captured is not None and captured.capture.state == "closing":
            await self._complete(captured)

    async def _complete(self, captured: Captured) -> None:
        now = self._clock.now()
        complete = replace(captured, capture=replace(captured.capture, state="complete"))
        changes = Changes(rows=(capture_row(complete.capture),))
        recording = await load_recording(self._database, complete.capture.recording_id)
        if recording is not None:
            status = RecordingStatus.POST_PROCESSING
            stopped_at = complete.capture.ended_at
            changes += Changes(
                rows=(recording_row(recording._replace(status=status, stopped_at=stopped_at, updated_at=now)),)
            )
        for maker in self.makers:
            changes += maker(complete, now)
        await commit(self._ledger, changes)
        self.counters.completed += 1

    async def _take_up(self, captured: Captured) -> None:
        if captured.capture.state == "closing":
            await self._complete(captured)
        elif captured.capture.state == "recording":
            state, rows = recovered(captured.capture, captured.tracks, captured.segments, self._clock.now())
            if rows:
                await commit(self._ledger, Changes(rows=tuple(rows)))
            self._states[captured.capture.session_id] = state

    # The disk.

    def _files(self) -> set[str]:
        return {segment.file for state in self._states.values() for segment in state.open.values()}

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            await self._look_at_disk()
            self.counters.bytes += await asyncio.to_thread(self._meter.grown, self._files())
            for state in list(self._states.values()):
                if state.open and (self.low or self._over(state)):
                    await self._cut(state, DISK_FULL if self.low else TOO_LONG)

    async def _look_at_disk(self) -> None:
        try:
            free = await asyncio.to_thread(self._folder.free)
        except OSError:
            log.exception("the capture folder cannot be looked at: nothing new is captured")
            free = 0
        self.counters.free_bytes = free
        low = free < self.floor
        if low and not self.low:
            self.counters.disk_alarms += 1
            log.critical("capturing stops: %d bytes are free on the disk of %s", free, self._folder.path)
        elif self.low and not low:
            log.warning("capturing goes on with new connections: %d bytes are free", free)
        self.low = low

    async def _cut(self, state: SessionCapture, why: str) -> None:
        """End what is being captured of a session, and its files."""
        session_id = state.capture.session_id
        log.error("session %s is not captured any more: %s", session_id, why)
        change = cut(state, self._clock.now())
        self._states[session_id] = change.state
        self._ledger.submit(Changes(rows=tuple(change.rows)))
        for media in tuple(self._writing.pop(session_id, ())):
            try:
                await media.stop_capture()
            except MediaUnavailable as error:
                log.warning("a capture could not be ended: %s", error)
