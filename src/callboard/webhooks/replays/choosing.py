"""Which events a replay is about, settled once.

Owns: `chosen_positions`, and the chunks that they are kept in.

Always holds: positions are in the ledger's order, without repetition, none after the replay's `upto`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec

from callboard.database import Database, Delete, Put, Value
from callboard.database.tables import REPLAY_CHUNK
from callboard.ledger import Ledger
from callboard.ledger.moments import last_before
from callboard.webhooks.replays.filters import Replay, Status
from callboard.webhooks.replays.targets import Target

CHUNK: Final = 500
_PAGE: Final = 500
_QUERIES: Final = {
    Status.FAILED: "failed_for_endpoint",
    Status.PARKED: "parked_for_endpoint",
    Status.SUCCESS: "accepted_by_endpoint",
}


async def chosen_positions(database: Database, ledger: Ledger, replay: Replay, target: Target) -> list[int]:
    """Raises as `Database.fetch`, and `JobError` as `Target.endpoint`."""
    wanted = replay.wanted
    if wanted.event_ids:
        named = [await ledger.event(id_) for id_ in wanted.event_ids]
        events = [event for event in named if event is not None and event.position <= replay.upto]
        return sorted({event.position for event in events if wanted.endpoint_id or target.wants(event)})
    most = wanted.offset + wanted.limit
    if wanted.status is Status.ALL:
        found = await _wanted_by(database, ledger, replay, target, most)
    else:
        found = await _delivered_to(database, replay, target, most)
    return found[wanted.offset :]


async def _wanted_by(database: Database, ledger: Ledger, replay: Replay, target: Target, most: int) -> list[int]:
    found: list[int] = []
    wanted = replay.wanted.filter
    if target.room_id and not wanted.room_id:
        wanted = replace(wanted, room_id=target.room_id)
    after = await last_before(database, replay.wanted.since)
    while len(found) < most and (page := await ledger.read(after, _PAGE, wanted)):
        after = page[-1].position
        found += [event.position for event in page if event.position <= replay.upto and target.wants(event)]
        if after >= replay.upto:
            break
    return found[:most]


async def _delivered_to(database: Database, replay: Replay, target: Target, most: int) -> list[int]:
    wanted = replay.wanted
    parked = wanted.status is Status.PARKED
    found: list[int] = []
    async for logged_as in _once(target.parked_for) if parked else target.logged_as():
        rows = await database.fetch(_QUERIES[wanted.status], endpoint_id=logged_as, **_where(replay, target, most))
        if rows:
            found = sorted([*found, *(int(str(position)) for (position,) in rows)])[:most]
    return found


async def _once(id_: str) -> AsyncIterator[str]:
    yield id_


def _where(replay: Replay, target: Target, most: int) -> dict[str, Value]:
    wanted = replay.wanted
    return {
        "since": wanted.since,
        "until": wanted.until,
        "upto": replay.upto,
        "room_id": wanted.room_id or target.room_id,
        "session_id": wanted.session_id,
        "peer_id": wanted.peer_id,
        "types": f",{','.join(wanted.types)}," if wanted.types else "",
        "limit": most,
    }


def chunks(replay_id: str, endpoint_id: str, positions: Sequence[int]) -> Iterator[Put]:
    """The rows that keep them."""
    for number, start in enumerate(range(0, len(positions), CHUNK)):
        some = msgspec.json.encode(positions[start : start + CHUNK])
        yield Put(REPLAY_CHUNK, (replay_id, endpoint_id, number, some))


def no_chunks(replay_id: str, endpoint_id: str, total: int) -> tuple[Delete, ...]:
    """They are needed no more."""
    return tuple(Delete(REPLAY_CHUNK, (replay_id, endpoint_id, number)) for number in range(-(-total // CHUNK)))


async def chunk(database: Database, replay_id: str, endpoint_id: str, number: int) -> list[int]:
    """The positions in a chunk. Raises as `Database.fetch`."""
    rows = await database.fetch("replay_chunk", replay_id=replay_id, endpoint_id=endpoint_id, number=number)
    ((positions,),) = rows
    assert isinstance(positions, bytes)
    return msgspec.json.decode(positions, type=list[int])
