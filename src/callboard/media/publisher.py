"""The publish connection of one peer: the client offers, Janus answers.

Owns: `Publisher`.

Always holds: one negotiation at a time; an offer that is refused changes nothing; the tracks are those of the
last offer that Janus answered.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from typing import Final

from callboard.media.candidates import parse_candidate
from callboard.media.capture import file_name
from callboard.media.connection import JanusError, JanusGone, JanusTimeout
from callboard.media.context import Context
from callboard.media.contract import (
    Candidate,
    MediaLost,
    MediaUnavailable,
    OfferRefused,
    PeerListener,
    PublishedTrack,
    TransportState,
)
from callboard.media.enginesdp import check_successor, for_engine, match_tracks, with_sound_repair
from callboard.media.janusevents import Event, Hangup, Media, Talking, WebRtcUp
from callboard.media.keyasking import KeyAsking
from callboard.media.room import MediaRoom, Published
from callboard.media.sdp import Sdp, SdpError, Section, parse
from callboard.media.splice import regroup
from callboard.media.telling import LossWatch, call_soon
from callboard.media.trickle import TricklePump
from callboard.media.videoroom import PublisherHandle, Source

log = logging.getLogger("callboard.media")

MAX_WAITING: Final = 4
"""Offers of one peer that wait for their turn."""
_NAME: Final = re.compile(r"[\x21-\x7e]{1,64}")  # of a stream or a track: they end up in the SDP of others
_RANK: Final = {"q": 0, "h": 1, "f": 2}  # signal.md §5.6


class Publisher:
    """Nothing happens at Janus before the first `publish`."""

    def __init__(
        self,
        context: Context,
        room: MediaRoom,
        peer_id: str,
        feed: str,
        listener: PeerListener,
        capture: str | None = None,
    ) -> None:
        self._context = context
        self._room = room
        self._peer_id = peer_id
        self._feed = feed
        self._listener = listener
        self._capture = capture
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._handle: PublisherHandle | None = None
        self._negotiated: Sdp | None = None
        self._tracks: dict[str, Published] = {}
        self._up = False
        self._pump = TricklePump()
        self._watch = LossWatch(context, self.transport, self._tell_lost)
        self._keys = KeyAsking(context)

    @property
    def joined(self) -> bool:
        return self._negotiated is not None

    def published(self, track_id: str) -> Published | None:
        """A track that others can subscribe to."""
        return self._tracks.get(track_id) if self._up else None

    def captured(self, track_id: str) -> str | None:
        """The file that this track is written to, if it is."""
        published = self._tracks.get(track_id)
        if published is None or self._negotiated is None or self._capture is None:
            return None
        mids = [section.mid for section in self._negotiated.sections]
        return file_name(self._capture, published.kind, mids.index(published.source.mid))

    async def stop_capture(self) -> None:
        """Write no more of it to files. Raises `JanusError`, `JanusTimeout`, `JanusGone`."""
        self._capture = None
        if self._handle is not None and self._watch.over is None:
            await self._handle.stop_capture()

    async def publish(self, offer_sdp: str, tracks: Sequence[PublishedTrack]) -> str:
        """Negotiate; the answer. Raises `OfferRefused`, `MediaUnavailable`, `MediaLost`."""
        if self._waiting >= MAX_WAITING:
            raise OfferRefused("too many offers at once")
        self._waiting += 1
        try:
            async with self._turn:
                return await self._publish(offer_sdp, tracks)
        finally:
            self._waiting -= 1

    def trickle(self, candidate: Candidate) -> bool:
        """Take a candidate of the client; `False` when it is of no use."""
        parsed = parse_candidate(str(candidate.get("candidate", "")))
        if parsed is None:
            return False
        mid, index = candidate.get("sdpMid"), candidate.get("sdpMLineIndex")
        place = {"sdpMid": mid} if isinstance(mid, str) else {"sdpMLineIndex": index if index == 0 else 1}
        return self._pump.put({"candidate": parsed.render(), **place})

    async def transport(self) -> TransportState:
        """Ask Janus. Raises `JanusTimeout`, `JanusGone`."""
        if self._handle is None:
            return TransportState(up=False)
        return await self._context.admin.transport(self._context.session.id, self._handle.handle.id)

    async def close(self, *, detach: bool) -> None:
        """Give the handle back. Bounded by the request deadline."""
        self.abandon()
        await self._pump.close()
        async with self._turn:  # an offer that Janus works on comes to its end first
            pass
        if detach and self._handle is not None:
            if self._capture is not None:
                await self._close_files(self._handle)
            await self._handle.handle.detach()

    async def _close_files(self, handle: PublisherHandle) -> None:
        """Janus answers a detach before it has closed the files, but this only after it has."""
        try:
            await handle.stop_capture()
        except (JanusError, JanusTimeout, JanusGone) as error:  # it hung up before, and has closed them then
            log.info("the capture of peer %s was over: %s", self._peer_id, error)

    def abandon(self) -> None:
        """Publish nothing more, without a word to Janus."""
        self._watch.end("closed")
        self._keys.stop()
        self._tracks = {}

    async def _publish(self, offer_sdp: str, tracks: Sequence[PublishedTrack]) -> str:
        if self._watch.over is not None:
            raise MediaLost(f"the publish connection is over: {self._watch.over}")
        try:
            check_names(tracks)
            offer = parse(offer_sdp)
            check_successor(self._negotiated, offer)
            text = for_engine(with_sound_repair(offer), self._context.codecs)
        except SdpError as error:
            raise OfferRefused(str(error)) from error
        answer = await self._ask(text, low_first(offer.sections))
        self._context.counters.publishes += 1
        self._negotiated = offer
        self._note_tracks(offer, answer, tracks)
        self._room.changed()
        return answer.render()

    async def _ask(self, offer: str, lowest_first: bool) -> Sdp:
        await self._pump.hold()
        try:
            if self._handle is None:
                answer = await self._join(offer, lowest_first)
            else:
                answer = await self._handle.configure(offer, low_first=lowest_first)
            return regroup(parse(answer))
        except (JanusError, SdpError) as error:
            self._context.counters.engine_errors += 1
            raise OfferRefused(f"the media engine refused the offer: {error}") from error
        except (JanusTimeout, JanusGone) as error:
            self._context.counters.engine_errors += 1
            raise MediaUnavailable(str(error)) from error
        finally:
            if self._handle is not None:
                self._pump.release(self._handle.handle)

    async def _join(self, offer: str, lowest_first: bool) -> str:
        attached = await self._context.session.attach(self._on_event, f"pub {self._peer_id[:60]}")
        handle = PublisherHandle(attached)
        try:
            answer = await handle.join(
                self._room.name, self._feed, offer, low_first=lowest_first, capture=self._capture
            )
        except BaseException:
            # How far Janus came is unknown: this handle is not used again.
            await asyncio.shield(attached.detach())
            raise
        self._handle = handle
        return answer

    def _note_tracks(self, offer: Sdp, answer: Sdp, tracks: Sequence[PublishedTrack]) -> None:
        assert self._handle is not None
        mids = match_tracks(offer, tracks)
        published = {}
        for track in tracks:
            section = offer.section(mids.get(track.track_id, ""))
            taken = answer.section(mids.get(track.track_id, ""))
            if section is None or taken is None or taken.rejected or taken.direction == "inactive":
                log.info("peer %s does not send its track %s", self._peer_id, track.track_id)
                continue
            published[track.track_id] = Published(
                Source(self._feed, section.mid),
                self._handle.handle.id,
                self._peer_id,
                track.stream_id,
                track.track_id,
                track.kind,
                max(1, len(rids(section))),
            )
        self._tracks = published

    def _on_event(self, event: Event) -> None:
        if self._watch.over is not None:
            return
        match event:
            case WebRtcUp():
                self._note_up()
            case Hangup(reason):
                self._watch.hint(reason)
            case Media(mid=mid, receiving=False):
                self._note_sound(mid, 0)  # who sends nothing is not said to have fallen silent
                self._watch.hint("no media arrives")
            case Media(mid=mid, receiving=True):
                self._note_arrival(mid)
            case Talking(feed=feed, mid=mid, loudness=loudness) if feed == self._feed:
                self._note_sound(mid, loudness)
            case _:
                pass

    def _note_up(self) -> None:
        if not self._up:
            self._up = True
            self._room.changed()
            self._listener.media_up()

    def _note_arrival(self, mid: str) -> None:
        """What is captured is to be seen from here on."""
        pictures = [track.source.mid for track in self._tracks.values() if track.kind == "video"]
        if self._handle is not None and self._capture is not None and mid in pictures:
            self._keys.ask(self._handle.handle.id, mid)

    def _note_sound(self, mid: str, loudness: int) -> None:
        for track in self._tracks.values():
            if track.source.mid == mid and track.kind == "audio":
                self._listener.speaking(track.track_id, loudness)

    async def resync(self) -> None:
        """Ask what may have been missed. Raises `JanusTimeout`, `JanusGone`."""
        state = await self.transport()
        if state.up and self._watch.over is None:
            self._note_up()
        elif state.ended and self.joined:
            self._watch.hint("the connection had ended when it was asked for")

    def _tell_lost(self, reason: str) -> None:
        self._tracks = {}
        self._context.counters.publisher_losses += 1
        self._room.changed()
        call_soon(self._listener.media_down, reason)


def check_names(tracks: Sequence[PublishedTrack]) -> None:
    """Raises `SdpError` unless the ids can stand in the SDP of other peers."""
    for track in tracks:
        if _NAME.fullmatch(track.track_id) is None or _NAME.fullmatch(track.stream_id) is None:
            raise SdpError(f"not a usable track or stream id: {track.track_id[:80]!r}")


def rids(section: Section) -> list[str]:
    """The simulcast layers that a section announces to send."""
    return [value.split(" ")[0] for value in section.values("rid") if value.split(" ")[1:2] == ["send"]]


def low_first(sections: Sequence[Section]) -> bool:
    """Whether the simulcast layers are listed from the lowest up; Janus has to be told."""
    for section in sections:
        ranks = [_RANK[rid] for rid in rids(section) if rid in _RANK]
        if len(ranks) > 1:
            return ranks[0] < ranks[-1]
    return False
