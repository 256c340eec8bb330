"""What tests ask of the report of a page.

Owns: reading reports. Always holds: nothing here changes a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.browser.conftest import Browser, Page, Report

ANALYTICS = "https://event.100ms.live"  # hard-coded in the client (signal.md §8.2)


def other(report: Report, name: str) -> dict[str, Any]:
    """The remote peer of this name, {} if there is none."""
    return next((peer for peer in report["peers"] if peer["name"] == name and not peer["local"]), {})


def own(report: Report) -> dict[str, Any]:
    """The page's own peer, {} if it has not joined."""
    return next((peer for peer in report["peers"] if peer["local"]), {})


def time_of(report: Report, name: str) -> float:
    """How far the video shown of this peer has played (s)."""
    return float((other(report, name).get("shown") or {}).get("currentTime", 0.0))


def inbound(report: Report, kind: str) -> int:
    """Frames (video) or packets (audio) received so far."""
    key = "frames" if kind == "video" else "packets"
    return sum(one[key] for one in report["inbound"] if one["kind"] == kind)


def notified(report: Report, kind: str) -> list[Any]:
    """What the application was told by the client's notifications of this type."""
    return [one["data"] for one in report["notifications"] if one["type"] == kind]


async def plays(page: Page, name: str) -> Report:
    """The page shows the peer's video, and it advances; `attachVideo` has resolved."""
    before = await page.until(lambda report: time_of(report, name) > 0, f"video of {name}")
    report = await page.until(
        lambda report: time_of(report, name) > time_of(before, name) + 0.5, f"video of {name} advancing"
    )
    assert other(report, name)["shown"]["attached"] == "resolved"
    assert other(report, name)["shown"]["width"] > 0
    return report


def fine(browser: Browser, *reports: Report) -> None:
    """No error in any page, and nobody but the client's analytics was asked for elsewhere."""
    assert [report["errors"] for report in reports] == [[] for _ in reports]
    assert browser.page_errors == []
    assert browser.blocked <= {ANALYTICS}
