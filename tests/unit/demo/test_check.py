"""The check of a finished run: silent about good runs, and it sees every way in which a run can be bad."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.demo.check import CLOSE, OPEN, PAIRS, Finding, check
from callboard.demo.seen import Event

JOIN, LEAVE, ROLE, END = (
    "peer.join.success",
    "peer.leave.success",
    "role.change.success",
    "room.end.success",
)


class Play:
    """Writes a ledger: events get ids and the next seq of their stream."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def happen(self, stream: str, kind: str, **data: str) -> Event:
        seq = 1 + sum(event.stream == stream for event in self.events)
        event = Event(f"id-{len(self.events)}", stream, seq, kind, {"session_id": stream, **data})
        self.events.append(event)
        return event


def a_session(play: Play, stream: str, moves: list[tuple[int, bool]], *, recorded: bool, ended: bool) -> None:
    """One session. `moves`: which of six people moves, and whether those inside change their role or leave."""
    present: list[int] = []
    play.happen(stream, OPEN)
    for who, change in moves:
        if who not in present:
            present.append(who)
            play.happen(stream, JOIN, peer_id=f"p{who}")
            if recorded:
                play.happen(stream, "track.recording.started.success", track_id=f"t{who}")
        elif change:
            play.happen(stream, ROLE, peer_id=f"p{who}")
        else:
            present.remove(who)
            play.happen(stream, LEAVE, peer_id=f"p{who}")
            if recorded:
                play.happen(stream, "track.recording.success", track_id=f"t{who}")
    if ended:
        play.happen(stream, END)
    for who in present:
        play.happen(stream, LEAVE, peer_id=f"p{who}")
    play.happen(stream, CLOSE)
    for who in present if recorded else []:
        play.happen(stream, "track.recording.failure", track_id=f"t{who}")


@st.composite
def ledgers(draw: st.DrawFn) -> list[Event]:
    """Runs of one to three sessions and of a room without one."""
    play = Play()
    for number in range(draw(st.integers(1, 3))):
        moves = draw(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20))
        a_session(play, f"s{number}", moves, recorded=draw(st.booleans()), ended=draw(st.booleans()))
    for _ in range(draw(st.integers(0, 3))):
        play.happen("room", "peer.join.failure", peer_id="late")
    return play.events


def interleaved(ledger: list[Event], seed: int) -> list[Event]:
    """Each stream in order, the streams mixed."""
    streams: dict[str, list[Event]] = {}
    for event in ledger:
        streams.setdefault(event.stream, []).append(event)
    order = [event.stream for event in ledger]
    random.Random(seed).shuffle(order)
    return [streams[stream].pop(0) for stream in order]


def rules(findings: list[Finding]) -> set[str]:
    return {finding.rule for finding in findings}


def renumbered(ledger: list[Event]) -> list[Event]:
    """The same events with the seqs of a ledger in this order."""
    play = Play()
    for event in ledger:
        play.happen(event.stream, event.type, **event.data)
    return play.events


@given(ledgers(), st.integers())
def test_a_good_run_has_no_findings(ledger: list[Event], seed: int) -> None:
    assert check(interleaved(ledger, seed), ledger) == []


@given(ledgers(), st.integers(), st.data())
def test_an_event_delivered_again_is_no_finding(ledger: list[Event], seed: int, data: st.DataObject) -> None:
    received = interleaved(ledger, seed)
    for _ in range(data.draw(st.integers(1, 4))):
        index = data.draw(st.integers(0, len(received) - 1))
        received.insert(data.draw(st.integers(index, len(received))), received[index])
    assert check(received, ledger) == []


@given(ledgers(), st.data())
def test_an_event_that_was_not_received_is_found(ledger: list[Event], data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(ledger))
    findings = check([event for event in ledger if event is not lost], ledger)
    assert rules(findings) == {"received all"}


@given(ledgers())
def test_an_event_that_is_not_in_the_ledger_is_found(ledger: list[Event]) -> None:
    invented = Event("x", "elsewhere", 1, JOIN, {})
    assert rules(check([*ledger, invented], ledger)) == {"received nothing else"}


OTHERWISE: dict[str, Callable[[Event], Event]] = {
    "type": lambda event: dataclasses.replace(event, type="other"),
    "stream": lambda event: dataclasses.replace(event, stream="other"),
    "data": lambda event: dataclasses.replace(event, data={"k": "other"}),
}


@given(ledgers(), st.data())
@pytest.mark.parametrize("change", OTHERWISE)
def test_an_event_that_was_received_otherwise_than_committed_is_found(
    change: str, ledger: list[Event], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(ledger) - 1))
    received = [*ledger[:index], OTHERWISE[change](ledger[index]), *ledger[index + 1 :]]
    assert "received as committed" in rules(check(received, ledger))


@given(ledgers(), st.data())
def test_two_events_of_a_stream_in_the_wrong_order_are_found(ledger: list[Event], data: st.DataObject) -> None:
    session = [event for event in ledger if event.stream == "s0"]
    later = data.draw(st.integers(1, len(session) - 1))
    received = list(session)
    received.insert(data.draw(st.integers(0, later - 1)), received.pop(later))
    assert rules(check(received, session)) == {"received in order"}


@given(ledgers(), st.data())
def test_a_gap_in_the_seqs_is_found(ledger: list[Event], data: st.DataObject) -> None:
    start = data.draw(st.sampled_from(ledger))
    gapped = [
        dataclasses.replace(event, seq=event.seq + 1)
        if event.stream == start.stream and event.seq >= start.seq
        else event
        for event in ledger
    ]
    assert rules(check(gapped, gapped)) == {"gapless seq"}


def test_a_seq_given_twice_and_an_id_given_twice_are_found() -> None:
    play = Play()
    a_session(play, "s", [(0, False)], recorded=False, ended=False)
    twice = [*play.events, dataclasses.replace(play.events[1], id="another")]
    assert "gapless seq" in rules(check(twice, twice))
    same = [*play.events, dataclasses.replace(play.events[-1], seq=len(play.events) + 1)]
    assert "one id, one event" in rules(check(same, same))


Breakage = tuple[str, Callable[[list[Event]], list[Event]]]


def without(kind: str) -> Callable[[list[Event]], list[Event]]:
    def drop(ledger: list[Event]) -> list[Event]:
        index = next(i for i, event in enumerate(ledger) if event.type == kind)
        return ledger[:index] + ledger[index + 1 :]

    return drop


def doubled(kind: str) -> Callable[[list[Event]], list[Event]]:
    def repeat(ledger: list[Event]) -> list[Event]:
        index = next(i for i, event in enumerate(ledger) if event.type == kind)
        return [*ledger[: index + 1], ledger[index], *ledger[index + 1 :]]

    return repeat


def moved_to_the_end(kind: str) -> Callable[[list[Event]], list[Event]]:
    def move(ledger: list[Event]) -> list[Event]:
        index = next(i for i, event in enumerate(ledger) if event.type == kind)
        return [*ledger[:index], *ledger[index + 1 :], ledger[index]]

    return move


def join_first(ledger: list[Event]) -> list[Event]:
    return [ledger[1], ledger[0], *ledger[2:]]


BREAKAGES: list[Breakage] = [
    ("open comes first", without(OPEN)),
    ("open comes first", join_first),
    ("everything closes", without(CLOSE)),
    ("everything closes", without(LEAVE)),
    ("everything closes", without("track.recording.success")),
    ("closed once", without(JOIN)),
    ("closed once", without("track.recording.started.success")),
    ("closed once", doubled(LEAVE)),
    ("closed once", doubled(CLOSE)),
    ("closed once", doubled("track.recording.success")),
    ("opened once", doubled(JOIN)),
    ("opened once", doubled(OPEN)),
    ("close comes last", moved_to_the_end(LEAVE)),
    ("close comes last", moved_to_the_end(JOIN)),
    ("close comes last", moved_to_the_end(ROLE)),
    ("close comes last", moved_to_the_end(END)),
]


@pytest.mark.parametrize(("rule", "broken"), BREAKAGES)
def test_a_ledger_that_breaks_a_rule_is_found_though_all_of_it_was_received(
    rule: str, broken: Callable[[list[Event]], list[Event]]
) -> None:
    play = Play()
    a_session(play, "s", [(0, False), (1, False), (0, True), (0, False)], recorded=True, ended=True)
    assert check(play.events, play.events) == []
    ledger = renumbered(broken(play.events))
    assert rule in rules(check(ledger, ledger))


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.opener)
def test_everything_that_can_open_is_found_when_it_does_not_close(pair: object) -> None:
    assert isinstance(pair, type(PAIRS[0]))
    play = Play()
    play.happen("s", pair.opener, **{pair.key: "k"})
    assert "everything closes" in rules(check(play.events, play.events))
    for closer in pair.closers:
        closed = Play()
        closed.happen("s", pair.opener, **{pair.key: "k"})
        closed.happen("s", closer, **{pair.key: "k"})
        assert "everything closes" not in rules(check(closed.events, closed.events))


def test_a_peer_who_leaves_and_comes_back_is_no_finding() -> None:
    play = Play()
    for kind in (OPEN, JOIN, LEAVE, JOIN, LEAVE, CLOSE):
        play.happen("s", kind, peer_id="p")
    assert check(play.events, play.events) == []


def test_a_finding_says_which_event_and_where() -> None:
    play = Play()
    play.happen("s", OPEN)
    play.happen("s", JOIN, peer_id="p", user_name="Ann")
    play.happen("s", CLOSE)
    (finding,) = check(play.events, play.events)
    assert finding == Finding(
        "everything closes", "peer.join.success of Ann (stream s, seq 2) has no peer.leave.success"
    )
