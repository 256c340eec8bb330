"""What can happen to a session, as pure functions: (state, input, moment) → `Step`.

Owns: joining, leaving, removing, ending, role changes, giving up what is overdue, and finding again after a restart
what a dead process left open. The actions in `live.py` commit what these return; nothing else changes a session.

Always holds (DESIGN §1): a session's first event is `session.open.success` and its last leave is followed, in the
same step, by `session.close.success`; each join is followed by exactly one leave; bad input gives no step at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from callboard.events import JoinFailure, LeaveReason
from callboard.ledger import Changes, Fact
from callboard.rooms import reports
from callboard.rooms.models import Role, Room, Template
from callboard.rooms.reports import Moment, Person
from callboard.rooms.rows import peer_row, session_row
from callboard.rooms.session import Loss, Peer, Session, lost, overdue


@dataclass(frozen=True, slots=True)
class Opened:
    session: Session


@dataclass(frozen=True, slots=True)
class Joined:
    peer: Peer


@dataclass(frozen=True, slots=True)
class Left:
    peer: Peer
    reason: LeaveReason
    message: str
    by: str | None = None
    """The peer that removed this one; None for the API, the server or the peer itself."""
    room_end: bool = False


@dataclass(frozen=True, slots=True)
class Updated:
    before: Peer
    after: Peer


@dataclass(frozen=True, slots=True)
class Closed:
    session: Session


Outcome = Opened | Joined | Left | Updated | Closed


NOTHING = Changes()


@dataclass(frozen=True, slots=True)
class Step:
    """The session afterwards (None: no session is open), what to commit, and what came of it, in order."""

    session: Session | None
    changes: Changes = NOTHING
    outcomes: tuple[Outcome, ...] = ()


def refusal(room: Room, template: Template, session: Session | None, peer: Person) -> JoinFailure | None:
    """Why this person may not join now, or None. Cap, -1, a full room and an unknown role are `role not allowed`
    (platform.md §11.2 B8); an id that is in the room already is `duplicate peer id`."""
    if session and peer.peer_id in session.peers:
        return JoinFailure.DUPLICATE_PEER_ID
    role = template.roles.get(peer.role)
    present = len(session.peers) if session else 0
    full = room.size > 0 and present >= room.size
    if role is None or full or not has_place(role, session):
        return JoinFailure.ROLE_NOT_ALLOWED
    return None


def has_place(role: Role, session: Session | None) -> bool:
    """Whether one more peer may have `role`: `maxPeerCount` 0 is no limit, -1 is nobody (platform.md §2.2)."""
    if role.max_peer_count == 0:
        return True
    return (session.in_role(role.name) if session else 0) < role.max_peer_count


def may_publish(role: Role, kind: str, source: str) -> bool:
    """Whether the role may publish such a track: `screen` for whatever is shared, else by its kind."""
    return ("screen" if source == "screen" else kind) in role.publish_params.allowed


def join(
    room: Room,
    template: Template,
    session: Session | None,
    person: Person,
    moment: Moment,
    *,
    longest: int,
    media_deadline: int | None,
) -> Step:
    """Somebody comes in; the first one opens the session. Refused: `join_failed` is what to commit instead.

    `longest` is how long a new session may last, in seconds. `media_deadline` is when the peer is given up if its
    media transport has not come up by then; None for a peer without media.
    """
    if (failure := refusal(room, template, session, person)) is not None:
        return join_failed(room, session, person, failure, moment)
    facts: list[Fact] = []
    outcomes: list[Outcome] = []
    opened = session is None
    if session is None:
        session = Session(
            id=moment.ids.object_id(moment.now),
            room_id=room.id,
            template_id=template.id,
            started_at=moment.now,
            deadline=moment.now + longest * 1_000_000_000,
            peers=MappingProxyType({}),
        )
        facts.append(reports.session_opened(room, session, moment))
        outcomes.append(Opened(session))
    peer = Peer(
        id=person.peer_id,
        user_id=person.user_id,
        name=person.name,
        data=person.data,
        role=person.role,
        joined_at=moment.now,
        kind=person.kind,
    )
    session = session.with_peer(peer)
    facts.append(reports.peer_joined(room, session, peer, moment))
    rows = (*((session_row(session),) if opened else ()), peer_row(session, peer))
    if media_deadline is not None:
        session = lost(session, peer.id, Loss.MEDIA, media_deadline)
    outcomes.append(Joined(session.peers[peer.id]))
    return Step(session, Changes(rows, tuple(facts)), tuple(outcomes))


def join_failed(room: Room, session: Session | None, person: Person, failure: JoinFailure, moment: Moment) -> Step:
    """A join that got far enough to say who and where was refused or broke off: it is reported, nothing changes."""
    return Step(session, Changes(facts=(reports.join_failed(room, session, person, failure, moment),)), ())


def remove(
    room: Room,
    session: Session,
    leaving: Iterable[Left],
    moment: Moment,
    first: Sequence[Fact] = (),
) -> Step:
    """Those peers are gone, in this order, each with its reason; if nobody is left the session closes.

    `first` are facts of the same step that come before the leaves.
    """
    facts, rows, outcomes = list(first), [], list[Outcome]()
    for left in leaving:
        if left.peer.id not in session.peers:
            continue
        session = session.without(left.peer.id)
        facts.append(reports.peer_left(room, session, left.peer, left.reason, left.message, moment))
        rows.append(peer_row(session, left.peer, moment.now, left.reason, left.message))
        outcomes.append(left)
    if session.peers:
        return Step(session, Changes(tuple(rows), tuple(facts)), tuple(outcomes))
    facts.append(reports.session_closed(room, session, moment))
    rows.append(session_row(session, moment.now))
    outcomes.append(Closed(session))
    return Step(None, Changes(tuple(rows), tuple(facts)), tuple(outcomes))


def leave(room: Room, session: Session | None, person: Person, moment: Moment) -> Step:
    """A peer says goodbye. If it is not in the room, that is `peer.leave.failure` (seed, same heading)."""
    peer = session.peers.get(person.peer_id) if session else None
    if session is None or peer is None:
        return Step(session, Changes(facts=(reports.leave_failed(room, session, person, moment),)))
    return remove(room, session, [Left(peer, LeaveReason.CLIENT_REQUEST, "")], moment)


def kick(
    room: Room, session: Session, peer_ids: Iterable[str], by: Person | None, message: str, moment: Moment
) -> Step:
    """Somebody else removes these peers; those who are not there are passed over."""
    by_id = by.peer_id if by else None
    leaving = [Left(session.peers[i], LeaveReason.PEER_KICKED, message, by_id) for i in peer_ids if i in session.peers]
    return remove(room, session, leaving, moment) if leaving else Step(session)


def end(room: Room, session: Session, by: Person | None, reason: str, moment: Moment, *, lock: bool) -> Step:
    """The room is ended: first `room.end.success`, then everybody leaves, then the session closes (platform.md §11.2
    B1, B4). Locking the room is a change of the room's own row: the action adds it to the same commit."""
    by_id = by.peer_id if by else None
    leaving = [Left(peer, LeaveReason.PEER_KICKED, reason, by_id, room_end=True) for peer in session.peers.values()]
    ended = reports.room_ended(room, session, by, reason, lock=lock, moment=moment)
    return remove(room, session, leaving, moment, first=[ended])


def change_role(
    room: Room,
    template: Template,
    session: Session,
    peer_id: str,
    role: str,
    requested_by: str | None,
    moment: Moment,
) -> Step:
    """A peer gets another role, or, when that role has no place left, the failure is reported. Tracks that the new
    role may not publish are gone at once, whether the client unpublishes them or not (platform.md §4.5).

    Raises `KeyError` for a peer or a role that does not exist: bad input, which changes nothing.
    """
    peer, wanted = session.peers[peer_id], template.roles[role]
    if peer.role == role:
        return Step(session)
    if not has_place(wanted, session):
        failed = reports.role_change_failed(room, session, peer, role, requested_by, moment)
        return Step(session, Changes(facts=(failed,)))
    kept = {i: track for i, track in peer.tracks.items() if may_publish(wanted, track.kind, track.source)}
    after = replace(peer, role=role, tracks=MappingProxyType(kept))
    session = session.with_peer(after)
    changed = reports.role_changed(room, session, after, peer.role, requested_by, moment)
    return Step(session, Changes((peer_row(session, after),), (changed,)), (Updated(peer, after),))


def update(session: Session, peer_id: str, *, name: str | None = None, data: str | None = None) -> Step:
    """A peer's name or metadata change. No event of the seed reports that. Raises `KeyError`."""
    before = session.peers[peer_id]
    after = replace(
        before,
        name=before.name if name is None else name,
        data=before.data if data is None else data,
    )
    if after == before:
        return Step(session)
    session = session.with_peer(after)
    return Step(session, Changes((peer_row(session, after),)), (Updated(before, after),))


def expire(room: Room, session: Session, moment: Moment) -> Step:
    """Give up whoever is overdue, and everybody when the session has lasted its longest (platform.md §11.2 B2)."""
    if session.deadline <= moment.now:
        everybody = [Left(peer, LeaveReason.SERVER_REMOVED_PEER, "") for peer in session.peers.values()]
        return remove(room, session, everybody, moment)
    gone = [Left(peer, reason, "") for peer, reason in overdue(session, moment.now)]
    return remove(room, session, gone, moment) if gone else Step(session)


def recovered(
    session_id: str,
    room: Room,
    template_id: str,
    started_at: int,
    peers: Sequence[Peer],
    *,
    longest: int,
    give_up_at: int,
) -> Session:
    """A session as a dead process left it: everybody in it has lost the server, and is given up at `give_up_at`."""
    session = Session(
        id=session_id,
        room_id=room.id,
        template_id=template_id,
        started_at=started_at,
        deadline=started_at + longest * 1_000_000_000,
        peers=MappingProxyType({peer.id: peer for peer in peers}),
    )
    for peer in peers:
        session = lost(session, peer.id, Loss.SERVER, give_up_at)
    return session
