"""The unmodified official client (hms-video-store) in Chromium, against a real server.

What it shows is read from the page; what the backend was told, from its inbox.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.browser.seeing import fine, inbound, other, plays

from callboard.demo.check import check

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, House

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]


async def test_two_pages_see_and_hear_each_other_and_the_backend_is_told(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ann.join(house, "host")
    await ben.join(house, "guest")
    reports = [await plays(ann, "Ben"), await plays(ben, "Ann")]
    fine(browser, *reports)
    for report in reports:
        assert inbound(report, "video") > 0
        assert inbound(report, "audio") > 0
        assert all(one["state"] == "open" for one in report["channels"])
    for page in (ann, ben):  # the client's request for video was answered on the API channel
        await page.until(
            lambda report: any(one["sent"] and one["received"] for one in report["channels"]),
            "an answer on the API channel",
        )

    await ben.call("leave")
    await ann.until(lambda report: not other(report, "Ben"), "Ben gone")
    await house.reported("peer.leave.success", user_name="Ben", reason="client request")
    await ann.call("leave")
    await house.reported("session.close.success")

    received = [delivered.event for delivered in house.inbox.first_arrivals]
    assert [(event.type, event.who) for event in received] == [
        ("session.open.success", ""),
        ("peer.join.success", "Ann"),
        ("peer.join.success", "Ben"),
        ("peer.leave.success", "Ben"),
        ("peer.leave.success", "Ann"),
        ("session.close.success", ""),
    ]
    committed, _ = await house.stage.rest.ledger(house.stage.room_id)
    assert check(received, [record.event for record in committed]) == []


async def test_muting_and_unmuting_reaches_the_other_page(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ann.join(house, "host")
    await ben.join(house, "guest", audio=False)
    await plays(ann, "Ben")
    await plays(ben, "Ann")
    await ann.until(lambda report: other(report, "Ben").get("audioOn") is False, "Ben joined muted")
    await ben.call("setAudio", on=True)
    await ann.until(lambda report: other(report, "Ben").get("audioOn"), "Ben unmuted")
    heard = await ann.report()
    await ann.until(
        lambda report: inbound(report, "audio") > inbound(heard, "audio") + 25, "Ben, who had joined muted, heard"
    )
    await ben.call("setVideo", on=False)
    await ann.until(lambda report: other(report, "Ben").get("videoOn") is False, "Ben's camera off")
    await ben.call("setVideo", on=True)
    await ann.until(lambda report: other(report, "Ben").get("videoOn"), "Ben's camera on")
    fine(browser, await plays(ann, "Ben"), await ben.report())


async def test_a_page_and_a_peer_of_ours_see_each_other_and_the_page_moderates(house: House, browser: Browser) -> None:
    ann = await browser.open("Ann")
    ben = house.stage.peer("Ben", "guest")
    await ann.join(house, "host")
    await ben.join()
    await ben.publish_audio_video()
    await plays(ann, "Ben")
    (ann_id,) = ben.roster.peers
    await ben.wait_for(
        lambda: ben.frames_from(ann_id) > 15 and ben.frames_from(ann_id, "audio") > 25, 30, "Ann's media"
    )

    await ann.call("changeRole", peer=ben.peer_id, role="viewer")
    await ben.wait_for(lambda: ben.role == "viewer" and not ben.published, 30, "a viewer without tracks")
    await ann.until(lambda report: other(report, "Ben").get("role") == "viewer", "Ben a viewer")
    await house.reported("role.change.success", user_name="Ben", previous_role="guest", role="viewer")

    await ann.call("removePeer", peer=ben.peer_id, reason="no whistling backstage")
    await ben.wait_for(lambda: ben.asked_to_leave, 30, "told to leave")
    assert ben.asked_to_leave is not None
    assert ben.asked_to_leave.reason == "no whistling backstage"
    report = await ann.until(lambda report: not other(report, "Ben"), "Ben gone")
    await house.reported("peer.leave.success", user_name="Ben", message="no whistling backstage")
    fine(browser, report)


async def test_a_page_whose_role_is_changed_and_which_is_removed_behaves(house: House, browser: Browser) -> None:
    ann = house.stage.peer("Ann", "host")
    ben = await browser.open("Ben")
    await ann.join()
    await ann.publish_audio_video()
    await ben.join(house, "guest")
    await plays(ben, "Ann")
    (ben_id,) = ann.roster.peers
    await ann.wait_for(lambda: ann.frames_from(ben_id) > 15, 30, "Ben's video")

    await ann.change_role(ben_id, "viewer")
    await ann.wait_for(lambda: not ann.roster[ben_id].tracks, 30, "Ben's tracks gone")
    report = await ben.until(
        lambda report: any(peer["local"] and peer["role"] == "viewer" for peer in report["peers"]),
        "a viewer",
    )
    fine(browser, report, await plays(ben, "Ann"))
    await ann.change_role(ben_id, "guest")
    await ann.wait_for(lambda: len(ann.roster[ben_id].tracks) == 2, 30, "Ben's tracks again")

    await ann.remove(ben_id, "the show begins")
    report = await ben.until(lambda report: report["room"] == "Disconnected", "out of the room")
    assert {"type": "REMOVED_FROM_ROOM", "data": {"reason": "the show begins", "roomEnded": False, "by": "Ann"}} in (
        report["notifications"]
    )
    await house.reported("peer.leave.success", user_name="Ben", reason="peer kicked", message="the show begins")


async def test_a_page_that_loses_its_network_for_a_moment_has_not_left(house: House, browser: Browser) -> None:
    ann = house.stage.peer("Ann", "host")
    ben = await browser.open("Ben")
    await ann.join()
    await ann.publish_audio_video()
    await ben.join(house, "guest")
    await plays(ben, "Ann")
    (ben_id,) = ann.roster.peers

    await ben.offline(True)
    await ben.until(lambda report: report["room"] == "Reconnecting", "the loss noticed")
    await ben.offline(False)
    await ben.until(lambda report: report["room"] == "Connected", "back in the room")
    fine(browser, await plays(ben, "Ann"))
    seen = ann.frames_from(ben_id)
    await ann.wait_for(lambda: ann.frames_from(ben_id) > seen + 15, 30, "Ben's video goes on")
    assert not house.inbox.has("peer.leave.success")


async def test_ending_the_room_tells_every_page(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ann.join(house, "host")
    await ben.join(house, "guest")
    await ann.until(lambda report: other(report, "Ben"), "Ben")
    await ann.call("endRoom", reason="curtain")
    # The one who ends the room is answered, and not told to go: it would drop its socket and ask thrice again.
    assert [line for line in browser.console("Ann") if "Failed sending end-room" in line] == []
    report = await ben.until(lambda report: report["room"] == "Disconnected", "out of the room")
    assert "ROOM_ENDED" in [one["type"] for one in report["notifications"]]
    await house.reported("room.end.success", reason="curtain")
    await house.reported("session.close.success")


async def test_a_role_that_nobody_may_have_is_refused_in_words(house: House, browser: Browser) -> None:
    eve = await browser.open("Eve")
    with pytest.raises(Exception, match="role not allowed"):
        await eve.join(house, "closed")
    await house.reported("peer.join.failure", user_name="Eve", error_message="role not allowed")
