"""What goes wrong in the middle of a call of unmodified clients: the call goes on, the ledger is true."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import GRACE_SECONDS, MEDIA_PORTS
from tests.browser.seeing import other, plays, time_of

from callboard.testing.badlink import BadLink, usable

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, House, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.media,
    pytest.mark.faults,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
]


async def call(house: House, browser: Browser) -> tuple[Page, Page]:
    """Ann and Ben, who see each other."""
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ann.join(house, "host")
    await ben.join(house, "guest")
    await plays(ann, "Ben")
    await plays(ben, "Ann")
    return ann, ben


async def plays_again(page: Page, name: str, deadline: float = 60.0) -> None:
    """The page goes on showing the peer's video, from where it was."""
    start = time_of(await page.report(), name)
    seen = await page.until(
        lambda r: r["room"] == "Connected" and time_of(r, name) not in (0.0, start), f"{name} goes on", deadline
    )
    at = time_of(seen, name)
    await page.until(lambda r: time_of(r, name) > at + 1.0, f"{name} goes on and on", deadline)


async def nobody_left(house: House, *names: str) -> None:
    """Each came once, nobody went, and what was delivered is what the ledger has."""
    assert sorted(house.told("peer.join.success")) == sorted(names)
    assert house.told("peer.leave.success") == []
    committed, _ = await house.stage.rest.ledger(house.stage.room_id)
    expected = [one.event.id for one in committed]
    await house.inbox.until(lambda: len(house.inbox.first_arrivals) >= len(expected), 20, "all that is in the ledger")
    assert [one.event.id for one in house.inbox.first_arrivals] == expected, "all of them, in order"


def janus_of(server: int) -> int:
    """The process id of a server's Janus."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                status, name = (folder / "stat").read_text(), (folder / "comm").read_text().strip()
            except OSError:
                continue
            if name == "janus" and int(status.rpartition(")")[2].split()[1]) == server:
                return int(folder.name)
    raise AssertionError(f"server {server} has no janus")


@pytest.mark.skipif(bool(usable()), reason=usable())
async def test_media_that_are_cut_off_for_a_while_come_back_and_nobody_has_left(house: House, browser: Browser) -> None:
    ann, ben = await call(house, browser)
    with BadLink(MEDIA_PORTS) as link:
        link.cut()
        await ben.until(lambda r: r["room"] == "Reconnecting", "the loss noticed", 40)
        link.mend()
    await plays_again(ben, "Ann")
    await plays_again(ann, "Ben")
    await nobody_left(house, "Ann", "Ben")


async def test_janus_is_killed_and_the_call_goes_on(own_house: House, browser: Browser) -> None:
    ann, ben = await call(own_house, browser)
    os.kill(janus_of(own_house.server.pid), signal.SIGKILL)
    await plays_again(ben, "Ann")
    await plays_again(ann, "Ben")
    await nobody_left(own_house, "Ann", "Ben")


async def test_the_server_is_killed_and_started_again_and_the_call_goes_on(own_house: House, browser: Browser) -> None:
    ann, ben = await call(own_house, browser)
    await ann.call("session", name="observe", args=["spotlight"])
    await own_house.server.kill()
    await ben.until(lambda r: r["room"] == "Reconnecting", "the loss noticed")
    await own_house.server.start()
    for page, name in ((ben, "Ann"), (ann, "Ben")):
        await page.until(lambda r: r["room"] == "Connected", "back in the room", 60)
        await plays_again(page, name)
    await ben.act("sendBroadcastMessage", "still here")
    await ann.until(lambda r: r["messages"], "a message after the restart")
    await nobody_left(own_house, "Ann", "Ben")


async def test_a_page_that_crashes_is_given_up_and_its_user_may_come_again(house: House, browser: Browser) -> None:
    ann, ben = await call(house, browser)
    await ben.crash()
    await ann.until(lambda r: not other(r, "Ben"), "Ben given up", GRACE_SECONDS + 30)
    await house.reported("peer.leave.success", user_name="Ben")
    assert house.told("peer.leave.success") == ["Ben"]
    again = await browser.open("Ben again")
    await again.join(house, "guest")
    await plays(again, "Ann")
    await plays(ann, "Ben again")
    assert house.told("peer.join.success") == ["Ann", "Ben", "Ben again"]
