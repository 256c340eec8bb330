"""What a subscriber asks Janus for: sections and preferences."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.apiprotocol import Preference
from callboard.media.exchange import Exchange, NegotiationError
from callboard.media.feeds import culprits
from callboard.media.plan import plan
from callboard.media.preferences import Applied, Preferences, difference, settled, target
from callboard.media.room import MediaRoom, Published
from callboard.media.splice import MAX_MEDIA_SECTIONS
from callboard.media.videoroom import Change, Source

SOURCES = st.builds(Source, st.sampled_from("123456"), st.sampled_from("012"))


@settings(deadline=None)
@given(st.lists(SOURCES), st.dictionaries(st.integers(0, 9).map(str), SOURCES))
def test_a_plan_leads_to_what_is_wanted_and_then_there_is_none(
    wanted: list[Source], current: dict[str, Source]
) -> None:
    todo = plan(wanted, current)
    after = {mid: source for mid, source in current.items() if mid not in todo.remove}
    after |= {f"new{number}": source for number, source in enumerate(todo.add)}
    assert set(after.values()) == set(wanted)
    assert not plan(wanted, after)
    assert len(set(todo.add)) == len(todo.add)


def test_a_connection_holds_so_many_sections_and_no_more() -> None:
    wanted = [Source(str(number), "0") for number in range(MAX_MEDIA_SECTIONS + 10)]
    assert plan(wanted, {}).add == tuple(wanted[:MAX_MEDIA_SECTIONS])


def published(layers: int = 1, mid: str = "1", track_id: str = "T") -> Published:
    return Published(Source("4", mid), 99, "peer", "stream", track_id, "video", layers)


def test_a_fresh_section_needs_no_request_for_what_it_does_anyway() -> None:
    item = published()
    assert difference("0", None, target(item, Preference(True), frozenset({0}))) is None
    assert difference("0", None, target(item, Preference(False, "none"), frozenset({0}))) == Change("0", send=False)


def test_a_change_says_only_what_differs() -> None:
    before, after = Applied(Source("4", "1"), True, 2), Applied(Source("4", "1"), True, 0)
    assert difference("0", before, after) == Change("0", None, 0)
    assert difference("0", before, before) is None
    assert difference("0", Applied(Source("4", "1"), False), before) == Change("0", True, 2)


def test_a_section_that_carries_another_source_starts_anew() -> None:
    paused = Applied(Source("4", "1"), False)
    assert difference("0", paused, Applied(Source("5", "1"), True)) is None
    assert difference("0", paused, Applied(Source("5", "1"), False)) == Change("0", False)


def test_a_low_layer_that_is_not_there_is_looked_for_again() -> None:
    item, low = published(layers=3), Preference(True, "low")
    assert target(item, low, frozenset({1, 2})).substream == 1
    assert not settled(item, low, frozenset({1, 2}))
    assert not settled(item, low, frozenset())
    assert settled(item, low, frozenset({0}))
    assert settled(item, Preference(True, "high"), frozenset({0}))
    assert settled(published(), low, frozenset({0}))


def test_on_demand_a_video_is_not_wanted_before_it_is_asked_for() -> None:
    preferences = Preferences(on_demand=True)
    assert not preferences.of(("a", "T"), "video").send
    assert preferences.of(("a", "T"), "audio").send
    preferences.say(("a", "T"), Preference(True, "low"))
    assert preferences.of(("a", "T"), "video") == Preference(True, "low")


def test_preferences_last_while_a_track_is_wanted() -> None:
    preferences = Preferences()
    preferences.say(("a", "T"), Preference(False))
    preferences.keep([("a", "T"), ("b", "U")])
    assert preferences.of(("a", "T"), "video") == Preference(False)
    preferences.keep([("b", "U")])
    assert preferences.of(("a", "T"), "video") == Preference(True)


def test_the_feed_that_janus_names_is_the_one_left_out() -> None:
    sources = [Source("4", "0"), Source("44", "0")]
    assert culprits(sources, "No such feed (4)") == [Source("4", "0")]
    assert culprits(sources, "No such mid '0' in feed (44)") == [Source("44", "0")]
    assert culprits(sources, "something else") == sources


class Member:
    def __init__(self, *tracks: str) -> None:
        self.tracks = tracks
        self.woken = 0

    def published(self, track_id: str) -> Published | None:
        return published(track_id=track_id) if track_id in self.tracks else None

    def room_changed(self) -> None:
        self.woken += 1


def test_a_room_knows_who_publishes_what_and_wakes_the_others() -> None:
    room, anna, ben = MediaRoom("r", "r.1"), Member("T"), Member()
    room.enter("anna", anna)
    room.enter("ben", ben)
    assert room.find("anna", "T") is not None
    assert room.find("anna", "U") is None
    assert room.find("carl", "T") is None
    room.leave("anna", Member())
    assert "anna" in room
    room.leave("anna", anna)
    assert (room.find("anna", "T"), ben.woken) == (None, 1)
    room.leave("ben", ben)
    assert room.empty


# One offer at a time


async def test_an_offer_waits_for_its_answer_and_can_be_sent_again() -> None:
    sent: list[str] = []
    exchange = Exchange(sent.append, 5)
    exchange.answer("nobody waits for this")
    assert exchange.resend() is False
    waiting = asyncio.create_task(exchange.offer("offer"))
    await asyncio.sleep(0)
    assert exchange.resend() is True
    exchange.answer("answer")
    exchange.answer("a second one")
    assert await waiting == "answer"
    assert sent == ["offer", "offer"]


async def test_a_client_that_does_not_answer_is_given_up_on() -> None:
    exchange = Exchange(lambda _: None, 0.01)
    with pytest.raises(NegotiationError, match="did not answer"):
        await exchange.offer("offer")
    assert exchange.resend() is False
