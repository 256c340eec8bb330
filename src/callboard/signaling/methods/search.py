"""Finding peers in large rooms: by role, group, ids, name; page by page (signal.md §3.3).

Owns: `find-peer`, `peer-iter-next`, `peer-name-search`.

Always holds: an iterator is all that it needs to go on (the filter, and the peer that came last), so the server keeps
nothing for it; a page never has more than `MAX_PAGE` peers; who joins later comes later.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec

from callboard.rooms.session import Peer, Session
from callboard.signaling import wire
from callboard.signaling.frames import UNREADABLE, SignalError
from callboard.signaling.methods.call import Call

MAX_PAGE = 100
"""platform.md §4.6."""
DEFAULT_PAGE = 10
MAX_IDS = 200

Limit = Annotated[int, msgspec.Meta(ge=1)]


class FindPeer(msgspec.Struct, frozen=True, rename={"peer_ids": "peerIds"}):
    limit: Limit = DEFAULT_PAGE
    role: str | None = None
    group: str | None = None
    peer_ids: Annotated[list[str], msgspec.Meta(max_length=MAX_IDS)] | None = None


class PeerIterNext(msgspec.Struct, frozen=True):
    iterator: Annotated[str, msgspec.Meta(max_length=32_768)]
    limit: Limit = DEFAULT_PAGE


class PeerNameSearch(msgspec.Struct, frozen=True):
    query: Annotated[str, msgspec.Meta(max_length=256)]
    limit: Limit = DEFAULT_PAGE
    offset: Annotated[int, msgspec.Meta(ge=0)] = 0


class Iterator(msgspec.Struct, frozen=True, array_like=True):
    """What a page needs: whom to look for, and after whom (joined at, peer id)."""

    role: str | None
    group: str | None
    peer_ids: list[str] | None
    after: tuple[int, str] = (-1, "")

    def text(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()

    def wants(self, peer: Peer) -> bool:
        return (
            (self.role is None or peer.role == self.role)
            and (self.group is None or self.group in peer.groups)
            and (self.peer_ids is None or peer.id in self.peer_ids)
        )


def iterator_of(text: str) -> Iterator:
    """The iterator that `Iterator.text` made. Raises `SignalError` 400."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=Iterator)
    except (*UNREADABLE, binascii.Error):
        raise SignalError(400, "invalid params: iterator is none of ours") from None


def _order(peer: Peer) -> tuple[int, str]:
    return peer.joined_at, peer.id


def page(session: Session, wanted: Iterator, limit: int) -> dict[str, Any]:
    """The next `limit` peers, how many match in all, and the iterator to go on with."""
    matching = sorted((peer for peer in session.peers.values() if wanted.wants(peer)), key=_order)
    rest = [peer for peer in matching if _order(peer) > wanted.after]
    found = rest[: min(limit, MAX_PAGE)]
    after = _order(found[-1]) if found else wanted.after
    return {
        "iterator": msgspec.structs.replace(wanted, after=after).text(),
        "total": len(matching),
        "eof": len(found) == len(rest),
        "peers": shown(found),
    }


def shown(peers: Iterable[Peer]) -> list[dict[str, Any]]:
    return [wire.peer_info(peer) for peer in peers]


async def find(call: Call, params: FindPeer) -> object:
    """The first page of the peers that match everything that is given."""
    call.peer()
    return page(call.session(), Iterator(params.role, params.group, params.peer_ids), params.limit)


async def find_next(call: Call, params: PeerIterNext) -> object:
    """The page after the one that gave this iterator."""
    call.peer()
    return page(call.session(), iterator_of(params.iterator), params.limit)


async def by_name(call: Call, params: PeerNameSearch) -> object:
    """Peers whose name contains the query, whatever the case."""
    call.peer()
    query, limit = params.query.casefold(), min(params.limit, MAX_PAGE)
    matching = sorted((p for p in call.session().peers.values() if query in p.name.casefold()), key=_order)
    found = matching[params.offset : params.offset + limit]
    return {
        "count": len(found),
        "limit": limit,
        "offset": params.offset,
        "eof": params.offset + len(found) >= len(matching),
        "peers": [{"peer_id": peer.id, "name": peer.name, "role": peer.role, "type": str(peer.kind)} for peer in found],
    }
