"""Who is on the list of speakers, in which order, and for how long. Pure."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from callboard.rooms.session import Peer, Session, Track
from callboard.signaling.speakers import HOLD, MAX_SPEAKERS, Board, shown


def peer(peer_id: str, *, mute: bool = False, role: str = "guest") -> Peer:
    track = Track(f"t-{peer_id}", "s", "audio", "regular", mute)
    return Peer(peer_id, "u", peer_id, "", role, 0, tracks=MappingProxyType({track.id: track}))


def session(*peers: Peer) -> Session:
    return Session("s", "r", "t", 0, 10, MappingProxyType({one.id: one for one in peers}))


def names(board: Board, of: Session, now: float = 0.0) -> list[str]:
    return [one.peer_id for one in board.speakers(of, now)]


def test_the_loudest_is_first_and_the_list_has_what_the_client_reads() -> None:
    board, room = Board(), session(peer("a"), peer("b"))
    board.note("a", "t-a", 40, 0.0)
    board.note("b", "t-b", 70, 0.0)
    assert shown(board.speakers(room, 0.0)) == {
        "speaker-list": [
            {"peer_id": "b", "track_id": "t-b", "level": 70},
            {"peer_id": "a", "track_id": "t-a", "level": 40},
        ]
    }


def test_a_pause_between_two_words_is_no_silence_but_a_longer_one_is() -> None:
    board, room = Board(), session(peer("a"))
    board.note("a", "t-a", 40, 0.0)
    board.note("a", "t-a", 0, 1.0)
    assert board.next_change() == 1.0 + HOLD
    assert names(board, room, 1.0 + HOLD / 2) == ["a"]
    board.note("a", "t-a", 50, 1.0 + HOLD / 2)
    assert board.next_change() is None
    assert names(board, room, 10.0) == ["a"]
    board.note("a", "t-a", 0, 10.0)
    assert names(board, room, 10.0 + HOLD) == []
    assert board.next_change() is None


def test_nobody_who_is_muted_gone_or_without_the_track_is_listed() -> None:
    board = Board()
    for who in "abc":
        board.note(who, f"t-{who}", 50, 0.0)
    board.note("a", "another track", 90, 0.0)
    assert names(board, session(peer("a"), peer("b", mute=True))) == ["a"]
    assert names(board, session(peer("a"), peer("b"))) == ["a", "b"], "who unmutes while being heard is listed again"
    assert names(board, session(peer("a"), peer("b"), peer("c"))) == ["a", "b"], "who comes back is heard anew first"


def test_silence_of_somebody_who_was_not_heard_is_not_kept() -> None:
    board = Board()
    board.note("a", "t-a", 0, 0.0)
    assert board.next_change() is None


@given(st.lists(st.tuples(st.integers(0, 39), st.integers(0, 100), st.floats(0, 60)), max_size=200))
def test_whatever_is_noted_the_list_is_bounded_sorted_and_true(notes: list[tuple[int, int, float]]) -> None:
    board, room = Board(), session(*(peer(str(n), mute=n % 3 == 0) for n in range(30)))
    now = 0.0
    for who, loudness, later in notes:
        now += later
        board.note(str(who), f"t-{who}", loudness, now)
    found = board.speakers(room, now)
    assert len(found) <= MAX_SPEAKERS
    assert [one.loudness for one in found] == sorted((one.loudness for one in found), reverse=True)
    assert all(int(one.peer_id) < 30 and int(one.peer_id) % 3 for one in found)
    silent_at = board.next_change()
    assert silent_at is None or silent_at > now
