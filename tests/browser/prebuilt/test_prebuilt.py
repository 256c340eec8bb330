"""The meeting page in Chromium, from a room code through the preview into the room, by its own buttons.

What somebody sees is read from the page; what the backend was told, from its inbox. Nothing but this server is asked
for anything, and nothing is written to a console as an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from callboard.meeting import link

if TYPE_CHECKING:
    from tests.browser.prebuilt.conftest import Look, Meeting, People, Someone

    from callboard.testing.coturn import Coturn

pytestmark = [pytest.mark.browser, pytest.mark.media]


def tile(look: Look, name: str) -> dict[str, Any]:
    """The tile of somebody, {} if there is none."""
    return next((one for one in look["tiles"] if one["peer"] == name), {})


def played(look: Look, name: str) -> float:
    """How far the video of somebody has played (s); 0 before its first picture."""
    return max((one["time"] for one in look["videos"] if one["peer"] == name and one["width"]), default=0.0)


def screen_played(look: Look) -> float:
    """How far the shared screen has played (s): of the videos, the one that is nobody's tile."""
    return played(look, "")


async def watches(someone: Someone, name: str) -> None:
    """The video of `name` is there and advances."""
    before = await someone.sees(lambda look: played(look, name) > 0, f"video of {name}")
    await someone.sees(lambda look: played(look, name) > played(before, name) + 0.5, f"video of {name} advancing")


async def two_in(meeting: Meeting, people: People) -> tuple[Someone, Someone]:
    """Ann, the host, and Ben, a guest, in the room and watching each other."""
    ann = await people.open("Ann", meeting.url("host"))
    await ann.join()
    await meeting.reported("peer.join.success", user_name="Ann", role="host")
    ben = await people.open("Ben", meeting.url("guest"))
    await ben.join()
    await meeting.reported("peer.join.success", user_name="Ben", role="guest")
    await watches(ann, "Ben")
    await watches(ben, "Ann")
    return ann, ben


def at_home(meeting: Meeting, people: People) -> None:
    """No request went to another host, and no console has an error."""
    assert people.asked == {meeting.host}
    assert people.errors == []


async def test_two_people_come_by_code_and_see_each_other(meeting: Meeting, people: People) -> None:
    ann = await people.open("Ann", meeting.url("host"))
    await ann.sees(lambda look: "You are the first to join" in look["text"], "nobody there yet")
    await ann.screenshot("preview")
    await ann.join()
    await meeting.reported("peer.join.success", user_name="Ann", role="host")

    ben = await people.open("Ben", meeting.url("guest"))
    await ben.sees(lambda look: "1 other in the session" in look["text"], "somebody there")
    await ben.join()
    await watches(ann, "Ben")
    await watches(ben, "Ann")
    await ann.screenshot("room-of-two")
    assert "Start Recording" not in (await ann.look())["text"]  # nothing is offered that cannot work here

    await ben.click("leave_room_btn")
    await ben.click("leave_room")
    await meeting.reported("peer.leave.success", user_name="Ben", reason="client request")
    await ann.sees(lambda look: not tile(look, "Ben"), "Ben gone")
    await ben.sees(lambda look: "You left the" in look["text"], "that he has left")
    at_home(meeting, people)


async def test_chat_goes_both_ways(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ann.click("chat_btn")
    await ann.write("Who's there?")
    await ben.click("chat_btn")
    await ben.write("Nay, answer me.")
    for someone in (ann, ben):
        await someone.sees(
            lambda look: (
                any("Who's there?" in one for one in look["messages"])
                and any("Nay, answer me." in one for one in look["messages"])
            ),
            "both messages",
        )
    await ann.screenshot("chat")
    at_home(meeting, people)


async def test_muting_and_raising_a_hand_is_seen_by_the_other(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ben.click("audio_toggle_btn")
    await ann.sees(lambda look: tile(look, "Ben").get("muted"), "Ben muted")
    await ben.click("audio_toggle_btn")
    await ann.sees(lambda look: tile(look, "Ben").get("muted") is False, "Ben unmuted")
    await ben.click("video_toggle_btn")
    await ann.sees(lambda look: tile(look, "Ben").get("camera") is False, "Ben's camera off")
    await ben.click("video_toggle_btn")
    await watches(ann, "Ben")
    await ben.click("hand_raise_btn")
    await ann.sees(lambda look: tile(look, "Ben").get("hand"), "Ben's hand")
    await ann.screenshot("raised-hand")
    await ben.click("hand_raise_btn")
    await ann.sees(lambda look: tile(look, "Ben").get("hand") is False, "Ben's hand down")
    at_home(meeting, people)


async def test_a_code_that_does_not_exist_is_said_so(meeting: Meeting, people: People) -> None:
    eve = await people.open("Eve", link(meeting.server.base_url, "xxx-xxxx-xxx"))
    await eve.sees(lambda look: "Room code does not exist" in look["text"], "that there is no such code")
    await eve.screenshot("unknown-code")
    assert people.asked == {meeting.host}
    assert [error for error in people.errors if "Content Security Policy" in error] == []


async def test_a_screen_is_shared_by_its_button(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ann.click_on("[data-testid=footer] >> button >> nth=4")
    await ben.sees(lambda look: "screenshare_tile" in look["things"], "Ann's screen")
    before = await ben.sees(lambda look: screen_played(look) > 0, "a picture of it")
    await ben.sees(lambda look: screen_played(look) > screen_played(before) + 0.5, "the screen advancing")
    await ben.screenshot("screen-share")
    await ann.click("stop_screen_share_btn")
    await ben.sees(lambda look: "screenshare_tile" not in look["things"], "no screen any more")
    at_home(meeting, people)


async def test_a_host_mutes_changes_a_role_and_removes(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ann.click("participant_list")
    await ann.hover("[data-testid=role_accordion_btn_guest]")
    await ann.click_on("[data-testid=role_group_options] >> nth=-1")
    await ann.click_on("text=Mute Audio")
    await ann.sees(lambda look: tile(look, "Ben").get("muted"), "Ben muted")

    await ann.click("role_accordion_btn_guest")
    await ann.hover("[data-testid=participant_Ben]")
    await ann.click("participant_more_actions")
    await ann.click_on("text=Switch Role")
    await ann.click("change_button")
    await meeting.reported("role.change.success", user_name="Ben", previous_role="guest", role="host")
    await watches(ann, "Ben")

    await ann.click("role_accordion_btn_host")
    await ann.hover("[data-testid=participant_Ben]")
    await ann.click("participant_more_actions")
    await ann.click_on("text=Remove Participant")
    await meeting.reported("peer.leave.success", user_name="Ben", reason="peer kicked")
    await ben.sees(lambda look: "You left the room" in look["text"], "that he is out")
    await ann.sees(lambda look: not tile(look, "Ben"), "Ben gone")
    at_home(meeting, people)


async def test_ending_the_session_takes_everybody_out(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ann.click("leave_end_dropdown_trigger")
    await ann.click("end_room_btn")
    await ann.click_text("End Session")
    await meeting.reported("room.end.success")
    await meeting.reported("session.close.success")
    for someone in (ann, ben):
        await someone.sees(lambda look: "You left the room" in look["text"], "that it is over")
    at_home(meeting, people)


async def test_a_name_is_taken_from_the_link_and_the_preview_can_be_skipped(meeting: Meeting, people: People) -> None:
    ann = await people.open("Ann", meeting.url("host", "?name=Ann%20of%20Cleves"))
    await ann.click_text("Join Now")
    await meeting.reported("peer.join.success", user_name="Ann of Cleves", role="host")
    ben = await people.open("Ben", meeting.url("guest", "?name=Ben&skip_preview=true"))
    await meeting.reported("peer.join.success", user_name="Ben", role="guest")
    await watches(ben, "Ann of Cleves")
    at_home(meeting, people)


async def test_without_udp_media_goes_by_turn_with_credentials_of_the_server(
    meeting_by_turn: Meeting, people_without_udp: People, coturn: Coturn
) -> None:
    meeting, people = meeting_by_turn, people_without_udp
    await two_in(meeting, people)
    at_home(meeting, people)
    assert "ALLOCATE processed, success" in coturn.log.read_text(errors="replace")


async def test_who_left_by_mistake_comes_back(meeting: Meeting, people: People) -> None:
    ann, ben = await two_in(meeting, people)
    await ben.click("leave_room_btn")
    await ben.click("leave_room")
    await ann.sees(lambda look: not tile(look, "Ben"), "Ben gone")
    await ben.click("join_again_btn")
    await ben.join()
    await watches(ann, "Ben")
    await watches(ben, "Ann")
    at_home(meeting, people)


async def test_a_server_killed_in_mid_call_comes_back_and_the_client_reports_to_nobody_else(
    meeting: Meeting, people: People
) -> None:
    ann, ben = await two_in(meeting, people)
    await meeting.server.kill()
    for someone in (ann, ben):
        await someone.sees(lambda look: "You are offline for now" in look["text"], "the loss")
    await meeting.server.start()
    for someone in (ann, ben):
        await someone.sees(lambda look: "You are now connected" in look["text"], "being back")
    await watches(ann, "Ben")
    await watches(ben, "Ann")
    assert not meeting.stage.inbox.has("peer.leave.success")
    # The client tells its publisher of the loss (signal.md §8.2): the page's policy is what stops that.
    assert any("event.100ms.live" in error and "Content Security Policy" in error for error in people.errors)
    assert people.asked == {meeting.host}


async def test_the_links_that_serve_prints_lead_into_a_room(meeting: Meeting, people: People) -> None:
    printed = meeting.server.log_file.read_text()
    links = dict(re.findall(r"meet as (\w+) +(http\S+)", printed))
    assert list(links) == ["host", "guest"]
    ann = await people.open("Ann", links["host"])
    await ann.join()
    await meeting.reported("peer.join.success", user_name="Ann", role="host")
    at_home(meeting, people)


async def test_a_code_that_is_switched_off_is_said_so(meeting: Meeting, people: People) -> None:
    await meeting.stage.rest.post("/v2/room-codes/code", {"code": meeting.codes["guest"], "enabled": False})
    eve = await people.open("Eve", meeting.url("guest"))
    await eve.sees(lambda look: "This room is currently inactive" in look["text"], "that it is off")
