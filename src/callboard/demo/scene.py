"""The scene of the demo: a rehearsal in which everything happens that can happen to a participant.

Owns: `Scene`, its steps, and the deadline of each.

Always holds: a step passes only when what it is about was seen: frames decoded, a peer gone from the others'
lists, the event in the backend's inbox. A step that does not get there in time fails the scene.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from callboard.demo.http import HttpError
from callboard.demo.peer import Peer
from callboard.demo.signal_client import Refused
from callboard.demo.stage import Stage

SOME_VIDEO = 15  # frames: a second of the moving picture
SOME_AUDIO = 25  # frames: half a second of the tone


class SceneFailed(Exception):  # noqa: N818
    """A step did not get to where it should; the message names it, `__cause__` is why."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is played next, and how many seconds it may take."""

    title: str
    play: Callable[[], Awaitable[str | None]]
    """Plays it; may return a line to show."""
    deadline: float = 45.0


class Scene:
    """Ann hosts; Ben, Cleo, Dan and Eve have parts. `grace`: how long the server waits for a lost peer (s)."""

    def __init__(self, stage: Stage, grace: float) -> None:
        self._stage = stage
        self._inbox = stage.inbox
        self._grace = grace
        self._ann = stage.peer("Ann", "host")
        self._ben = stage.peer("Ben", "guest")
        self._cleo = stage.peer("Cleo", "guest")
        self._dan = stage.peer("Dan", "guest")
        self._eve = stage.peer("Eve", "closed")

    def steps(self) -> list[Step]:
        return [
            Step("Ann and Ben join", self.they_join),
            Step("Ann and Ben see and hear each other", self.they_see_each_other),
            Step("Dan joins and is cut off without a goodbye", self.dan_is_cut_off),
            Step("Eve asks for a role that nobody may have", self.eve_is_refused),
            Step("Cleo joins and is removed with a message", self.cleo_is_removed),
            Step("Ben's socket is lost, and he comes back in time", self.ben_comes_back),
            Step("Ben becomes a viewer", self.ben_becomes_viewer),
            Step("Dan is given up", self.dan_is_given_up, self._grace + 45),
            Step("Ann ends the room", self.the_room_ends),
        ]

    async def play(self, say: Callable[[str], None]) -> None:
        """Play all steps; `say` is told each one's title first. Raises `SceneFailed`."""
        for number, step in enumerate(self.steps(), 1):
            say(f"{number}. {step.title}")
            try:
                async with asyncio.timeout(step.deadline):
                    shown = await step.play()
            except Exception as failure:
                raise SceneFailed(f"step {number}, {step.title!r}: {failure or 'too late'}") from failure
            if shown:
                say(f"   {shown}")

    async def they_join(self) -> None:
        await self._ann.join()
        await self._ben.join()
        await self._ann.wait_for(lambda: self._ben.peer_id in self._ann.roster, what="Ben in Ann's list")

    async def they_see_each_other(self) -> str:
        await self._ann.publish_audio_video()
        await self._ben.publish_audio_video()
        await self._sees(self._ann, self._ben)
        await self._sees(self._ben, self._ann)
        return "; ".join(
            f"{watcher.name} decoded {watcher.frames_from(watched.peer_id, 'video')} pictures and "
            f"{watcher.frames_from(watched.peer_id, 'audio')} pieces of sound of {watched.name}'s"
            for watcher, watched in ((self._ann, self._ben), (self._ben, self._ann))
        )

    async def dan_is_cut_off(self) -> None:
        await self._dan.join()
        await self._dan.publish_audio_video()
        await self._sees(self._ann, self._dan)
        await self._dan.vanish()

    async def eve_is_refused(self) -> None:
        try:
            await self._eve.join()
        except (Refused, HttpError):
            await self._reported("peer.join.failure", user_name="Eve", error_message="role not allowed")
        else:
            raise AssertionError("Eve was let in")

    async def cleo_is_removed(self) -> None:
        await self._cleo.join()
        await self._ann.remove(self._cleo.peer_id, "the show begins")
        await self._cleo.wait_for(lambda: self._cleo.asked_to_leave, what="told to leave")
        await self._ann.wait_for(lambda: self._cleo.peer_id not in self._ann.roster, what="Cleo gone")
        await self._reported(
            "peer.leave.success",
            peer_id=self._cleo.peer_id,
            reason="peer kicked",
            message="the show begins",
        )

    async def ben_comes_back(self) -> None:
        await self._ben.lose_socket()
        await self._ben.reconnect()
        await self._sees(self._ann, self._ben)
        await self._sees(self._ben, self._ann)
        if self._inbox.has("peer.leave.success", peer_id=self._ben.peer_id):
            raise AssertionError("Ben came back in time and was reported as having left")

    async def ben_becomes_viewer(self) -> None:
        ann, ben = self._ann, self._ben
        await ann.change_role(ben.peer_id, "viewer")
        await ben.wait_for(lambda: ben.role == "viewer" and not ben.published, what="Ben withdrew his tracks")
        await ann.wait_for(
            lambda: ann.roster[ben.peer_id].role == "viewer" and not ann.roster[ben.peer_id].tracks,
            what="Ben a viewer in Ann's list",
        )
        await self._reported("role.change.success", peer_id=ben.peer_id, previous_role="guest", role="viewer")

    async def dan_is_given_up(self) -> None:
        gone = self._grace + 30
        await self._ann.wait_for(lambda: self._dan.peer_id not in self._ann.roster, deadline=gone, what="Dan gone")
        await self._reported("peer.leave.success", peer_id=self._dan.peer_id, reason="websocket closed")

    async def the_room_ends(self) -> None:
        await self._ann.end_room("the rehearsal is over")
        await self._ben.wait_for(lambda: self._ben.asked_to_leave, what="told that the room ended")
        await self._reported("room.end.success", reason="the rehearsal is over")
        await self._reported("session.close.success")

    async def _sees(self, watcher: Peer, watched: Peer) -> None:
        """More frames of the one, picture and sound, are decoded by the other than there were."""
        video, audio = (watcher.frames_from(watched.peer_id, kind) for kind in ("video", "audio"))
        await watcher.wait_for(
            lambda: (
                watcher.frames_from(watched.peer_id, "video") >= video + SOME_VIDEO
                and watcher.frames_from(watched.peer_id, "audio") >= audio + SOME_AUDIO
            ),
            what=f"{watched.name} seen and heard",
        )

    async def _reported(self, kind: str, **attributes: str) -> None:
        """The event has arrived in the backend's inbox."""
        said = ", ".join(f"{key} {value!r}" for key, value in attributes.items())
        await self._inbox.until(lambda: self._inbox.has(kind, **attributes), 30.0, f"{kind} with {said}")
