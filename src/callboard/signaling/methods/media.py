"""Publishing, subscribing, muting (signal.md §3.2, §3.3, §5)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from callboard.media import PublishedTrack
from callboard.rooms import actions
from callboard.rooms.session import Peer, Track
from callboard.rooms.transitions import may_publish
from callboard.signaling.frames import SignalError
from callboard.signaling.methods.call import Call
from callboard.signaling.methods.membership import OfferSdp, Sdp
from callboard.signaling.socket import Answer

WRONG_NODE = 421
GONE = 410
MAX_TRACKS = 16

TrackId = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class WireTrack(msgspec.Struct, frozen=True):
    track_id: TrackId
    stream_id: TrackId
    type: Literal["audio", "video"]
    source: Annotated[str, msgspec.Meta(max_length=64)] = "regular"
    mute: bool = False
    description: Annotated[str, msgspec.Meta(max_length=256)] = ""


Tracks = Annotated[dict[TrackId, WireTrack], msgspec.Meta(max_length=MAX_TRACKS)]


class Offer(msgspec.Struct, frozen=True):
    desc: OfferSdp
    tracks: Tracks = {}
    sfu_node_id: str = ""


class AnswerSdp(msgspec.Struct, frozen=True):
    sdp: Sdp
    type: Literal["answer"] = "answer"


class SubscribeAnswer(msgspec.Struct, frozen=True):
    desc: AnswerSdp
    sfu_node_id: str = ""


class Candidate(msgspec.Struct, frozen=True, rename={"sdp_mid": "sdpMid", "sdp_mline": "sdpMLineIndex"}):
    candidate: Annotated[str, msgspec.Meta(max_length=1024)] = ""
    sdp_mid: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    sdp_mline: Annotated[int, msgspec.Meta(ge=0, le=1024)] | None = None


class Trickle(msgspec.Struct, frozen=True):
    target: Literal[0, 1]
    candidate: Candidate
    sfu_node_id: str = ""


class TrackUpdate(msgspec.Struct, frozen=True):
    tracks: Tracks = {}


class TrackUpdateRequest(msgspec.Struct, frozen=True):
    requested_for: str
    track_id: str
    mute: bool
    stream_id: str = ""


class MuteRequest(msgspec.Struct, frozen=True):
    value: bool
    type: Literal["audio", "video"] | None = None
    source: str | None = None
    roles: list[str] | None = None


async def offer(call: Call, params: Offer) -> object:
    """Renegotiate the publish connection: `tracks` is all that the peer publishes from now on.

    421 for a peer whose transports are gone (the server or the media engine was restarted): the SDK takes that for
    success and waits for `node-info` (signal.md §2.5), which follows at once if there is a media engine to go to.
    """
    client, service = call.client, call.service
    if not client.joined:
        call.socket.notify("on-error", {"code": GONE, "message": "the peer is not in the room any more"})
        raise SignalError(GONE, "the peer is not in the room any more")
    allowed = _allowed(call, params.tracks)
    if client.media is None and not client.node_id and not params.sfu_node_id:
        await service.mediation.open(client)  # its first role had no media (signal.md §5.8), this one has
    if client.media is None or (params.sfu_node_id or client.node_id) != client.node_id:
        wrong = SignalError(WRONG_NODE, "the transports of this peer are gone: build new ones")
        return Answer(wrong, lambda: service.mediation.redirect(client))
    published = [PublishedTrack(t.track_id, t.stream_id, t.type) for t in allowed]
    answer_sdp = await client.media.publish(params.desc.sdp, published)
    if not client.media_started:
        client.media_started = True
        service.mediation.rebuilt(client)
    client.published = frozenset(params.tracks)
    before, now = call.peer().tracks, service.clock.now()
    tracks = {t.track_id: _track(t, before[t.track_id].started_at if t.track_id in before else now) for t in allowed}
    await actions.set_tracks(service.rooms, client.room_id, client.id, tracks)
    return {"type": "answer", "sdp": answer_sdp}


def _allowed(call: Call, tracks: dict[str, WireTrack]) -> list[WireTrack]:
    """Those of `tracks` that the caller's role may publish. One that it may not is an error (403), unless it was
    published under an earlier role: then the client is on its way to unpublish it, and may say so step by step."""
    role, allowed = call.role(), []
    for track in tracks.values():
        if may_publish(role, track.type, track.source):
            allowed.append(track)
        elif track.track_id not in call.client.published:
            raise SignalError(403, f"role {role.name!r} may not publish {track.source} {track.type}")
    return allowed


def _track(track: WireTrack, started_at: int) -> Track:
    return Track(
        id=track.track_id,
        stream_id=track.stream_id,
        kind=track.type,
        source=track.source,
        mute=track.mute,
        description=track.description,
        started_at=started_at,
    )


async def answer(call: Call, params: SubscribeAnswer) -> None:
    """The client's answer to an offer of ours."""
    if call.client.media is not None:
        call.client.media.answer(params.desc.sdp)


async def trickle(call: Call, params: Trickle) -> None:
    """A candidate of the client's publish (0) or subscribe (1) connection."""
    if call.client.media is not None:
        candidate: dict[str, Any] = {
            "candidate": params.candidate.candidate,
            "sdpMid": params.candidate.sdp_mid,
            "sdpMLineIndex": params.candidate.sdp_mline,
        }
        call.client.media.trickle(params.target, candidate)


async def track_update(call: Call, params: TrackUpdate) -> None:
    """Mute, unmute, describe: of the caller's own tracks, whatever else is named."""
    if not call.client.joined:
        return
    tracks = dict(call.peer().tracks)
    for track in params.tracks.values():
        known = tracks.get(track.track_id)
        if known is not None:
            tracks[track.track_id] = _track(track, known.started_at)
    await actions.set_tracks(call.service.rooms, call.client.room_id, call.client.id, tracks)


async def track_update_request(call: Call, params: TrackUpdateRequest) -> None:
    """Ask one peer to mute or unmute one track: muting is obeyed, unmuting is asked of the user (signal.md §4.5)."""
    _require_mute(call, params.mute)
    target = call.session().peers.get(params.requested_for)
    if target is None or params.track_id not in target.tracks:
        raise SignalError(404, "no such peer, or it has no such track")
    _tell(
        call,
        target,
        "on-track-update-request",
        {
            "requested_by": call.client.id,
            "track_id": params.track_id,
            "stream_id": target.tracks[params.track_id].stream_id,
            "mute": params.mute,
        },
    )


async def change_mute_state(call: Call, params: MuteRequest) -> None:
    """Ask everybody else, or everybody of some roles, to mute or unmute."""
    _require_mute(call, params.value)
    request: dict[str, Any] = {"requested_by": call.client.id, "value": params.value}
    for key in ("type", "source", "roles"):
        if (value := getattr(params, key)) is not None:
            request[key] = value
    for target in call.session().peers.values():
        if target.id != call.client.id and (params.roles is None or target.role in params.roles):
            _tell(call, target, "on-change-track-mute-state-request", request)


def _require_mute(call: Call, mute: bool) -> None:
    call.require("mute" if mute else "unmute", "mute others" if mute else "unmute others")


def _tell(call: Call, target: Peer, method: str, params: object) -> None:
    client = call.service.registry.find(call.client.room_id, target.id)
    if client is not None:
        client.notify(method, params)
