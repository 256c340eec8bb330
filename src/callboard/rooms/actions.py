"""The verbs: what a socket, a REST call or the media engine makes happen in a live room.

Owns: one function per verb. Each looks up the room, takes one pure transition, and waits until it is durable.

Always holds: these (and deadlines) are the only places that change a session. Permissions of a *peer* are checked
here, on the server, whatever the client shows (signal.md §6.1); a management token may do everything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import msgspec

from callboard.errors import Conflict, Forbidden, NotFound, Refusal
from callboard.events import JoinFailure, RoomEndError
from callboard.ledger import Changes
from callboard.rooms import reports, transitions
from callboard.rooms.live import LiveRoom, LiveRooms
from callboard.rooms.models import Permissions
from callboard.rooms.reports import Person
from callboard.rooms.rooms import room_row
from callboard.rooms.session import Loss, Peer, Session, Track, lost, regained
from callboard.rooms.transitions import Step, Updated

END_ERRORS: Mapping[type[Refusal], tuple[int, RoomEndError]] = MappingProxyType(
    {NotFound: (404, RoomEndError.SESSION_NOT_FOUND), Forbidden: (403, RoomEndError.PERMISSION_DENIED)}
)


def person_of(peer: Peer) -> Person:
    """The peer as somebody who does something."""
    return Person(peer.id, peer.user_id, peer.name, peer.data, peer.role, peer.kind)


def actor_of(by: Person | None) -> str:
    return f"peer:{by.peer_id}" if by else "api"


def session_of(live: LiveRoom | None) -> Session:
    """The open session. Raises `NotFound` as the platform words it (platform.md §4.4)."""
    if live is None or live.session is None:
        raise NotFound("session not found")
    return live.session


def peer_in(session: Session, peer_id: str) -> Peer:
    peer = session.peers.get(peer_id)
    if peer is None:
        raise NotFound("peer not found")
    return peer


def require(live: LiveRoom, by: Person | None, allowed: Callable[[Permissions], bool], what: str) -> None:
    """Raise `Forbidden` unless `by` is the API (None) or a peer in the room whose present role allows it."""
    if by is None:
        return
    peer = peer_in(session_of(live), by.peer_id)
    role = live.template.roles.get(peer.role)
    if role is None or not allowed(role.permissions):
        raise Forbidden(f"role {peer.role!r} may not {what}")


async def join(
    rooms: LiveRooms, room_id: str, person: Person, *, with_media: bool, cause: str = "websocket join"
) -> JoinFailure | None:
    """Let somebody in. Returns why not, after `peer.join.failure` is durable, or None once the join is."""
    live = await rooms.room(room_id)
    step = transitions.join(
        live.room,
        live.template,
        live.session,
        person,
        rooms.moment(f"peer:{person.peer_id}", cause),
        longest=rooms.longest(live.room),
        media_deadline=rooms.in_grace() if with_media else None,
    )
    failure = transitions.refusal(live.room, live.template, live.session, person)
    await rooms.apply(live, step)
    return failure


async def fail_join(rooms: LiveRooms, room_id: str, person: Person, failure: JoinFailure, cause: str) -> None:
    """Report a join that broke off before the peer was in."""
    live = await rooms.room(room_id)
    moment = rooms.moment(f"peer:{person.peer_id}", cause)
    await rooms.apply(live, transitions.join_failed(live.room, live.session, person, failure, moment))


async def leave(rooms: LiveRooms, room_id: str, person: Person, cause: str = "websocket leave") -> None:
    """The peer says goodbye; if it is not in the room, that is reported as `peer.leave.failure`."""
    live = await rooms.room(room_id)
    moment = rooms.moment(f"peer:{person.peer_id}", cause)
    await rooms.apply(live, transitions.leave(live.room, live.session, person, moment))


async def remove_peers(
    rooms: LiveRooms,
    room_id: str,
    *,
    by: Person | None,
    reason: str,
    peer_id: str | None = None,
    role: str | None = None,
) -> None:
    """Remove one peer, or all of a role. Raises `NotFound`, `Forbidden`."""
    live = rooms.live(room_id)
    session = session_of(live)
    assert live is not None
    require(live, by, lambda p: p.remove_others, "remove others")
    if peer_id is not None:
        targets: Iterable[str] = [peer_in(session, peer_id).id]
    else:
        targets = [peer.id for peer in session.peers.values() if peer.role == role]
    moment = rooms.moment(actor_of(by), "remove peers")
    await rooms.apply(live, transitions.kick(live.room, session, targets, by, reason, moment))


async def end_room(rooms: LiveRooms, room_id: str, *, by: Person | None, reason: str, lock: bool) -> None:
    """End the session, and with `lock` disable the room in the same commit.

    Not possible (no session: 404, no permission: 403) is reported as `room.end.failure` before `NotFound` or
    `Forbidden` is raised (seed "room.end.failure").
    """
    live = await rooms.room(room_id)
    moment = rooms.moment(actor_of(by), "end room")
    try:
        session = session_of(live)
        require(live, by, lambda p: p.end_room, "end the room")
    except (NotFound, Forbidden) as error:
        why = END_ERRORS[type(error)]
        failed = reports.room_end_failed(live.room, live.session, by, reason, lock=lock, error=why, moment=moment)
        await rooms.apply(live, Step(live.session, Changes(facts=(failed,))))
        raise
    if not lock:
        await rooms.apply(live, transitions.end(live.room, session, by, reason, moment, lock=False))
        return
    async with rooms.directory.changing_rooms:
        await _end_and_lock(rooms, live, by, reason)


async def _end_and_lock(rooms: LiveRooms, live: LiveRoom, by: Person | None, reason: str) -> None:
    """The end and the lock in one commit. The directory's lock is held: nobody else changes the room meanwhile."""
    room = await rooms.directory.room(live.room.id)
    moment = rooms.moment(actor_of(by), "end room")
    locked = msgspec.structs.replace(room, enabled=False, updated_at=moment.now)
    step = transitions.end(live.room, session_of(live), by, reason, moment, lock=True)
    await rooms.apply(live, replace(step, changes=Changes((room_row(locked),)) + step.changes))
    rooms.directory.refresh(locked)


async def change_role(
    rooms: LiveRooms, room_id: str, peer_id: str, role: str, *, by: Person | None, asked: bool = False
) -> Peer:
    """Give a peer another role. `asked`: the peer agreed to a request, whose sender was checked when it asked.

    Raises `NotFound`, `Forbidden`, and `Conflict` when the role has no place left, after that was reported.
    """
    live = rooms.live(room_id)
    session = session_of(live)
    assert live is not None
    peer_in(session, peer_id)
    if role not in live.template.roles:
        raise NotFound(f"role {role!r} not found")
    if not asked:
        require(live, by, lambda p: p.change_role, "change roles")
    moment = rooms.moment(actor_of(by), "role change")
    requested_by = by.peer_id if by else None
    step = transitions.change_role(live.room, live.template, session, peer_id, role, requested_by, moment)
    await rooms.apply(live, step)
    if step.changes.facts and not step.outcomes:
        raise Conflict("role limit reached")
    return step.session.peers[peer_id] if step.session else peer_in(session, peer_id)


async def update_peer(
    rooms: LiveRooms, room_id: str, peer_id: str, *, name: str | None = None, data: str | None = None
) -> Peer:
    """Change a peer's name or metadata. Raises `NotFound`."""
    live = rooms.live(room_id)
    session = session_of(live)
    assert live is not None
    peer_in(session, peer_id)
    step = transitions.update(session, peer_id, name=name, data=data)
    await rooms.apply(live, step)
    assert step.session is not None
    return step.session.peers[peer_id]


async def set_tracks(rooms: LiveRooms, room_id: str, peer_id: str, tracks: Mapping[str, Track]) -> None:
    """The peer's tracks are now these. Not stored: they end with the media that carries them."""
    await _change(rooms, room_id, peer_id, lambda peer: replace(peer, tracks=MappingProxyType(dict(tracks))))


async def set_groups(rooms: LiveRooms, room_id: str, peer_id: str, groups: Iterable[str]) -> tuple[str, ...]:
    """The peer is now in these groups (`_handraise` is a raised hand)."""
    wanted = tuple(dict.fromkeys(groups))
    await _change(rooms, room_id, peer_id, lambda peer: replace(peer, groups=wanted))
    return wanted


async def _change(rooms: LiveRooms, room_id: str, peer_id: str, change: Callable[[Peer], Peer]) -> None:
    live = rooms.live(room_id)
    session = session_of(live)
    assert live is not None
    before = peer_in(session, peer_id)
    after = change(before)
    if after != before:
        await rooms.apply(live, Step(session.with_peer(after), outcomes=(Updated(before, after),)))


def lose(rooms: LiveRooms, room_id: str, peer_id: str, loss: Loss) -> None:
    """The peer lost its socket, its media or the server: from now on it has one grace time to get it back."""
    live = rooms.live(room_id)
    if live is not None and live.session is not None:
        rooms.apply(live, Step(lost(live.session, peer_id, loss, rooms.in_grace())))


def regain(rooms: LiveRooms, room_id: str, peer_id: str, *losses: Loss) -> None:
    """The peer has it again."""
    live = rooms.live(room_id)
    if live is not None and live.session is not None:
        rooms.apply(live, Step(regained(live.session, peer_id, *losses)))
