"""What the unmodified client offers, feature by feature: what the *other* page and the backend saw of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.browser.seeing import fine, inbound, notified, other, own, plays

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, House, Page, Report

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]

SILENT: dict[str, bool] = {"audio": False, "video": False}


async def three(house: House, browser: Browser, **media: bool) -> tuple[Page, Page, Page]:
    """Ann, a host; Ben, a guest; Cas, a viewer: all in the room, each knowing of the others."""
    pages = await browser.open("Ann"), await browser.open("Ben"), await browser.open("Cas")
    for page, role in zip(pages, ("host", "guest", "viewer"), strict=True):
        await page.join(house, role, **(media or SILENT))
    for page in pages:
        await page.until(lambda r: len(r["peers"]) == 3 and r["peerCount"] == 3, "all three")
    return pages


def texts(report: Report) -> list[tuple[str, str]]:
    """Who said what."""
    return [(message["from"], message["text"]) for message in report["messages"]]


async def test_messages_reach_whom_they_are_for(house: House, browser: Browser) -> None:
    ann, ben, cas = await three(house, browser)
    await ann.act("sendBroadcastMessage", "to all")
    await ann.act("sendGroupMessage", "to guests", ["guest"])
    await ann.act("sendDirectMessage", "to Cas", await cas.id())
    await ben.act("sendBroadcastMessage", "the end", "custom")
    expected = {("Ann", "to all"), ("Ann", "to guests"), ("Ben", "the end")}
    report = await ben.until(lambda r: len(texts(r)) >= 3, "three messages")
    assert set(texts(report)) == expected
    assert sorted(message["roles"] for message in report["messages"]) == [[], [], ["guest"]]
    report = await cas.until(lambda r: len(texts(r)) >= 3, "three messages")
    assert texts(report) == [("Ann", "to all"), ("Ann", "to Cas"), ("Ben", "the end")]
    assert report["messages"][1]["to"] == await cas.id()
    assert report["messages"][2]["type"] == "custom"
    sent = await ann.until(lambda r: len(texts(r)) >= 4, "its own, and Ben's")
    assert len(texts(sent)) == 4, "each once"
    fine(browser, report, await ann.report(), await ben.report())


async def test_names_metadata_hands_and_the_session_store_are_seen_by_the_others(
    house: House, browser: Browser
) -> None:
    ann, ben, cas = await three(house, browser)
    await ben.act("changeName", "Benjamin")
    await ben.act("changeMetadata", '{"brb":true}')
    await ben.act("raiseLocalPeerHand")
    for page in (ann, cas):
        seen = await page.until(lambda r: other(r, "Benjamin").get("hand"), "Ben's hand")
        assert other(seen, "Benjamin")["metadata"] == '{"brb":true}'
    assert own(await ben.until(lambda r: own(r)["hand"], "its own hand"))["groups"] == ["_handraise"]
    found = await ann.call("pages", limit=5, group="_handraise")
    assert found == {"pages": [["Benjamin"]], "total": 1}
    await ann.act("lowerRemotePeerHand", await ben.id())
    await cas.until(lambda r: not other(r, "Benjamin")["hand"], "Ben's hand down")
    await ben.until(lambda r: not own(r)["hand"], "its own hand down")
    with pytest.raises(Exception, match="may not change the groups of others"):
        await ben.act("raiseRemotePeerHand", await cas.id())

    await ben.call("session", name="observe", args=[["spotlight", "notes"]])
    await ann.call("session", name="set", args=["spotlight", await cas.id()])
    await ben.until(lambda r: r["session"].get("spotlight"), "the spotlight")
    await cas.call("session", name="observe", args=["spotlight"])
    await cas.until(lambda r: r["session"].get("spotlight"), "what was set before it looked")
    await ann.call("session", name="set", args=["notes", {"page": 3}])
    await ben.until(lambda r: r["session"].get("notes") == {"page": 3}, "the notes")
    assert "notes" not in (await cas.report())["session"]
    fine(browser, await ann.report(), await ben.report(), await cas.report())


async def test_muting_others_one_many_by_role_and_asking_them_to_unmute(house: House, browser: Browser) -> None:
    ann, ben, cas = await three(house, browser, audio=True, video=False)
    seen = await ann.until(lambda r: other(r, "Ben").get("audioOn"), "Ben's microphone")
    ben_audio = other(seen, "Ben")["audio"]
    await ann.act("setRemoteTrackEnabled", ben_audio, False)
    await cas.until(lambda r: other(r, "Ben").get("audioOn") is False, "Ben muted by Ann")
    await ann.act("setRemoteTrackEnabled", ben_audio, True)
    report = await ben.until(lambda r: notified(r, "CHANGE_TRACK_STATE_REQUEST"), "asked to unmute")
    assert notified(report, "CHANGE_TRACK_STATE_REQUEST")[-1] == {"by": "Ann", "enabled": True}
    await ben.call("setAudio", on=True)
    await ann.until(lambda r: other(r, "Ben").get("audioOn"), "Ben unmuted by himself")

    await ann.act("setRemoteTracksEnabled", {"enabled": False, "roles": ["guest"], "type": "audio"})
    await cas.until(lambda r: other(r, "Ben").get("audioOn") is False, "guests muted")
    assert own(await ann.report())["audioOn"], "hosts are not"
    await ann.act("setRemoteTracksEnabled", {"enabled": True, "type": "audio"})
    report = await ben.until(lambda r: notified(r, "CHANGE_MULTI_TRACK_STATE_REQUEST"), "all asked to unmute")
    assert notified(report, "CHANGE_MULTI_TRACK_STATE_REQUEST")[-1] == {"by": "Ann", "enabled": True}
    with pytest.raises(Exception, match="may not mute others"):
        await ben.act("setRemoteTrackEnabled", own(await ann.report())["audio"], False)
    fine(browser, await ann.report(), await cas.report())


async def test_roles_are_asked_for_refused_in_bulk_and_by_the_backend(house: House, browser: Browser) -> None:
    ann, ben, cas = await three(house, browser)
    await ann.call("changeRole", peer=await cas.id(), role="guest", force=False)
    asked = await cas.until(lambda r: r["roleRequest"], "asked to take another role")
    assert asked["roleRequest"] == {"role": "guest", "by": "Ann"}
    await cas.call("acceptRole")
    await ben.until(lambda r: other(r, "Cas")["role"] == "guest", "Cas a guest")
    await house.reported("role.change.success", user_name="Cas", previous_role="viewer", role="guest")

    await ann.call("changeRole", peer=await ben.id(), role="viewer", force=False)
    await ben.until(lambda r: r["roleRequest"], "asked to take another role")
    await ben.call("rejectRole")

    await ann.act("changeRoleOfPeersWithRoles", ["guest"], "viewer")
    for name in ("Ben", "Cas"):
        await ann.until(lambda r, n=name: other(r, n)["role"] == "viewer", f"{name} a viewer")  # type: ignore[misc]
        await house.reported("role.change.success", user_name=name, previous_role="guest", role="viewer")

    with pytest.raises(Exception, match="may not change roles"):
        await cas.call("changeRole", peer=await cas.id(), role="host")
    room = house.stage.room_id
    await house.stage.rest.post(f"/v2/active-rooms/{room}/peers/{await cas.id()}", {"role": "host"})
    await ben.until(lambda r: other(r, "Cas")["role"] == "host", "Cas a host, by the backend")
    await cas.call("changeRole", peer=await ben.id(), role="guest")
    await house.reported("role.change.success", user_name="Ben", previous_role="viewer", role="guest")
    assert house.told("role.change.failure") == []


async def test_a_shared_screen_is_a_second_video_of_its_own(house: House, browser: Browser) -> None:
    ann, ben, _ = await three(house, browser)
    track = await ben.call("share")
    seen = await ann.until(lambda r: other(r, "Ben")["auxiliary"] == [track], "Ben's screen")
    await ann.until(
        lambda r: any(one["track"] == track and one["frames"] > 2 and one["width"] for one in r["inbound"]),
        "pictures of Ben's screen",
    )
    await ben.act("removeTrack", track)
    report = await ann.until(lambda r: other(r, "Ben")["auxiliary"] == [], "Ben's screen gone")
    fine(browser, seen, report, await ben.report())


async def test_a_quiz_is_asked_answered_and_scored(house: House, browser: Browser) -> None:
    ann, ben, cas = await three(house, browser)
    question = {
        "text": "How many acts?",
        "type": "single-choice",
        "weight": 10,
        "options": [{"text": "three", "isCorrectAnswer": False}, {"text": "five", "isCorrectAnswer": True}],
    }
    quiz: dict[str, Any] = {"id": "q1", "title": "Theatre", "type": "quiz", "questions": [question]}
    await ann.call("poll", name="startPoll", args=[quiz])
    asked = await ben.until(lambda r: r["polls"].get("q1", {}).get("questions"), "the quiz")
    assert asked["polls"]["q1"]["questions"][0]["text"] == "How many acts?"
    await ben.call("poll", name="addResponsesToPoll", args=["q1", [{"questionIndex": 1, "option": 2}]])
    await ann.call("poll", name="stopPoll", args=["q1"])
    for page in (ann, ben):
        await page.until(lambda r: r["polls"]["q1"]["state"] == "stopped", "the end of the quiz")
    board = await ann.call("poll", name="fetchLeaderboard", args=["q1", 0, 10])
    assert [(e["position"], e["score"], e["peer"]["username"]) for e in board["entries"]] == [(1, 10, "Ben")]
    with pytest.raises(Exception, match="may not"):
        await cas.call("poll", name="startPoll", args=[{**quiz, "id": "q2"}])
    assert "q1" not in (await cas.report())["polls"], "her role may not read polls"


async def test_who_previews_sees_how_many_are_in_and_joins_on_the_same_socket(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ben.preview(house, "guest")
    await ben.until(lambda r: r["peerCount"] == 0, "nobody in")
    await ann.join(house, "host", **SILENT)
    report = await ben.until(lambda r: r["peerCount"] == 1, "one in")
    assert report["room"] == "Preview"
    assert house.told("peer.join.success") == ["Ann"]
    await ben.join(house, "guest")
    await plays(ann, "Ben")
    await house.reported("peer.join.success", user_name="Ben")
    fine(browser, await ann.report(), await ben.report())


async def test_a_role_without_media_has_no_connections_until_it_gets_one_with(house: House, browser: Browser) -> None:
    ann, cas = await browser.open("Ann"), await browser.open("Cas")
    await ann.join(house, "host", audio=False)
    await cas.join(house, "audience")
    report = await cas.until(lambda r: r["peerCount"] == 2 and other(r, "Ann"), "Ann, whom it does not hear")
    assert report["inbound"] == report["channels"] == []
    await cas.act("sendBroadcastMessage", "bravo")
    await ann.until(lambda r: ("Cas", "bravo") in texts(r), "a message of somebody without media")
    await ann.call("changeRole", peer=await cas.id(), role="guest")
    fine(browser, await plays(cas, "Ann"))
    await house.reported("role.change.success", user_name="Cas", previous_role="audience", role="guest")


async def test_what_is_not_shown_is_not_sent(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ann.join(house, "host", audio=False)
    await ben.join(house, "viewer")
    await plays(ben, "Ann")
    await ben.call("hide")
    before, now = -1, inbound(await ben.report(), "video")
    while now >= before + 12:  # what was on its way, or is still sent until the server has read what is not shown
        before = now
        sent = sum(one["frames"] for one in (await ann.report())["outbound"])
        await ann.until(lambda r, n=sent + 20: sum(one["frames"] for one in r["outbound"]) > n, "Ann goes on sending")  # type: ignore[misc]
        now = inbound(await ben.report(), "video")
    await ben.call("unhide")
    fine(browser, await plays(ben, "Ann"), await ann.report())


async def test_who_speaks_is_shown_to_the_others(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ben.join(house, "viewer")
    await ann.join(house, "host", video=False)  # the fake microphone beeps
    seen = await ben.until(lambda r: other(r, "Ann").get("audio") in r["speakers"], "Ann speaking")
    await ann.call("setAudio", on=False)
    await ben.until(lambda r: not r["speakers"], "Ann silent")
    fine(browser, seen)


async def test_a_room_that_is_ended_with_a_lock_lets_nobody_in_again(house: House, browser: Browser) -> None:
    ann, ben, cas = await three(house, browser)
    await ann.call("endRoom", reason="curtain", lock=True)
    for page in (ben, cas):
        await page.until(lambda r: "ROOM_ENDED" in [one["type"] for one in r["notifications"]], "told of the end")
    await house.reported("room.end.success", reason="curtain")
    await house.reported("session.close.success")
    with pytest.raises(Exception, match="disabled"):
        await cas.join(house, "viewer", **SILENT)


async def test_in_a_large_room_the_others_are_found_page_by_page(house: House, browser: Browser) -> None:
    rest = house.stage.rest
    await rest.post(f"/v2/rooms/{house.stage.room_id}", {"large_room": True})
    pages = [await browser.open(name) for name in ("Ann", "Ben", "Cas")]
    for page, role in zip(pages, ("host", "viewer", "viewer"), strict=True):
        await page.join(house, role, audio=False)
    ann, ben, cas = pages
    report = await cas.until(lambda r: r["peerCount"] == 3 and other(r, "Ann"), "who publishes")
    assert report["large"]
    assert other(report, "Ben") == {}, "who only looks is not listed"
    assert await cas.call("pages", limit=2) == {"pages": [["Ann", "Ben"], ["Cas"]], "total": 3}
    found = await cas.act("findPeerByName", {"query": "ben"})
    assert [peer["name"] for peer in found["peers"]] == ["Ben"]
    await cas.act("sendDirectMessage", "psst", await ben.id())
    await ben.until(lambda r: ("Cas", "psst") in texts(r), "a message of somebody who is not listed")
    fine(browser, await plays(cas, "Ann"), await plays(ben, "Ann"), await ann.report())


async def test_what_this_server_does_not_do_is_refused_in_words(house: House, browser: Browser) -> None:
    ann = await browser.open("Ann")
    await ann.join(house, "host", **SILENT)
    with pytest.raises(Exception, match="not available on this server"):
        await ann.act("startHLSStreaming", {"variants": [{"meetingURL": "https://example.org"}]})
    assert await ann.call("whiteboard") is None, "the client itself does not ask for what is not enabled"
    assert (await ann.report())["room"] == "Connected"
