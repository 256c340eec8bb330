"""Facts to commit where it does not matter what happened, only that it did.

Owns: `joined`, `left`.
"""

from __future__ import annotations

import msgspec

from callboard.clock import Clock, Ids
from callboard.events import PeerJoinSuccess, PeerLeaveSuccess
from callboard.events.schema import sample
from callboard.ledger import Changes, Fact

_PAYLOAD = msgspec.convert(sample("peer.join.success")["data"], PeerJoinSuccess)
_LEFT = msgspec.convert(sample("peer.leave.success")["data"], PeerLeaveSuccess)


def joined(stream: str, ids: Ids, clock: Clock) -> Changes:
    """Somebody joined, in `stream`: one fact and no rows."""
    return _peer_fact(_PAYLOAD, stream, ids, clock)


def left(stream: str, ids: Ids, clock: Clock) -> Changes:
    """Somebody left, in `stream`."""
    return _peer_fact(_LEFT, stream, ids, clock)


def _peer_fact(payload: PeerJoinSuccess | PeerLeaveSuccess, stream: str, ids: Ids, clock: Clock) -> Changes:
    now = clock.now()
    fact = Fact(
        id=ids.time_uuid(now),
        payload=payload,
        stream=stream,
        at=now,
        template_id=_PAYLOAD.template_id,
        room_id=_PAYLOAD.room_id,
        session_id=stream,
        peer_id=_PAYLOAD.peer_id,
    )
    return Changes(facts=(fact,))
