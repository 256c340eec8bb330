"""Candidates from clients."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.candidates import IceCandidate, parse_candidate

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 192.168.1.4 rport 46154 "
    "generation 0 ufrag EsAw network-cost 999"
)


def test_a_browsers_candidate_is_taken_without_its_private_address() -> None:
    candidate = parse_candidate(CHROMIUM)
    assert candidate == IceCandidate("842163049", 1677729535, "203.0.113.7", 46154, "srflx")
    assert candidate.render() == (
        "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 9"
    )


def test_an_attribute_of_sdp_is_taken_as_well() -> None:
    candidate = parse_candidate("1 1 UDP 2122252543 2001:db8::1 40000 typ host")
    assert candidate == IceCandidate("1", 2122252543, "2001:db8::1", 40000, "host")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:1 2 udp 1 203.0.113.7 5000 typ host",
        "candidate:1 1 tcp 1 203.0.113.7 9 typ host tcptype active",
        "candidate:1 1 udp 1 4f3a2c1d-aaaa-bbbb-cccc-123456789abc.local 5000 typ host",
        "candidate:1 1 udp 1 127.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 ::1 5000 typ host",
        "candidate:1 1 udp 1 ::ffff:127.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 fe80::1 5000 typ host",
        "candidate:1 1 udp 1 224.0.0.1 5000 typ host",
        "candidate:1 1 udp 1 0.0.0.0 5000 typ host",
        "candidate:1 1 udp 1 203.0.113.7 0 typ host",
        "candidate:1 1 udp 1 203.0.113.7 70000 typ host",
        "candidate:1 1 udp 9999999999 203.0.113.7 5000 typ host",
        "candidate:1 1 udp 1 203.0.113.7 5000 typ magic",
        "candidate:1 1 udp 1 203.0.113.7 5000 typ host\r\na=evil:1",
        "candidate:1 1 udp 1 203.0.113.7 5000 typ host" + " x" * 300,
    ],
)
def test_what_is_of_no_use_is_dropped(text: str) -> None:
    assert parse_candidate(text) is None


@settings(deadline=None)
@given(st.text())
def test_no_text_makes_it_raise(text: str) -> None:
    parse_candidate(text)
    parse_candidate("candidate:" + text)


@settings(deadline=None)
@given(
    st.integers(1, 2**32 - 1),
    st.ip_addresses(),
    st.integers(1, 65535),
    st.sampled_from(("host", "srflx", "prflx", "relay")),
)
def test_what_is_taken_is_rendered_and_taken_again(priority: int, address: object, port: int, kind: str) -> None:
    candidate = parse_candidate(f"candidate:abc 1 udp {priority} {address} {port} typ {kind}")
    if candidate is not None:
        assert parse_candidate(candidate.render()) == candidate
