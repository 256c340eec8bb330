"""From state to what is reported: the payloads of Session, Peer, Room and Role Change events (seed, same headings).

Owns: the circumstances of a change (`Moment`) and one function per event. Pure.

Always holds: `session_started_at` and `joined_at` are written from the same stored instant in every event that
carries them, so they are byte-identical (platform.md §4.1, §12.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from callboard.clock import NANOSECONDS, Ids
from callboard.events import (
    ZERO_TIME,
    EndSource,
    JoinFailure,
    LeaveFailure,
    LeaveReason,
    Payload,
    PeerJoinFailure,
    PeerJoinSuccess,
    PeerLeaveFailure,
    PeerLeaveSuccess,
    PeerType,
    RoleChangeError,
    RoleChangeFailure,
    RoleChangeSuccess,
    RoomEndError,
    RoomEndFailure,
    RoomEndSuccess,
    SessionCloseSuccess,
    SessionOpenSuccess,
    timestamps,
)
from callboard.ledger import Fact
from callboard.rooms.models import Room
from callboard.rooms.session import Peer, Session


@dataclass(frozen=True, slots=True)
class Moment:
    """When and why something happens: the instant, where new ids come from, who did it and what made it happen."""

    now: int
    ids: Ids
    actor: str = "server"
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Who an attempt was made by, known from the token and the request, in a session or not."""

    peer_id: str
    user_id: str = ""
    name: str = ""
    data: str = ""
    role: str = ""
    kind: PeerType = PeerType.REGULAR


def fact(room: Room, session: Session | None, moment: Moment, payload: Payload, peer_id: str = "") -> Fact:
    """A fact of the session, or, while no session is open, of the room."""
    return Fact(
        id=moment.ids.time_uuid(moment.now),
        payload=payload,
        stream=session.id if session else room.id,
        at=moment.now,
        template_id=session.template_id if session else room.template_id,
        room_id=room.id,
        session_id=session.id if session else "",
        peer_id=peer_id,
        actor=moment.actor,
        cause=moment.cause,
        hook=room.id if room.webhook else "",
    )


def seconds_between(start: int, end: int) -> int:
    """Whole seconds, rounded down, never negative (platform.md §2.0)."""
    return max(0, (end - start) // NANOSECONDS)


def session_opened(room: Room, session: Session, moment: Moment) -> Fact:
    payload = SessionOpenSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
    )
    return fact(room, session, moment, payload)


def session_closed(room: Room, session: Session, moment: Moment) -> Fact:
    payload = SessionCloseSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        session_stopped_at=timestamps.precise(moment.now),
        session_duration=seconds_between(session.started_at, moment.now),
    )
    return fact(room, session, moment, payload)


def peer_joined(room: Room, session: Session, peer: Peer, moment: Moment) -> Fact:
    payload = PeerJoinSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        peer_id=peer.id,
        user_id=peer.user_id,
        user_name=peer.name,
        user_data=peer.data,
        role=peer.role,
        joined_at=timestamps.precise(peer.joined_at),
        type=peer.kind,
    )
    return fact(room, session, moment, payload, peer.id)


def peer_left(room: Room, session: Session, peer: Peer, reason: LeaveReason, message: str, moment: Moment) -> Fact:
    payload = PeerLeaveSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        peer_id=peer.id,
        user_id=peer.user_id,
        user_name=peer.name,
        user_data=peer.data,
        role=peer.role,
        joined_at=timestamps.precise(peer.joined_at),
        left_at=timestamps.precise(moment.now),
        duration=seconds_between(peer.joined_at, moment.now),
        reason=reason,
        message=message,
        type=peer.kind,
    )
    return fact(room, session, moment, payload, peer.id)


def join_failed(room: Room, session: Session | None, person: Person, failure: JoinFailure, moment: Moment) -> Fact:
    payload = PeerJoinFailure(
        room_id=room.id,
        room_name=room.name,
        template_id=session.template_id if session else room.template_id,
        peer_id=person.peer_id,
        user_id=person.user_id,
        user_name=person.name,
        user_data=person.data,
        role=person.role,
        joined_at=ZERO_TIME,
        error_message=failure,
        type=person.kind,
    )
    return fact(room, session, moment, payload, person.peer_id)


def leave_failed(room: Room, session: Session | None, person: Person, moment: Moment) -> Fact:
    payload = PeerLeaveFailure(
        room_id=room.id,
        room_name=room.name,
        template_id=session.template_id if session else room.template_id,
        peer_id=person.peer_id,
        user_id=person.user_id,
        user_name=person.name,
        user_data=person.data,
        role=person.role,
        joined_at=ZERO_TIME,
        left_at=ZERO_TIME,
        duration=0,
        error_message=LeaveFailure.PEER_NOT_JOINED,
        type=person.kind,
    )
    return fact(room, session, moment, payload, person.peer_id)


def room_ended(room: Room, session: Session, by: Person | None, reason: str, *, lock: bool, moment: Moment) -> Fact:
    who = by or Person("")
    payload = RoomEndSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        peer_id=who.peer_id,
        user_id=who.user_id,
        user_name=who.name,
        role=who.role,
        lock_room=lock,
        reason=reason,
        source=EndSource.PEER if by else EndSource.API,
    )
    return fact(room, session, moment, payload, who.peer_id)


def room_end_failed(
    room: Room,
    session: Session | None,
    by: Person | None,
    reason: str,
    *,
    lock: bool,
    error: tuple[int, RoomEndError],
    moment: Moment,
) -> Fact:
    who = by or Person("")
    payload = RoomEndFailure(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id if session else "",
        template_id=session.template_id if session else room.template_id,
        session_started_at=timestamps.precise(session.started_at) if session else ZERO_TIME,
        peer_id=who.peer_id,
        user_id=who.user_id,
        user_name=who.name,
        role=who.role,
        lock_room=lock,
        reason=reason,
        source=EndSource.PEER if by else EndSource.API,
        error_code=error[0],
        error_message=error[1],
    )
    return fact(room, session, moment, payload, who.peer_id)


def role_changed(
    room: Room, session: Session, peer: Peer, previous: str, requested_by: str | None, moment: Moment
) -> Fact:
    payload = RoleChangeSuccess(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        peer_id=peer.id,
        user_id=peer.user_id,
        user_name=peer.name,
        user_data=peer.data,
        previous_role=previous,
        role=peer.role,
        joined_at=timestamps.precise(peer.joined_at),
        role_changed_at=timestamps.precise(moment.now),
        **requester(requested_by),
    )
    return fact(room, session, moment, payload, peer.id)


def role_change_failed(
    room: Room, session: Session, peer: Peer, role: str, requested_by: str | None, moment: Moment
) -> Fact:
    payload = RoleChangeFailure(
        room_id=room.id,
        room_name=room.name,
        session_id=session.id,
        template_id=session.template_id,
        session_started_at=timestamps.precise(session.started_at),
        peer_id=peer.id,
        user_id=peer.user_id,
        user_name=peer.name,
        user_data=peer.data,
        role=role,
        joined_at=timestamps.precise(peer.joined_at),
        error_message=RoleChangeError.ROLE_LIMIT_REACHED,
        **requester(requested_by),
    )
    return fact(room, session, moment, payload, peer.id)


def requester(requested_by: str | None) -> dict[str, str]:
    """Who asked for a role change: left out of the payload when it was the API (platform.md §10.8)."""
    return {} if requested_by is None else {"role_change_requested_by": requested_by}
