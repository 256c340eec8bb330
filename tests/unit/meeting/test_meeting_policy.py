"""The headers of the meeting page."""

from __future__ import annotations

import pytest

from callboard.meeting.policy import asset_headers, content_security_policy, page_headers


def directives(websocket: str = "") -> dict[str, list[str]]:
    """The policy, by directive."""
    parts = (part.split() for part in content_security_policy(websocket).split(";"))
    return {name: sources for name, *sources in parts}


def test_the_page_reaches_nobody_but_this_server() -> None:
    policy = directives("wss://rooms.example.org:8443")
    ours = {"'self'", "'none'", "'unsafe-inline'", "blob:", "data:", "wss://rooms.example.org:8443"}
    assert {source for sources in policy.values() for source in sources} <= ours
    assert policy["default-src"] == ["'self'"]
    assert policy["connect-src"] == ["'self'", "wss://rooms.example.org:8443"]


def test_scripts_come_from_this_server_as_files_only() -> None:
    assert directives()["script-src"] == ["'self'"]


@pytest.mark.parametrize(
    "websocket", ["ws://localhost:8080", "wss://rooms.example.org", "ws://127.0.0.1:1", "wss://[fd00::2]:443"]
)
def test_the_websocket_is_allowed_by_name(websocket: str) -> None:
    assert directives(websocket)["connect-src"] == ["'self'", websocket]


@pytest.mark.parametrize(
    "host", ["evil.example; script-src *", "a b", "", "*", "host:port", "x\r\nset-cookie: a=b", "a/b", "user@host"]
)
def test_a_host_that_is_none_adds_nothing(host: str) -> None:
    assert directives(f"wss://{host}")["connect-src"] == ["'self'"]


def test_a_page_is_asked_for_anew_and_a_hashed_file_never() -> None:
    assert page_headers()["cache-control"] == "no-cache"
    assert "immutable" in asset_headers("meeting-4Z7HB3T7.js")["cache-control"]
    assert asset_headers("licences.txt")["cache-control"] == "no-cache"


def test_the_page_may_use_camera_microphone_and_screen_and_cannot_be_framed_elsewhere() -> None:
    headers = page_headers()
    for device in ("camera", "microphone", "display-capture"):
        assert f"{device}=(self)" in headers["permissions-policy"]
    assert "frame-ancestors 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
