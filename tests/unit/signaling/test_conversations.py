"""What clients say and hear, and what the ledger says of it: real rooms, ledger and SQLite, sockets in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.testing.house import House, Phone, Refused, open_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


@pytest.fixture
async def impatient(tmp_path: Path) -> AsyncIterator[House]:
    """A house that waits for a lost peer for a moment only."""
    async with open_house(tmp_path, grace=0.2) as house:
        yield house


async def refused(phone: Phone, method: str, **params: object) -> int:
    """The code that a call is refused with."""
    with pytest.raises(Refused) as problem:
        await phone.call(method, **params)
    return problem.value.code


async def test_the_first_thing_a_client_hears_is_its_policy(house: House) -> None:
    phone = house.dial("a", "host")
    policy = await phone.hear("on-policy-change")
    assert phone.heard[0] is policy
    assert policy["params"]["name"] == "host"
    assert set(policy["params"]["known_roles"]) == {"host", "guest", "listener", "speaker", "nobody"}


async def test_no_client_is_offered_what_this_server_cannot_do(house: House) -> None:
    roles = (await house.dial("a", "host").hear("on-policy-change"))["params"]["known_roles"].values()
    for permission in ("browserRecording", "rtmpStreaming", "hlsStreaming"):
        assert [role["permissions"][permission] for role in roles] == [False] * len(roles)
    assert any(role["permissions"]["endRoom"] for role in roles)


async def test_the_first_join_opens_the_session_and_the_last_leave_closes_it(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    a.notify("leave", client_reason="user request")
    await house.happened("peer.leave.success", "a")
    b.notify("leave")
    closed = await house.happened("session.close.success")
    assert [kind for kind, _ in house.events()] == [
        "session.open.success",
        "peer.join.success",
        "peer.join.success",
        "peer.leave.success",
        "peer.leave.success",
        "session.close.success",
    ]
    assert closed["session_id"] == house.recorded[0].session_id
    assert [one.seq for one in house.recorded] == [1, 2, 3, 4, 5, 6]


async def test_a_preview_is_not_a_join_and_shows_how_many_are_in(house: House) -> None:
    await house.join("a")
    phone = house.dial("b")
    state = await phone.hear("room-state")
    assert state["params"]["peer_count"] == 1
    await phone.hang_up()
    assert [who for kind, who in house.events() if kind.startswith("peer.")] == ["a"]


async def test_others_are_told_of_a_join_and_of_a_leave_but_never_about_themselves(house: House) -> None:
    a = await house.join("a")
    b = await house.join("b")
    joined = await a.hear("on-peer-join")
    assert joined["params"]["peer_id"] == "b"
    assert joined["params"]["realtime"] is True
    listed = await b.hear("peer-list")
    assert list(listed["params"]["peers"]) == ["a"]
    b.notify("leave")
    left = await a.hear("on-peer-leave")
    assert left["params"]["peer_id"] == "b"
    assert "on-peer-join" not in b.methods()


async def test_a_role_with_no_place_left_cannot_be_joined_and_the_failure_is_reported(house: House) -> None:
    await house.join("a", "speaker")
    phone = house.dial("b", "speaker")
    assert await refused(phone, "join", name="Bob") == 403
    failure = await house.happened("peer.join.failure", "b")
    assert (failure["error_message"], failure["role"], failure["user_name"]) == ("role not allowed", "speaker", "Bob")
    assert failure["joined_at"] == "0001-01-01T00:00:00Z"


async def test_a_role_that_nobody_may_have_cannot_be_joined(house: House) -> None:
    assert await refused(house.dial("a", "nobody"), "join", name="A") == 403
    await house.happened("peer.join.failure", "a")
    assert "session.open.success" not in dict(house.events())


async def test_a_role_that_the_template_does_not_have_is_told_at_once_and_for_good(house: House) -> None:
    phone = house.dial("a", "president")
    told = await phone.hear("on-error")
    assert told["params"]["code"] == 403
    failure = await house.happened("peer.join.failure", "a")
    assert failure["error_message"] == "role not allowed"


async def test_a_second_join_with_the_id_of_somebody_who_is_connected_is_a_duplicate(house: House) -> None:
    first = await house.join("a")
    second = house.dial("a")
    assert await refused(second, "join", name="again") == 409
    failure = await house.happened("peer.join.failure", "a")
    assert failure["error_message"] == "duplicate peer id"
    assert await first.call("get-peer", peer_id="a"), "the first one is still in"


async def test_the_peer_id_of_another_user_cannot_be_taken_over(house: House) -> None:
    await house.join("a")
    thief = house.dial("a", user="somebody else")
    assert (await thief.hear("on-error"))["params"]["code"] == 409
    assert (await house.happened("peer.join.failure", "a"))["user_id"] == "somebody else"


async def test_a_client_that_comes_back_on_another_socket_has_not_left(house: House) -> None:
    b = await house.join("b")
    a, c = await house.join("a"), await house.join("c")
    for phone in (a, c):
        await phone.hang_up()
    again = house.dial("a")
    await again.hear("peer-list")
    house.later(31.0)  # the grace time is 30 s: who has not come back is gone by now
    await house.happened("peer.leave.success", "c")
    assert await again.call("get-peer", peer_id="b")
    assert ("peer.leave.success", "a") not in house.events()
    assert [one["params"]["peer_id"] for one in b.heard if one.get("method") == "on-peer-leave"] == ["c"]


async def test_a_client_that_changed_networks_takes_its_place_before_the_old_socket_is_known_to_be_dead(
    house: House,
) -> None:
    old = await house.join("a")
    new = house.dial("a")
    await new.hear("on-policy-change")
    new.notify("track-update", tracks={})
    await new.hear("peer-list")
    await old.hear(lambda _: True)
    async with asyncio.timeout(60):
        while old.closed is None:
            await asyncio.sleep(0.01)
    assert await new.call("get-peer", peer_id="a")
    assert ("peer.leave.success", "a") not in house.events()


async def test_a_lost_socket_ends_in_websocket_closed_after_the_grace_time(impatient: House) -> None:
    await impatient.join("b")
    a = await impatient.join("a")
    await a.hang_up()
    left = await impatient.happened("peer.leave.success", "a")
    assert left["reason"] == "websocket closed"


async def test_what_was_said_before_hanging_up_is_still_heard(impatient: House) -> None:
    a = await impatient.join("a")
    a.notify("leave")
    await a.hang_up()
    left = await impatient.happened("peer.leave.success", "a")
    assert left["reason"] == "client request"


async def test_after_a_crash_who_comes_back_has_not_left_and_who_does_not_was_removed_by_the_server(
    tmp_path: Path,
) -> None:
    async with open_house(tmp_path) as house:
        await house.join("a")
        await house.join("b")
        await house.crash_and_restart()
        back = house.dial("a")
        await back.hear("peer-list")
        house.later(31.0)
        left = await house.happened("peer.leave.success", "b")
        assert left["reason"] == "server removed peer"
        assert ("peer.leave.success", "a") not in house.events()
        back.notify("leave")
        await house.happened("session.close.success")
        kinds = [kind for kind, _ in house.events()]
        assert kinds.count("session.open.success") == 1
        assert kinds[-1] == "session.close.success"
        assert [one.seq for one in house.recorded] == list(range(1, len(kinds) + 1))


async def test_a_peer_is_removed_with_a_message_by_one_who_may(house: House) -> None:
    host, guest = await house.join("h", "host"), await house.join("g")
    await host.call("peer-leave-request", requested_for="g", reason="be nice")
    told = await guest.hear("on-peer-leave-request")
    assert told["params"] == {"requested_by": "h", "reason": "be nice", "room_end": False}
    left = await house.happened("peer.leave.success", "g")
    assert (left["reason"], left["message"]) == ("peer kicked", "be nice")


async def test_a_peer_without_the_permission_removes_nobody(house: House) -> None:
    await house.join("h", "host")
    guest = await house.join("g")
    assert await refused(guest, "peer-leave-request", requested_for="h", reason="") == 403
    assert ("peer.leave.success", "h") not in house.events()


async def test_leaving_after_having_been_removed_is_a_leave_failure(house: House) -> None:
    host, guest = await house.join("h", "host"), await house.join("g")
    await host.call("peer-leave-request", requested_for="g", reason="")
    await guest.hear("on-peer-leave-request")
    guest.notify("leave")
    failure = await house.happened("peer.leave.failure", "g")
    assert failure["error_message"] == "Peer not joined"


async def test_leaving_without_ever_having_joined_is_a_leave_failure(house: House) -> None:
    house.dial("a").notify("leave")
    failure = await house.happened("peer.leave.failure", "a")
    assert failure["duration"] == 0


async def test_ending_the_room_removes_everybody_then_closes_the_session(house: House) -> None:
    host, guest = await house.join("h", "host"), await house.join("g")
    await host.call("end-room", lock=False, reason="done")
    told = await guest.hear("on-peer-leave-request")
    assert told["params"]["room_end"] is True
    kinds = [kind for kind, _ in house.events()]
    assert kinds[-4:] == ["room.end.success", "peer.leave.success", "peer.leave.success", "session.close.success"]
    ended = await house.happened("room.end.success")
    assert (ended["source"], ended["peer_id"], ended["lock_room"]) == ("peer", "h", False)
    assert "on-peer-leave-request" not in host.methods(), "who ends the room is answered, and goes by itself"
    host.notify("leave")
    await host.hang_up()
    assert "peer.leave.failure" not in dict(house.events())


async def test_a_room_that_is_ended_and_locked_lets_nobody_in_any_more(house: House) -> None:
    host = await house.join("h", "host")
    await host.call("end-room", lock=True, reason="closed")
    assert (await house.happened("room.end.success"))["lock_room"] is True
    assert (await house.store.room(house.room.id)).enabled is False
    assert await refused(house.dial("g"), "join", name="late") == 410


async def test_a_peer_without_the_permission_cannot_end_the_room_and_that_is_reported(house: House) -> None:
    guest = await house.join("g")
    assert await refused(guest, "end-room", lock=False, reason="") == 403
    failure = await house.happened("room.end.failure")
    assert (failure["error_code"], failure["error_message"]) == (403, "permission denied")


async def test_ending_a_room_in_which_nobody_is_reports_session_not_found(house: House) -> None:
    phone = house.dial("a", "host")
    assert await refused(phone, "end-room", lock=False, reason="") == 404
    failure = await house.happened("room.end.failure")
    assert (failure["error_code"], failure["error_message"]) == (404, "session not found")
    assert house.recorded[-1].stream == house.room.id


async def test_a_forced_role_change_reaches_the_peer_as_policy_and_the_others_as_an_update(house: House) -> None:
    host, guest = await house.join("h", "host"), await house.join("g")
    await host.call("role-change-request", requested_for="g", role="speaker", force=True)
    policy = await guest.hear(lambda f: f.get("method") == "on-policy-change" and f["params"]["name"] == "speaker")
    assert policy
    told = await host.hear("on-peer-update")
    assert told["params"]["role"] == "speaker"
    assert "on-peer-update" not in guest.methods()
    changed = await house.happened("role.change.success", "g")
    assert (changed["previous_role"], changed["role"], changed["role_change_requested_by"]) == (
        "guest",
        "speaker",
        "h",
    )


async def test_a_role_change_that_was_asked_for_happens_when_the_peer_agrees(house: House) -> None:
    host, guest = await house.join("h", "host"), await house.join("g")
    await host.call("role-change-request", requested_for="g", role="speaker", force=False)
    asked = (await guest.hear("on-role-change-request"))["params"]
    assert "role.change.success" not in dict(house.events())
    assert await refused(guest, "role-change", role="host", token=asked["token"]) == 404
    await host.call("role-change-request", requested_for="g", role="speaker", force=False)
    asked = (await guest.hear(lambda f: f.get("method") == "on-role-change-request" and f["params"] != asked))["params"]
    await guest.call("role-change", role="speaker", token=asked["token"], requested_by="h")
    assert (await house.happened("role.change.success", "g"))["role"] == "speaker"


async def test_a_role_change_into_a_full_role_is_reported_as_a_failure(house: House) -> None:
    host = await house.join("h", "host")
    await house.join("s", "speaker")
    await house.join("g")
    assert await refused(host, "role-change-request", requested_for="g", role="speaker", force=True) == 409
    failure = await house.happened("role.change.failure", "g")
    assert (failure["error_message"], failure["role"]) == ("role limit reached", "speaker")


async def test_an_unknown_role_or_peer_changes_nothing(house: House) -> None:
    host = await house.join("h", "host")
    assert await refused(host, "role-change-request", requested_for="h", role="president", force=True) == 404
    assert await refused(host, "role-change-request", requested_for="x", role="guest", force=True) == 404
    assert "role.change.failure" not in dict(house.events())


async def test_a_message_reaches_everybody_but_its_sender_and_a_private_one_only_its_receiver(house: House) -> None:
    a, b, c = await house.join("a"), await house.join("b", "host"), await house.join("c")
    answer = await a.call("broadcast", info={"message": "hello", "type": "chat"})
    assert answer["message_id"]
    for phone in (b, c):
        assert (await phone.hear("on-broadcast"))["params"]["info"]["message"] == "hello"
    await a.call("broadcast", info={"message": "psst"}, peer_id="b")
    private = await b.hear(lambda f: f.get("method") == "on-broadcast" and f["params"]["private"])
    assert private["params"]["info"]["message"] == "psst"
    await a.call("broadcast", info={"message": "hosts"}, roles=["host"])
    await b.hear(lambda f: f.get("method") == "on-broadcast" and f["params"]["info"]["message"] == "hosts")
    assert [f["params"]["info"]["message"] for f in c.heard if f.get("method") == "on-broadcast"] == ["hello"]
    assert "on-broadcast" not in a.methods()


async def test_a_raised_hand_is_seen_by_everybody_the_peer_included(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    assert await a.call("group-join", name="_handraise") == {"groups": ["_handraise"]}
    for phone in (a, b):
        assert (await phone.hear("on-peer-update"))["params"]["groups"] == ["_handraise"]


async def test_the_session_store_is_told_to_whoever_listens_also_after_coming_back(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    await a.call("set-metadata", key="pinned", data={"n": 1})
    await b.call("listen-metadata-change", keys=["pinned"])
    first = await b.hear("on-metadata-change")
    assert first["params"]["values"][0]["data"] == {"n": 1}
    await b.hang_up()
    await a.call("set-metadata", key="pinned", data={"n": 2})
    again = house.dial("b")
    missed = await again.hear("on-metadata-change")
    assert missed["params"]["values"][0]["data"] == {"n": 2}
    assert await refused(a, "set-metadata", key="big", data="x" * 2000) == 400


async def test_a_broken_frame_an_unknown_method_and_a_wrong_parameter_harm_nobody(house: House) -> None:
    a = await house.join("a")
    counters = house.signaling.service.counters
    for text in ("", "nonsense", "[]", "{}", '{"method": 7}', "\0binary", '{"method":"x","params":' + "[" * 5000):
        a.say(text)
    a.say('{"method":"broadcast","params":{"info":{"message":"' + "x" * 300_000 + '"}},"id":"big"}')
    assert await refused(a, "no-such-method") == 404
    assert await refused(a, "broadcast", info={"message": 7}) == 400
    assert await refused(a, "broadcast", info={"message": "x" * 5000}) == 400
    assert await refused(a, "get-peer") == 400
    a.notify("no-such-notification")
    assert await a.call("get-peer", peer_id="a")
    assert counters.bad_frames == 8
    assert counters.unknown_methods == 2


async def test_every_call_of_somebody_who_has_not_joined_is_answered(house: House) -> None:
    phone = house.dial("a")
    calls: dict[str, dict[str, object]] = {
        "offer": {"desc": {"sdp": "v=0"}, "tracks": {}},
        "peer-update": {"name": "x"},
        "broadcast": {"info": {"message": "x"}},
        "set-metadata": {"key": "k", "data": 1},
        "group-join": {"name": "g"},
        "role-change-request": {"requested_for": "a", "role": "host", "force": True},
        "peer-leave-request": {"requested_for": "a", "reason": ""},
    }
    for method, params in calls.items():
        assert await refused(phone, method, **params) in {404, 410}, method


async def test_a_client_that_does_not_read_is_cut_off_and_nobody_waits_for_it(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    b.reading.clear()
    for n in range(3000):
        await a.call("broadcast", info={"message": str(n)})
    b.reading.set()
    async with asyncio.timeout(60):
        while b.closed is None:
            await asyncio.sleep(0.01)
    assert b.closed[0] == 1013
    assert house.signaling.service.counters.cut_off == 1


async def test_a_ping_is_answered_with_its_timestamp(house: House) -> None:
    assert await house.dial("a").call("ping", timestamp=12345) == {"timestamp": 12345}


async def test_an_updated_name_is_told_and_stored(house: House) -> None:
    a, b = await house.join("a"), await house.join("b")
    await a.call("peer-update", name="Anne", data='{"x":1}')
    told = await b.hear("on-peer-update")
    assert told["params"]["info"]["name"] == "Anne"
    a.notify("leave")
    left = await house.happened("peer.leave.success", "a")
    assert (left["user_name"], left["user_data"]) == ("Anne", '{"x":1}')
