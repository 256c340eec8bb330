"""Janus's configuration, where it may listen, and what is kept of its output."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callboard.media.addresses import choose_addresses, host_addresses
from callboard.media.contract import EngineStartError, MediaSettings
from callboard.media.janusconfig import Access, config_files
from callboard.media.logring import MAX_LINE, LogRing

ACCESS = Access(Path("/run/janus"), "api-secret", "admin-secret", "room-key", "room-secret")


def files(**changes: object) -> dict[str, str]:
    return config_files(ACCESS, MediaSettings(**changes), ["192.0.2.2", "2001:db8::2"])  # type: ignore[arg-type]


def test_janus_listens_on_two_unix_sockets_and_on_no_port() -> None:
    text = files()["janus.transport.websockets.jcfg"]
    assert 'ws_unix = "/run/janus/api.sock"' in text
    assert 'admin_ws_unix = "/run/janus/admin.sock"' in text
    assert "port" not in text


def test_the_core_is_told_secrets_addresses_and_ports() -> None:
    text = files(port_range=(30000, 30099))["janus.jcfg"]
    for line in (
        'api_secret = "api-secret"',
        'admin_secret = "admin-secret"',
        'ice_enforce_list = "192.0.2.2,2001:db8::2"',
        'rtp_port_range = "30000-30099"',
        "ipv6 = true",
        "broadcast = false",
    ):
        assert line in text
    assert "nat_1_1_mapping" not in text


def test_a_public_address_is_mapped() -> None:
    assert 'nat_1_1_mapping = "198.51.100.9"' in files(public_address="198.51.100.9")["janus.jcfg"]


def test_rooms_need_a_key_and_have_text_ids() -> None:
    text = files()["janus.plugin.videoroom.jcfg"]
    assert 'admin_key = "room-key"' in text
    assert "string_ids = true" in text


def test_quotes_and_backslashes_in_a_path_do_not_end_the_string() -> None:
    access = Access(Path('/run/a"b\\c'), "1", "2", "3", "4")
    text = config_files(access, MediaSettings(), [])["janus.jcfg"]
    assert 'configs_folder = "/run/a\\"b\\\\c"' in text


def test_a_line_break_in_a_setting_is_refused() -> None:
    with pytest.raises(EngineStartError, match="not usable"):
        files(public_address='1.2.3.4"\nevil = "1')


def test_a_folder_too_long_for_a_socket_is_refused_with_its_name() -> None:
    with pytest.raises(EngineStartError, match="too long for a UNIX socket"):
        Access.random(Path("/" + "x" * 100) / "janus", lambda: "secret")


def test_secrets_differ() -> None:
    numbers = iter(range(10))
    access = Access.random(Path("/run/janus"), lambda: str(next(numbers)))
    assert len(set(access.secrets)) == 4


# Addresses


def test_all_addresses_are_used_unless_some_are_chosen() -> None:
    assert choose_addresses((), ["192.0.2.2", "192.0.2.3"]) == ("192.0.2.2", "192.0.2.3")
    assert choose_addresses(("192.0.2.3",), ["192.0.2.2", "192.0.2.3"]) == ("192.0.2.3",)


def test_a_host_with_loopback_only_is_told_what_to_do() -> None:
    with pytest.raises(EngineStartError, match="ip link add dummy0"):
        choose_addresses((), [])


def test_an_address_the_host_does_not_have_is_named() -> None:
    with pytest.raises(EngineStartError, match=r"198\.51\.100\.1 .* it has 192\.0\.2\.2"):
        choose_addresses(("198.51.100.1",), ["192.0.2.2"])


def test_this_host_offers_no_loopback() -> None:
    assert not {"127.0.0.1", "::1"} & set(host_addresses())


# Output


def test_the_last_lines_are_kept_whatever_the_chunks() -> None:
    ring = LogRing(3)
    for chunk in (b"one\ntw", b"o\n", b"three\nfour\nfi", b"ve"):
        ring.feed(chunk)
    assert ring.tail() == "two\nthree\nfour\nfive"
    assert ring.tail(2) == "four\nfive"


def test_secrets_and_colours_do_not_get_into_the_log() -> None:
    ring = LogRing(5, ["s3cret"])
    ring.feed(b"\x1b[31m[ERR]\x1b[0m the key is s3cret\n")
    assert ring.tail() == "[ERR] the key is …"


def test_what_janus_always_says_is_not_worth_keeping() -> None:
    ring = LogRing(5)
    assert ring.feed(b"Plugin 'libjanus_sip.so' has been disabled, skipping...\n[ERR] no\n") == ["[ERR] no"]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=2000), max_size=30))
def test_the_log_is_bounded_whatever_is_printed(chunks: list[bytes]) -> None:
    ring = LogRing(4)
    for chunk in chunks:
        ring.feed(chunk)
    lines = ring.tail(100).split("\n")
    assert len(lines) <= 5
    assert all(len(line) <= MAX_LINE for line in lines)
