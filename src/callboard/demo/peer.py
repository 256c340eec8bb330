"""A real WebRTC peer that speaks the client protocol, for the demo and for tests.

Owns: `Peer`: joins a room, publishes a moving picture and a tone, watches and hears the others, and does
what a participant can do, including what goes wrong: losing its socket, vanishing.

Always holds: it behaves as the official client does where the server can tell (signal.md). What the
official client would choke on is an error here: every later wait raises it. It does not reconnect by
itself: `reconnect` is the caller's step.

Not done: a change of network (aiortc cannot restart ICE on its own side), repeating calls that were
refused with 5xx, simulcast.
"""

from __future__ import annotations

from collections.abc import Callable

from callboard.clock import Clock, Ids
from callboard.demo.client import Client, LeaveRequest
from callboard.demo.media import Media, TrackMaker
from callboard.demo.media_tracks import MovingPicture, Tone
from callboard.demo.roster import Roster
from callboard.demo.signal_client import Params, Refused

WRONG_NODE = 421  # the official client takes this answer to an offer as success (signal.md §2.5)


class Peer:
    """One participant. `clock` and `ids` are where time and identifiers come from."""

    def __init__(
        self,
        base_url: str,
        token: str,
        name: str,
        *,
        clock: Clock,
        ids: Ids,
        data: str = "",
        peer_id: str = "",
        deadline: float = 30.0,
    ) -> None:
        """`deadline`: how many seconds a connect, a call and, unless said otherwise, a wait may take."""
        self.name = name
        self.data = data
        self.peer_id = peer_id or ids.uuid()
        self._deadline = deadline
        self._client = Client(base_url, token, self.peer_id, clock=clock, ids=ids, deadline=deadline)

    # -- coming and going

    async def join(self) -> None:
        """Join; return when the server has let this peer in and said who is there.

        Raises `HttpError` or `Refused` when it is not let in, `TimeoutError`, `OSError`; the peer is of no
        further use then.
        """
        client = self._client
        try:
            await client.connect()
            await self.wait_for(lambda: client.policy is not None, what="on-policy-change")
            assert client.policy is not None
            assert client.init is not None
            if client.policy.needs_media(client.init.flags):
                await client.make_media().join(self._call_join)
            else:
                await self._call_join(None)
            await self.wait_for(lambda: self.seen("peer-list"), what="peer-list")
        except BaseException:
            await client.close()
            raise

    async def leave(self) -> None:
        """Say goodbye, unless the server made it go already, and go. Raises `SocketLost`."""
        if self.asked_to_leave is None:
            await self._client.notify("leave", {"client_reason": "user request"})
        await self._client.close()

    async def close(self) -> None:
        """Close the socket and the media without a `leave`; idempotent, so a test may always call it."""
        await self._client.close()

    async def vanish(self) -> None:
        """Be gone without a goodbye, as when the process dies: no `leave`, no close frame, no DTLS alert."""
        await self._client.cut_off()

    async def lose_socket(self) -> None:
        """Lose the WebSocket without a closing handshake; the media stay up. `reconnect` is the way back."""
        await self._client.lose_socket()

    async def lose_media(self) -> None:
        """Lose all media for good, without a goodbye and without building new ones; the WebSocket stays up."""
        await self._media.cut_off()

    async def drop(self, *, keep_ids: bool = False) -> None:
        """Lose the WebSocket without a closing handshake, and close all media, as a machine that goes to sleep does.

        `reconnect` is the way back, on new connections; the tracks get new ids unless it is to `keep_ids`.
        """
        await self.lose_socket()
        self._media.keep_ids = keep_ids
        await self._media.drop()

    async def reconnect(self) -> None:
        """Come back with the same peer id after the socket was lost (signal.md §2.5, §9.7)."""
        await self._client.connect()
        media = self._client.media
        if media is None:
            return
        try:
            await media.present()
        except Refused as refused:
            if refused.code != WRONG_NODE:
                raise
        await self._client.notify("track-update", {"tracks": media.published})

    # -- what it publishes

    async def publish_audio_video(self) -> None:
        """Publish a tone, then a moving picture, in one stream."""
        await self.publish(Tone)
        await self.publish(MovingPicture)

    async def publish(self, make: TrackMaker, source: str = "regular", *, muted: bool = False) -> str:
        """Publish what `make` makes; return its track id. Raises `Refused`, `SocketLost`, `TimeoutError`."""
        return await self._media.publish(make, source, muted=muted)

    async def unpublish(self, track_id: str) -> None:
        """Stop publishing one track. Raises `KeyError`."""
        await self._media.unpublish(track_id)

    async def mute(self, kind: str) -> None:
        """Mute all own tracks of this kind, and say so."""
        await self._media.set_muted(lambda track: track["type"] == kind, muted=True)

    async def unmute(self, kind: str) -> None:
        """Unmute all own tracks of this kind, and say so."""
        await self._media.set_muted(lambda track: track["type"] == kind, muted=False)

    @property
    def published(self) -> dict[str, Params]:
        """Track id → own track as signalled."""
        return {} if self._client.media is None else self._client.media.published

    # -- what it does to others

    async def call(self, method: str, params: Params) -> Params:
        """Any call of the protocol (signal.md §3). Raises `Refused`, `SocketLost`, `TimeoutError`."""
        return await self._client.call(method, params)

    async def change_role(self, peer_id: str, role: str, *, force: bool = True) -> None:
        """Give a peer another role, or with `force` False ask it to take it. Raises `Refused`."""
        await self.call("role-change-request", {"requested_for": peer_id, "role": role, "force": force})

    async def accept_role(self) -> None:
        """Agree to the latest request to take another role. Raises `Refused`, `IndexError` if there was none."""
        request = self.seen("on-role-change-request")[-1]
        await self.call("role-change", {key: request.get(key) for key in ("requested_by", "role", "token")})

    async def remove(self, peer_id: str, reason: str) -> None:
        """Remove another peer. Raises `Refused`."""
        await self.call("peer-leave-request", {"requested_for": peer_id, "reason": reason})

    async def end_room(self, reason: str, *, lock: bool = False) -> None:
        """End the room for everybody, with `lock` for good, and leave, as the official client does.

        Raises `Refused`.
        """
        await self.call("end-room", {"lock": lock, "reason": reason})
        await self.leave()

    # -- what it sees

    @property
    def roster(self) -> Roster:
        """The other peers and their tracks, as signalled."""
        return self._client.roster

    @property
    def role(self) -> str:
        """Its role, as the server last said."""
        return self._client.policy.role if self._client.policy else ""

    @property
    def socket_up(self) -> bool:
        """Whether the WebSocket is open, as far as this side knows."""
        return self._client.socket_up

    @property
    def asked_to_leave(self) -> LeaveRequest | None:
        """How the server made this peer go, if it did."""
        return self._client.asked_to_leave

    @property
    def has_media(self) -> bool:
        """Whether it has connections at all: a role that neither sends nor receives may have none."""
        return self._client.media is not None

    @property
    def media_up(self) -> bool:
        """Whether the publish connection is up and the API channel is open."""
        media = self._client.media
        return media is not None and media.up

    @property
    def sends_to(self) -> int:
        """The server's UDP port that its publish connection sends to. Raises `ValueError` while it is not up."""
        return self._media.connections.publishing.port

    @property
    def channel_answers(self) -> int:
        """How many requests on the API channel the server has granted."""
        media = self._client.media
        return 0 if media is None else media.connections.channel.answered

    def frames_decoded(self, track_id: str) -> int:
        """How many frames of this track (audio or video) were received and decoded."""
        media = self._client.media
        return 0 if media is None else media.connections.subscribing.frames_decoded(track_id)

    def frames_from(self, peer_id: str, kind: str = "video") -> int:
        """How many frames were decoded of the tracks of this kind that the peer has now."""
        return sum(self.frames_by_track(peer_id, kind).values())

    def frames_by_track(self, peer_id: str, kind: str) -> dict[str, int]:
        """Track id → how many frames of it were decoded, of the tracks of this kind that the peer has now."""
        tracks = self.roster[peer_id].tracks.values() if peer_id in self.roster else ()
        return {one["track_id"]: self.frames_decoded(one["track_id"]) for one in tracks if one["type"] == kind}

    def seen(self, method: str) -> list[Params]:
        """The parameters of the notifications of this method, oldest first (of the latest 1000)."""
        return [params for name, params in self._client.notifications if name == method]

    async def wait_for(self, predicate: Callable[[], object], deadline: float = 0.0, what: str = "a condition") -> None:
        """Return once `predicate()` holds. Raises `TimeoutError`, or what went wrong in the background."""
        seconds = deadline or self._deadline
        await self._client.pulse.until(predicate, seconds, f"{self.name}: {what}")

    # -- inside

    @property
    def _media(self) -> Media:
        if self._client.media is None:
            raise RuntimeError(f"{self.name} has no media: not joined, or in a role without any")
        return self._client.media

    async def _call_join(self, offer: Params | None) -> Params:
        params = {
            "name": self.name,
            "data": self.data,
            "disableVidAutoSub": True,
            "server_sub_degrade": False,
            "simulcast": False,
            "onDemandTracks": False,
        }
        return await self.call("join", params if offer is None else {**params, "offer": offer})
