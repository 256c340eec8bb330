"""Addresses of the meeting page."""

from __future__ import annotations

import pytest

from callboard.meeting import has_devices, link


@pytest.mark.parametrize("base", ["https://rooms.example.org", "https://rooms.example.org/"])
def test_a_link_is_the_server_and_the_code(base: str) -> None:
    assert link(base, "abc-defg-hij") == "https://rooms.example.org/meeting/abc-defg-hij"


def test_a_code_cannot_leave_its_place_in_the_link() -> None:
    assert link("http://127.0.0.1:8080", "../x?y#z") == "http://127.0.0.1:8080/meeting/..%2Fx%3Fy%23z"


@pytest.mark.parametrize(
    "url",
    [
        "https://rooms.example.org",
        "http://localhost:8080",
        "http://cats.localhost",
        "http://127.0.0.1:8080",
        "http://[::1]:8080",
    ],
)
def test_browsers_give_devices_to_https_and_to_the_machine_itself(url: str) -> None:
    assert has_devices(url)


@pytest.mark.parametrize(
    "url", ["http://rooms.example.org", "http://10.0.0.7:8080", "http://localhost.example.org", "http://[fd00::1]"]
)
def test_browsers_give_no_devices_to_plain_http_elsewhere(url: str) -> None:
    assert not has_devices(url)
