"""Firefox and Chromium with each other, with the unmodified client: joining, media, what is said, coming back.

One pair here; every pair with `make browsers` (CALLBOARD_BROWSERS=all).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.browser.firefox import Firefox, firefox, program
from tests.browser.seeing import inbound, other, plays

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, House, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.media,
    pytest.mark.timeout(180),
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(program() is None, reason="needs Firefox"),
]

PAIRS = [("chromium", "firefox"), ("firefox", "chromium"), ("firefox", "firefox"), ("chromium", "chromium")]
CHOSEN = PAIRS if os.environ.get("CALLBOARD_BROWSERS") == "all" else PAIRS[:1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def foxes(bundle: None) -> AsyncIterator[Firefox]:
    async with firefox() as browser:
        yield browser


async def hears(page: Page, more: int = 25) -> None:
    """Sound arrives at the page."""
    before = inbound(await page.report(), "audio")
    await page.until(lambda r: inbound(r, "audio") > before + more, "sound")


@pytest.mark.parametrize(("first", "second"), CHOSEN)
async def test_two_browsers_see_hear_mute_talk_and_leave(
    house: House, browser: Browser, foxes: Firefox, first: str, second: str
) -> None:
    kinds: dict[str, Browser | Firefox] = {"chromium": browser, "firefox": foxes}
    ann, ben = await kinds[first].open("Ann"), await kinds[second].open("Ben")
    try:
        await ann.join(house, "host")
        await ben.join(house, "guest")
        for page, name in ((ann, "Ben"), (ben, "Ann")):
            report = await plays(page, name)
            assert all(one["state"] == "open" for one in report["channels"])
            await page.until(lambda r: any(one["sent"] and one["received"] for one in r["channels"]), "an answer")
            await hears(page)
        await ben.call("setAudio", on=False)
        await ann.until(lambda r: other(r, "Ben")["audioOn"] is False, "Ben muted")
        await ben.call("setVideo", on=False)
        await ann.until(lambda r: other(r, "Ben")["videoOn"] is False, "Ben's camera off")
        await ben.call("setAudio", on=True)
        await ben.call("setVideo", on=True)
        await ann.until(lambda r: other(r, "Ben")["audioOn"] and other(r, "Ben")["videoOn"], "Ben on again")
        await plays(ann, "Ben")
        await hears(ann)
        await ann.act("sendBroadcastMessage", "hello")
        await ben.until(lambda r: [one["text"] for one in r["messages"]] == ["hello"], "Ann's message")
        await ben.call("leave")
        await ann.until(lambda r: not other(r, "Ben"), "Ben gone")
        await house.reported("peer.leave.success", user_name="Ben", reason="client request")
        await ben.join(house, "guest")
        report = await plays(ben, "Ann")
        assert report["errors"] == []
        report = await plays(ann, "Ben")
        assert report["errors"] == []
        assert house.told("peer.join.success") == ["Ann", "Ben", "Ben"]
    finally:
        await foxes.clear()
