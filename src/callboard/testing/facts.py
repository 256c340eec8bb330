"""Facts to commit where it does not matter what happened, only that it did.

Owns: `joined`.
"""

from __future__ import annotations

import msgspec

from callboard.clock import Clock, Ids
from callboard.events import PeerJoinSuccess
from callboard.events.schema import sample
from callboard.ledger import Changes, Fact

_PAYLOAD = msgspec.convert(sample("peer.join.success")["data"], PeerJoinSuccess)


def joined(stream: str, ids: Ids, clock: Clock) -> Changes:
    """Somebody joined, in `stream`: one fact and no rows."""
    now = clock.now()
    fact = Fact(
        id=ids.time_uuid(now),
        payload=_PAYLOAD,
        stream=stream,
        at=now,
        template_id=_PAYLOAD.template_id,
        room_id=_PAYLOAD.room_id,
        session_id=stream,
        peer_id=_PAYLOAD.peer_id,
    )
    return Changes(facts=(fact,))
