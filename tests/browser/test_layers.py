"""Layers through the unmodified client: who chooses them, who takes them away, what the page is told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.browser.conftest import MEDIA_PORTS, opened_house, started_backend
from tests.browser.seeing import fine, inbound, notified, other, plays

from callboard.testing.badlink import BadLink, usable

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, House, Page, Report

pytestmark = [pytest.mark.browser, pytest.mark.media, pytest.mark.asyncio(loop_scope="session")]


def width_of(report: Report, name: str) -> int:
    """How wide the pictures are that arrive of this peer now."""
    track = other(report, name).get("video")
    return max((one["width"] for one in report["inbound"] if one["track"] == track), default=0)


async def prefers(page: Page, name: str, layer: str) -> None:
    """The application wants a peer's video in this layer. (`high` comes first in the client's mind: it does not say so
    before something else was wanted.)"""
    await page.act("setPreferredLayer", other(await page.report(), name)["video"], layer)


async def test_simulcast_is_sent_in_three_layers_and_each_receiver_chooses_its_own(
    house: House, browser: Browser
) -> None:
    ann, ben, cas = await browser.open("Ann"), await browser.open("Ben"), await browser.open("Cas")
    await ben.join(house, "guest", video=False)
    await cas.join(house, "viewer")
    await ann.join(house, "star")
    sent = await ann.until(lambda r: {one["rid"] for one in r["outbound"] if one["frames"] > 5} == {*"fhq"}, "3 layers")
    assert {one["rid"]: one["width"] for one in sent["outbound"]} == {"f": 960, "h": 480, "q": 240}
    report = await plays(ben, "Ann")
    assert [one["layer"] for one in other(report, "Ann")["layers"]] == ["high", "medium", "low"]
    await plays(cas, "Ann")
    for layer, width in (("medium", 480), ("high", 960), ("low", 240)):
        await prefers(ben, "Ann", layer)
        await ben.until(lambda r, w=width: width_of(r, "Ann") == w, f"pictures {width} wide")  # type: ignore[misc]
    await prefers(cas, "Ann", "medium")
    await cas.until(lambda r: width_of(r, "Ann") == 480, "the other receiver's own layer")
    assert width_of(await ben.report(), "Ann") == 240
    fine(browser, await ann.report(), await plays(ben, "Ann"), await plays(cas, "Ann"))


async def test_a_bigger_element_gets_a_higher_layer_by_itself(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ben.join(house, "guest", video=False)
    await ann.join(house, "star")
    await plays(ben, "Ann")
    await ben.until(lambda r: width_of(r, "Ann") == 240, "the layer of a small element")
    await ben.call("size", width=960, height=540)
    await ben.until(lambda r: width_of(r, "Ann") == 960, "the layer of a big element")
    fine(browser, await ann.report(), await ben.report())


@pytest.mark.skipif(bool(usable()), reason=usable())
async def test_who_has_a_bad_link_is_sent_less_is_told_and_gets_it_back(house: House, browser: Browser) -> None:
    ann, ben = await browser.open("Ann"), await browser.open("Ben")
    await ben.join(house, "guest", video=False)
    await ann.join(house, "guest")
    await plays(ben, "Ann")
    with BadLink(MEDIA_PORTS) as link:
        link.lose(70)
        report = await ben.until(lambda r: other(r, "Ann")["degraded"], "the picture taken away", 40)
        assert {"track": other(report, "Ann")["video"]} in notified(report, "TRACK_DEGRADED")
        await ann.until(lambda r: other(r, "Ben").get("quality") in (0, 1), "shown Ben's bad connection")
        link.mend()
        report = await ben.until(lambda r: not other(r, "Ann")["degraded"], "the picture given back", 40)
        assert {"track": other(report, "Ann")["video"]} in notified(report, "TRACK_RESTORED")
    fine(browser, await plays(ben, "Ann"))
    assert not house.inbox.has("peer.leave.success")


async def test_on_demand_a_page_is_offered_a_video_only_while_it_shows_it(tmp_path: Path, browser: Browser) -> None:
    settings = {"CALLBOARD_ROOMS__ON_DEMAND_TRACKS": "true"}
    async with started_backend(tmp_path, settings) as backend, opened_house(backend, endpoint=True) as house:
        ann, ben = await browser.open("Ann"), await browser.open("Ben")
        await ann.join(house, "guest", audio=False)
        await ben.join(house, "viewer")
        report = await ben.until(lambda r: width_of(r, "Ann") > 0 or inbound(r, "video") > 5, "Ann's video")
        assert report["room"] == "Connected"
        await ben.call("hide")
        await ben.until(lambda r: not any(one["kind"] == "video" for one in r["inbound"]), "no section for it")
        assert other(await ben.report(), "Ann")["videoOn"], "it is still there to be shown"
        await ben.call("unhide")
        await ben.until(lambda r: inbound(r, "video") > 5, "Ann's video again")
        fine(browser, await ann.report(), await ben.report())
