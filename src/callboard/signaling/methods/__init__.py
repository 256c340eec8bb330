"""The client's methods, grouped by theme: a table from method name to handler, each with its typed parameters.

Owns: `METHODS` and how a frame is dispatched.

Always holds: a call gets exactly one answer. Unknown methods are answered 404 (never retried by the SDK, signal.md
§10.3); a handler's refusal becomes a code; a fault of ours is logged and answered 500, and harms nobody else.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from callboard.database import DatabaseStopped
from callboard.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from callboard.media import MediaError, OfferRefused
from callboard.signaling import frames
from callboard.signaling.frames import Frame, SignalError
from callboard.signaling.methods import (
    analytics,
    groups,
    later,
    media,
    membership,
    messages,
    metadata,
    peers,
    polls,
    roles,
    search,
)
from callboard.signaling.methods.call import Call, Nothing
from callboard.signaling.socket import Answer

log = logging.getLogger("callboard.signaling")

CODES: Final[Mapping[type[Refusal], int]] = MappingProxyType(
    {Invalid: 400, Forbidden: 403, NotFound: 404, Conflict: 409}
)


class Method(NamedTuple):
    """`needs`: the permission of the caller's role without which the handler refuses (403), "" for none."""

    params: type[Any]
    handler: Callable[[Call, Any], Awaitable[object]]
    needs: str = ""


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "join": Method(membership.Join, membership.join),
        "leave": Method(Nothing, membership.leave),
        "peer-leave-request": Method(membership.RemovePeer, membership.remove_peer, "removeOthers"),
        "end-room": Method(membership.EndRoom, membership.end_room, "endRoom"),
        "offer": Method(media.Offer, media.offer),
        "answer": Method(media.SubscribeAnswer, media.answer),
        "trickle": Method(media.Trickle, media.trickle),
        "track-update": Method(media.TrackUpdate, media.track_update),
        "track-update-request": Method(media.TrackUpdateRequest, media.track_update_request, "mute or unmute"),
        "change-track-mute-state-request": Method(media.MuteRequest, media.change_mute_state, "mute or unmute"),
        "role-change-request": Method(roles.RoleChangeRequest, roles.request, "changeRole"),
        "role-change": Method(roles.RoleChange, roles.accept),
        "peer-update": Method(peers.PeerUpdate, peers.update),
        "get-peer": Method(peers.GetPeer, peers.get),
        "find-peer": Method(search.FindPeer, search.find),
        "peer-iter-next": Method(search.PeerIterNext, search.find_next),
        "peer-name-search": Method(search.PeerNameSearch, search.by_name),
        "group-join": Method(groups.OwnGroup, groups.join),
        "group-leave": Method(groups.OwnGroup, groups.leave),
        "group-add": Method(groups.PeerGroup, groups.add, "changeRole"),
        "group-remove": Method(groups.PeerGroup, groups.remove, "changeRole (for others)"),
        "broadcast": Method(messages.Broadcast, messages.broadcast),
        "set-metadata": Method(metadata.SetMetadata, metadata.store),
        "get-metadata": Method(metadata.GetMetadata, metadata.get),
        "listen-metadata-change": Method(metadata.Listen, metadata.listen),
        "poll-info-set": Method(polls.PollInfoSet, polls.set_info, "pollWrite"),
        "poll-info-get": Method(polls.PollId, polls.get_info, "pollRead"),
        "poll-questions-set": Method(polls.QuestionsSet, polls.set_questions, "pollWrite"),
        "poll-questions-get": Method(polls.Page, polls.get_questions, "pollRead"),
        "poll-start": Method(polls.PollId, polls.start, "pollWrite"),
        "poll-stop": Method(polls.PollId, polls.stop, "pollWrite"),
        "poll-response": Method(polls.Responses, polls.respond, "pollRead"),
        "poll-responses": Method(polls.Page, polls.responses, "pollRead"),
        "poll-list": Method(polls.PollList, polls.listed, "pollRead"),
        "poll-result": Method(polls.PollId, polls.result, "pollRead"),
        "poll-leaderboard": Method(polls.Leaderboard, polls.leaders, "pollRead"),
        "analytics": Method(analytics.Report, analytics.report),
        **dict.fromkeys(later.NOT_HERE, Method(Nothing, later.refuse)),
    }
)


async def dispatch(call: Call, frame: Frame) -> Answer:
    """Handle one frame. Raises nothing but `SignalError`."""
    method = METHODS.get(frame.method)
    if method is None:
        call.service.counters.unknown_methods += 1
        raise SignalError(404, f"unknown method {frame.method!r}")
    try:
        found = await method.handler(call, frames.params(method.params, frame.params))
    except Refusal as refusal:
        raise SignalError(CODES.get(type(refusal), 400), str(refusal)) from refusal
    except OfferRefused as problem:
        raise SignalError(400, str(problem)) from problem
    except MediaError as problem:
        raise SignalError(503, f"no media: {problem}; try again") from problem
    except DatabaseStopped as problem:
        raise SignalError(503, "the server is restarting: try again") from problem
    except SignalError:
        raise
    except Exception as fault:
        log.exception("method %s failed", frame.method)
        raise SignalError(500, "internal error") from fault
    return found if isinstance(found, Answer) else Answer(found)
