"""Which events an endpoint is sent."""

from __future__ import annotations

import secrets
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callboard.errors import Invalid
from callboard.events import CATALOGUE
from callboard.ledger import Recorded
from callboard.webhooks.endpoint import Endpoint, EndpointRequest, changed_endpoint, new_endpoint
from callboard.webhooks.selection import MAX_PATTERNS, Selection, selected

ROOM, OTHER_ROOM = "a" * 24, "b" * 24
TEMPLATE, OTHER_TEMPLATE = "c" * 24, "d" * 24
NAMES = st.sampled_from(sorted(CATALOGUE))
PATTERNS = st.one_of(
    st.text("peron.*", min_size=1, max_size=12),
    st.builds(lambda name, a, b: f"{name[:a]}*{name[b:]}", NAMES, st.integers(0, 30), st.integers(0, 30)),
)


def event(kind: str = "peer.join.success", *, room: str = ROOM, template: str = TEMPLATE, hook: str = "") -> Recorded:
    return Recorded(1, "e", "s", 1, kind, room, "s", "p", 0, 0, "", "", b"{}", template, hook)


def made(**wanted: Any) -> Endpoint:
    return new_endpoint(EndpointRequest(url="https://example.com", **wanted), "e1", secrets.token_bytes, 7)


def refused(**wanted: Any) -> tuple[str, ...]:
    with pytest.raises(Invalid) as raised:
        made(**wanted)
    return raised.value.details


def matches(text: str, pattern: str) -> bool:
    """What `*` means, by trying every way: an oracle that shares nothing with the code."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(text[start:], pattern[1:]) for start in range(len(text) + 1))
    return bool(text) and text[0] == pattern[0] and matches(text[1:], pattern[1:])


@given(NAMES)
def test_an_endpoint_that_was_told_nothing_is_sent_every_event(name: str) -> None:
    assert made().wants(event(name))


@given(PATTERNS)
def test_a_star_stands_for_any_characters_and_everything_else_for_itself(pattern: str) -> None:
    expected = {name for name in CATALOGUE if matches(name, pattern)}
    assume(expected)
    assert selected((pattern,)) == expected
    assert selected((f"!{pattern}",)) == CATALOGUE.keys() - expected


@given(st.lists(st.tuples(st.booleans(), PATTERNS), max_size=6), st.randoms())
def test_what_is_left_out_wins_and_order_makes_no_difference(patterns: list[tuple[bool, str]], random: Any) -> None:
    patterns = [one for one in patterns if any(matches(name, one[1]) for name in CATALOGUE)]
    texts = [("!" if negated else "") + pattern for negated, pattern in patterns]
    wanted = [pattern for negated, pattern in patterns if not negated]
    unwanted = [pattern for negated, pattern in patterns if negated]
    expected = {
        name
        for name in CATALOGUE
        if (not wanted or any(matches(name, one) for one in wanted)) and not any(matches(name, one) for one in unwanted)
    }
    assert selected(tuple(texts)) == expected
    random.shuffle(texts)
    assert selected(tuple(texts)) == expected


@pytest.mark.parametrize(
    ("events", "sent", "not_sent"),
    [
        (("peer.join.success",), ["peer.join.success"], ["peer.join.failure", "peer.leave.success"]),
        (("peer.*",), ["peer.join.success", "peer.leave.failure"], ["session.open.success", "role.change.success"]),
        (("*.success",), ["peer.join.success", "hls.recording.success"], ["peer.join.failure", "recording.failed"]),
        (("recording.*",), ["recording.success", "recording.failed"], ["track.recording.success"]),
        (("*recording.*",), ["recording.success", "track.recording.started.success"], ["beam.failure"]),
        (("peer.*", "!*.failure"), ["peer.join.success"], ["peer.join.failure", "beam.failure"]),
        (("!peer.*",), ["session.open.success", "beam.failure"], ["peer.join.success"]),
        (("*",), ["session.open.success", "ingest.failure"], []),
    ],
)
def test_events_are_selected_by_name_and_pattern(events: tuple[str, ...], sent: list[str], not_sent: list[str]) -> None:
    endpoint = made(events=events)
    assert [name for name in sent if not endpoint.wants(event(name))] == []
    assert [name for name in not_sent if endpoint.wants(event(name))] == []


def test_an_endpoint_of_a_room_is_sent_this_rooms_events() -> None:
    endpoint = made(room_id=ROOM)
    assert endpoint.wants(event())
    assert endpoint.wants(event(hook=ROOM))
    assert not endpoint.wants(event(room=OTHER_ROOM))


def test_an_endpoint_of_a_template_is_sent_the_events_of_rooms_that_had_it() -> None:
    endpoint = made(template_id=TEMPLATE, events=["peer.*"])
    assert endpoint.wants(event())
    assert endpoint.wants(event(hook=ROOM))
    assert not endpoint.wants(event(template=OTHER_TEMPLATE))
    assert not endpoint.wants(event(template=""))
    assert not endpoint.wants(event("session.open.success"))


def test_the_workspaces_endpoints_are_not_sent_what_goes_to_a_rooms_own_webhook() -> None:
    assert not made().wants(event(hook=ROOM))
    assert not made(events=["peer.*"]).wants(event(hook=ROOM))


def test_an_endpoint_is_for_a_room_or_a_template() -> None:
    assert refused(room_id=ROOM, template_id=TEMPLATE)[0].startswith("room_id: an endpoint is for a room or for a")


def test_naming_the_one_lets_go_of_the_other() -> None:
    of_room = made(room_id=ROOM, events=["peer.*"])
    of_template = changed_endpoint(of_room, EndpointRequest(template_id=TEMPLATE), secrets.token_bytes, 8)
    assert of_template.selection == Selection(template_id=TEMPLATE, events=("peer.*",))
    back = changed_endpoint(of_template, EndpointRequest(room_id=ROOM), secrets.token_bytes, 9)
    assert back.selection == Selection(room_id=ROOM, events=("peer.*",))
    of_all = changed_endpoint(back, EndpointRequest(room_id="", events=()), secrets.token_bytes, 10)
    assert of_all.selection == Selection()


@pytest.mark.parametrize(
    ("events", "said"),
    [
        (["peer.jion.success"], "events[0]: unknown event type 'peer.jion.success' (did you mean peer.join.success or"),
        (["peer.*", "x"], "events[1]: unknown event type 'x'; there are session.open.success, session.close"),
        (["peer.*", "!pier.*"], "events[1]: unknown event type 'pier.*'"),
        ([""], "events[0]: must be the name of an event (peer.join.success) or a pattern with *"),
        (["Peer.*"], "events[0]: must be the name"),
        (["peer.[jl]*"], "events[0]: must be the name"),
        (["peer.?oin.success"], "events[0]: must be the name"),
        (["!!peer.*"], "events[0]: must be the name"),
        (["peer." + "*" * 60], "events[0]: must be the name"),
        (["!*"], "events: leaves out every event: to send none, disable the endpoint"),
        (["peer.*", "!*.success", "!*.failure"], "events: leaves out every event"),
        (["peer.*"] * (MAX_PATTERNS + 1), "events: must be at most 64 names and patterns"),
    ],
)
def test_a_wrong_list_of_events_is_refused_with_what_is_allowed(events: list[str], said: str) -> None:
    (detail,) = refused(events=events)
    assert detail.startswith(said)


@pytest.mark.parametrize("id_", ["x", "A" * 24, "a" * 23, "a" * 24 + "\n"])
def test_a_wrong_id_is_refused(id_: str) -> None:
    assert refused(room_id=id_) == ('room_id: must be 24 hexadecimal digits, or "" for none',)
    assert refused(template_id=id_) == ('template_id: must be 24 hexadecimal digits, or "" for none',)
