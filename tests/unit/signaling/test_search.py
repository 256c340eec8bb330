"""Finding peers page by page."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from callboard.rooms.session import Peer, Session
from callboard.signaling.methods.search import Iterator, iterator_of, page
from callboard.testing.house import open_house


def session_of(peers: list[Peer]) -> Session:
    return Session("s", "r", "t", 0, 1, MappingProxyType({peer.id: peer for peer in peers}))


peers = st.builds(
    Peer,
    id=st.uuids().map(str),
    user_id=st.just("u"),
    name=st.text(max_size=5),
    data=st.just(""),
    role=st.sampled_from(["host", "guest"]),
    joined_at=st.integers(0, 3),
    groups=st.sampled_from([(), ("_handraise",)]),
)


@given(st.lists(peers, max_size=30, unique_by=lambda p: p.id), st.integers(1, 7), st.sampled_from([None, "guest"]))
def test_going_on_until_the_end_gives_everybody_who_matches_exactly_once(
    everybody: list[Peer], limit: int, role: str | None
) -> None:
    session, found = session_of(everybody), []
    wanted = Iterator(role, None, None)
    while True:
        answer = page(session, wanted, limit)
        found += [peer["peer_id"] for peer in answer["peers"]]
        assert len(answer["peers"]) <= limit
        if answer["eof"]:
            break
        wanted = iterator_of(answer["iterator"])
    expected = {peer.id for peer in everybody if role in (None, peer.role)}
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert answer["total"] == len(expected)


async def test_peers_are_found_by_group_by_id_and_by_name(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        a = await house.join("a", "host")
        for name in ("b", "c", "d"):
            phone = await house.join(name)
            if name == "c":
                await phone.call("group-join", name="_handraise")
        raised = await a.call("find-peer", group="_handraise", limit=10)
        assert [p["peer_id"] for p in raised["peers"]] == ["c"]
        by_id = await a.call("find-peer", peerIds=["b", "nobody"])
        assert [p["peer_id"] for p in by_id["peers"]] == ["b"]
        first = await a.call("find-peer", role="guest", limit=2)
        assert (len(first["peers"]), first["total"], first["eof"]) == (2, 3, False)
        rest = await a.call("peer-iter-next", iterator=first["iterator"], limit=2)
        assert (len(rest["peers"]), rest["eof"]) == (1, True)
        named = await a.call("peer-name-search", query="OF D", limit=10, offset=0)
        assert [p["peer_id"] for p in named["peers"]] == ["d"]
        assert named["eof"] is True
