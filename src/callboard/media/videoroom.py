"""The requests to Janus's VideoRoom plugin that we use, typed.

Owns: `RoomControl`, `PublisherHandle`, `SubscriberHandle` and the plugin's error codes.

Always holds: one method, one request; nothing is remembered here. All raise `JanusError`, `JanusTimeout`,
`JanusGone` (`connection.py`). Source: janus_videoroom.c of 1.1.2; what was measured is in janus.md §1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from callboard.media.connection import JanusError
from callboard.media.janus import Handle, JanusSession, Reply
from callboard.media.janusconfig import Access

JOIN_FIRST: Final = 424
NO_SUCH_ROOM: Final = 426
NO_SUCH_FEED: Final = 428

MAX_PUBLISHERS: Final = 10_000
"""Of a Janus room. Who may publish is decided elsewhere."""


CAPTURE_KEY_SECONDS: Final = 10
"""How often a captured publisher is asked for a key picture."""

LEVEL_PACKETS: Final = 10
"""Over how many packets of 20 ms Janus averages the level. No more: a client that falls silent sends its first 200 ms
of silence in full and then hardly anything (discontinuous transmission), so a longer window would stay open."""
LEVEL_THRESHOLD: Final = 60
"""Louder than -60 dBov is talking (RFC 6464: 127 is silence)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A media section of a publisher's, as Janus names it."""

    feed: str
    mid: str


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different for one section of a subscriber's. `None` leaves it."""

    mid: str
    send: bool | None = None
    substream: int | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """Janus's offer to a subscriber, and what each of its sections carries (inactive ones are not listed)."""

    sources: dict[str, Source]
    sdp: str


class RoomControl:
    """Rooms, through a handle that never joins one."""

    def __init__(self, handle: Handle, access: Access) -> None:
        self._handle = handle
        self._access = access

    async def create(self, room: str, video_codecs: Sequence[str], *, captured: bool = False) -> None:
        """A room that nobody can list, join or change without our secrets.

        `captured`: what is published in it may be written to files. Then it is asked for a key picture now and then,
        so that a loss that nobody else sees does not last, and pictures are upright: files do not say how to turn them.
        """
        await self._handle.message(
            {
                "request": "create",
                "room": room,
                "admin_key": self._access.room_key,
                "secret": self._access.room_secret,
                "is_private": True,
                "publishers": MAX_PUBLISHERS,
                "bitrate": 0,
                "fir_freq": CAPTURE_KEY_SECONDS if captured else 0,
                "videoorient_ext": not captured,
                "audiocodec": "opus",
                "videocodec": ",".join(video_codecs),
                "opus_fec": True,
                "opus_dtx": True,
                "notify_joining": False,
                "audiolevel_event": True,
                "audio_active_packets": LEVEL_PACKETS,
                "audio_level_average": LEVEL_THRESHOLD,
            }
        )

    async def exists(self, room: str) -> bool:
        reply = await self._handle.message({"request": "exists", "room": room})
        return bool(reply.data.get("exists"))

    async def destroy(self, room: str) -> None:
        """End a room; one that does not exist is as good as ended."""
        try:
            await self._handle.message({"request": "destroy", "room": room, "secret": self._access.room_secret})
        except JanusError as error:
            if error.code != NO_SUCH_ROOM:
                raise

    async def participants(self, room: str) -> list[str]:
        """The feeds in a room."""
        reply = await self._handle.message({"request": "listparticipants", "room": room})
        return [str(entry["id"]) for entry in reply.data.get("participants", []) if "id" in entry]

    async def kick(self, room: str, feed: str) -> None:
        """Throw a publisher out. Its subscriber handle is not touched."""
        await self._handle.message({"request": "kick", "room": room, "secret": self._access.room_secret, "id": feed})

    async def probe(self) -> None:
        """Make the plugin's one worker thread answer: its keepalives come from another thread."""
        try:
            await self._handle.message({"request": "configure"})
        except JanusError as error:
            if error.code != JOIN_FIRST:
                raise


class PublisherHandle:
    """The requests of one publisher."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    async def join(self, room: str, feed: str, offer: str, *, low_first: bool, capture: str | None = None) -> str:
        """Join `room` as `feed` with an offer; the answer. `low_first`: simulcast layers from the lowest up.

        `capture`: write what is published to files whose names begin so (a path; `capture.file_name`).
        """
        body: dict[str, Any] = {"request": "joinandconfigure", "ptype": "publisher", "room": room, "id": feed}
        if capture is not None:
            body |= {"record": True, "filename": capture}
        return _sdp(await self.handle.message(body, _offer(offer, low_first)))

    async def stop_capture(self) -> None:
        """Close the files; nothing more is written."""
        await self.handle.message({"request": "configure", "record": False})

    async def configure(self, offer: str, *, low_first: bool) -> str:
        """Renegotiate; the answer."""
        return _sdp(await self.handle.message({"request": "configure"}, _offer(offer, low_first)))


class SubscriberHandle:
    """The requests of one (multistream) subscriber."""

    def __init__(self, handle: Handle) -> None:
        self.handle = handle

    async def join(self, room: str, sources: Sequence[Source]) -> Offered:
        """Subscribe for the first time. All or nothing: one missing feed refuses all (`NO_SUCH_FEED`)."""
        body = {
            "request": "join",
            "ptype": "subscriber",
            "room": room,
            "autoupdate": False,
            "streams": [{"feed": source.feed, "mid": source.mid} for source in sources],
        }
        return _offered(await self.handle.message(body))

    async def update(self, add: Sequence[Source], remove: Sequence[str]) -> Offered | None:
        """Subscribe to `add`, leave the sections `remove` (their mids); `None` if that changed nothing."""
        body: dict[str, Any] = {"request": "update"}
        if add:
            body["subscribe"] = [{"feed": source.feed, "mid": source.mid} for source in add]
        if remove:
            body["unsubscribe"] = [{"sub_mid": mid} for mid in remove]
        reply = await self.handle.message(body)
        return _offered(reply) if reply.sdp is not None else None

    async def start(self, answer: str) -> None:
        """Give the client's answer."""
        await self.handle.message({"request": "start"}, {"type": "answer", "sdp": answer})

    async def configure(self, changes: Sequence[Change]) -> None:
        """Pause, resume, choose layers."""
        await self.handle.message({"request": "configure", "streams": [_change(item) for item in changes]})

    async def restart(self) -> str:
        """New ICE credentials; the offer. Only when no offer waits for its answer: Janus would not reply."""
        return _sdp(await self.handle.message({"request": "configure", "restart": True}))


async def ask_for_key_picture(session: JanusSession, publisher: int, mid: str) -> None:
    """Have a publisher (its handle's id) send a key picture in all layers of its section `mid`."""
    body = {"request": "configure", "streams": [{"mid": mid, "keyframe": True}]}
    await Handle(session, publisher, lambda _: None).message(body)


def _offer(sdp: str, low_first: bool) -> dict[str, str]:
    return {"type": "offer", "sdp": sdp, "rid_order": "lmh" if low_first else "hml"}


def _sdp(reply: Reply) -> str:
    if reply.sdp is None:
        raise JanusError(0, "Janus replied without a session description")
    return reply.sdp


def _offered(reply: Reply) -> Offered:
    sources = {}
    for stream in reply.data.get("streams", []):
        feed, mid = stream.get("feed_id"), stream.get("feed_mid")
        if stream.get("active") and feed is not None and mid is not None:
            sources[str(stream["mid"])] = Source(str(feed), str(mid))
    return Offered(sources, _sdp(reply))


def _change(change: Change) -> dict[str, Any]:
    entry: dict[str, Any] = {"mid": change.mid}
    if change.send is not None:
        entry["send"] = change.send
    if change.substream is not None:
        entry["substream"] = change.substream
    return entry
