"""Which addresses may be delivered to: every range, its edges and their neighbours, and every way to carry one in
another."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.webhooks.guard import (
    DENIED_PORTS,
    NEVER_V4,
    NEVER_V6,
    RESTRICTED_V4,
    RESTRICTED_V6,
    Policy,
    Reach,
    parse_network,
    reach_of,
)

PUBLIC, RESTRICTED, NEVER = Reach
DEFAULT = Policy()
LOOPBACK = Policy(allowed=(parse_network("127.0.0.0/8"), parse_network("::1/128")))
EVERY_PRIVATE = Policy(allowed=(*RESTRICTED_V4, *RESTRICTED_V6))


@pytest.mark.parametrize("network", [*NEVER_V4, *NEVER_V6], ids=str)
def test_first_and_last_of_a_range_that_is_never_reached(
    network: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> None:
    for address in (network[0], network[-1]):
        assert reach_of(address) is NEVER
        assert not EVERY_PRIVATE.permits(address, 443)


@pytest.mark.parametrize("network", [*RESTRICTED_V4, *RESTRICTED_V6], ids=str)
def test_first_and_last_of_a_range_that_must_be_named(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> None:
    for address in (network[0], network[-1]):
        assert reach_of(address) >= RESTRICTED
        assert not DEFAULT.permits(address, 443)


@pytest.mark.parametrize(
    "text",
    [
        *("1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0"),
        *("169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0"),
        *("192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0"),
        *("198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0"),
        *("223.255.255.255", "168.63.129.15", "168.63.129.17", "8.8.8.8"),
        *("2000::", "2001:200::", "2001:db7:ffff::1", "2001:db9::", "2003::", "2606:4700::1111"),
        *("3ffe:ffff::1", "3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::8.8.8.8"),
        *("::ffff:8.8.8.8", "64:ff9b::1.1.1.1"),
    ],
)
def test_the_neighbours_of_the_ranges_are_public(text: str) -> None:
    assert reach_of(ip_address(text)) is PUBLIC
    assert DEFAULT.permits(ip_address(text), 443)


@pytest.mark.parametrize(
    ("text", "reach"),
    [
        ("0.0.0.0", NEVER),
        ("0.255.255.255", NEVER),
        ("100.100.100.199", RESTRICTED),
        ("100.100.100.200", NEVER),
        ("100.100.100.201", RESTRICTED),
        ("127.0.0.1", RESTRICTED),
        ("127.1.2.3", RESTRICTED),
        ("169.254.0.0", NEVER),
        ("169.254.169.254", NEVER),
        ("169.254.170.2", NEVER),
        ("168.63.129.16", NEVER),
        ("192.0.0.191", RESTRICTED),
        ("192.0.0.192", NEVER),
        ("192.0.0.193", RESTRICTED),
        ("255.255.255.255", NEVER),
        ("::", NEVER),
        ("::1", RESTRICTED),
        ("fe80::1", NEVER),
        ("fe80::1%eth0", NEVER),
        ("2606:4700::1111%eth0", NEVER),
        ("febf:ffff::", NEVER),
        ("fec0::1", RESTRICTED),
        ("fc00::1", RESTRICTED),
        ("fd00:ec2::254", NEVER),
        ("fd00:ec2::253", RESTRICTED),
        ("fd20:ce::254", NEVER),
        ("ff02::1", NEVER),
        ("100::1", NEVER),
        ("100:0:0:1::", NEVER),
        ("5f00::1", NEVER),
        ("1fff:ffff::", NEVER),
        ("4000::", NEVER),
        ("fbff:ffff::", NEVER),
        ("2001::1", NEVER),  # Teredo, whose server is 0.0.0.0
        ("2001:1ff:ffff::", RESTRICTED),
        ("2001:db8::1", RESTRICTED),
        ("3fff::1", RESTRICTED),
        ("3fff:fff:ffff::", RESTRICTED),
        ("::ffff:127.0.0.1", RESTRICTED),
        ("::ffff:7f00:1", RESTRICTED),
        ("::ffff:169.254.169.254", NEVER),
        ("::127.0.0.1", RESTRICTED),
        ("::7f00:1", RESTRICTED),
        ("::169.254.169.254", NEVER),
        ("::2", NEVER),
        ("::ffff:0:127.0.0.1", RESTRICTED),
        ("::ffff:0:169.254.169.254", NEVER),
        ("64:ff9b::7f00:1", RESTRICTED),
        ("64:ff9b::a9fe:a9fe", NEVER),
        ("64:ff9b:0:0:0:1::", NEVER),
        ("64:ff9b:1::8.8.8.8", RESTRICTED),
        ("64:ff9b:1:ffff::a9fe:a9fe", NEVER),
        ("64:ff9b:2::8.8.8.8", NEVER),
        ("2002:7f00:1::", RESTRICTED),
        ("2002:a9fe:a9fe::1", NEVER),
        ("2002:808:808::1", RESTRICTED),
        ("2001:0:808:808:0:0:5601:5601", NEVER),  # Teredo, whose client is 169.254.169.254
        ("2001:0:808:808:0:0:f7f7:f7f7", RESTRICTED),
        ("2606:4700::5efe:7f00:1", RESTRICTED),
        ("2606:4700::200:5efe:a9fe:a9fe", NEVER),
        ("2606:4700::5efe:808:808", PUBLIC),
        ("fe80::5efe:7f00:1", NEVER),
    ],
)
def test_single_addresses(text: str, reach: Reach) -> None:
    assert reach_of(ip_address(text)) is reach
    assert DEFAULT.permits(ip_address(text), 443) is (reach is PUBLIC)


v4 = st.one_of(st.ip_addresses(v=4), st.sampled_from([n[i] for n in (*NEVER_V4, *RESTRICTED_V4) for i in (0, -1)]))


def in_v6(prefix: str, address: IPv4Address) -> IPv6Address:
    return IPv6Address(int(IPv6Address(prefix)) | int(address))


@given(v4)
def test_mapped_and_nat64_addresses_are_reached_as_what_they_carry(address: IPv4Address) -> None:
    assert reach_of(in_v6("::ffff:0:0", address)) is reach_of(address)
    assert reach_of(in_v6("64:ff9b::", address)) is reach_of(address)


@given(v4)
def test_no_other_form_is_reached_more_easily_than_what_it_carries(address: IPv4Address) -> None:
    number = int(address)
    teredo = 0x20010000 << 96
    forms = {
        "6to4": IPv6Address(0x2002 << 112 | number << 80),
        "teredo client": IPv6Address(teredo | 0x08080808 << 64 | (number ^ 0xFFFFFFFF)),
        "teredo server": IPv6Address(teredo | number << 64 | (0x08080808 ^ 0xFFFFFFFF)),
        "translated": in_v6("::ffff:0:0:0", address),
        "own NAT64": in_v6("64:ff9b:1::", address),
    }
    if number > 1:
        forms["compatible"] = in_v6("::", address)
    for name, form in forms.items():
        assert reach_of(form) is max(RESTRICTED, reach_of(address)), name
    for prefix in ("2606:4700::5efe:0:0", "2606:4700::200:5efe:0:0"):
        assert reach_of(in_v6(prefix, address)) is reach_of(address)


@given(st.ip_addresses())
def test_what_python_does_not_call_global_is_not_public(address: IPv4Address | IPv6Address) -> None:
    if reach_of(address) is PUBLIC:
        assert address.is_global
        assert not address.is_multicast


@given(st.ip_addresses(v=4))
def test_what_python_calls_global_is_public_but_for_what_is_named(address: IPv4Address) -> None:
    special = any(address in network for network in (*NEVER_V4, *RESTRICTED_V4))
    assert (reach_of(address) is PUBLIC) is (address.is_global and not special)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_allowance_never_opens_what_is_never_reached(address: IPv4Address | IPv6Address, port: int) -> None:
    if EVERY_PRIVATE.permits(address, port):
        assert reach_of(address) is not NEVER
        assert port not in DENIED_PORTS


@pytest.mark.parametrize("text", ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_a_named_network_may_be_delivered_to(text: str) -> None:
    assert LOOPBACK.permits(ip_address(text), 8081)


@pytest.mark.parametrize("text", ["10.0.0.1", "192.168.1.1", "fc00::1", "::ffff:10.0.0.1", "2002:7f00:1::", "::7f00:1"])
def test_naming_one_network_opens_no_other_and_no_other_form(text: str) -> None:
    assert not LOOPBACK.permits(ip_address(text), 8081)


def test_a_form_and_what_it_carries_must_both_be_named() -> None:
    form = ip_address("2002:a00:1::")
    assert not Policy(allowed=(parse_network("2002::/16"),)).permits(form, 443)
    assert not Policy(allowed=(parse_network("10.0.0.0/8"),)).permits(form, 443)
    assert Policy(allowed=(parse_network("2002::/16"), parse_network("10.0.0.0/8"))).permits(form, 443)


def test_an_address_of_this_machine_must_be_named_even_if_it_is_public() -> None:
    assert not DEFAULT.permits(ip_address("8.8.8.8"), 443, local=True)
    assert Policy(allowed=(parse_network("8.8.8.8/32"),)).permits(ip_address("8.8.8.8"), 443, local=True)


def test_we_never_deliver_to_ourselves() -> None:
    policy = Policy(LOOPBACK.allowed, own_ports=frozenset([8080]))
    assert policy.permits(ip_address("127.0.0.1"), 8081)
    assert not policy.permits(ip_address("127.0.0.1"), 8080)
    assert not policy.permits(ip_address("::ffff:127.0.0.1"), 8080)
    assert policy.permits(ip_address("8.8.8.8"), 8080)
    assert not policy.permits(ip_address("8.8.8.8"), 8080, local=True)


@pytest.mark.parametrize("port", [22, 25, 6379])
def test_ports_of_other_services_are_refused_unless_the_operator_says_otherwise(port: int) -> None:
    assert not DEFAULT.permits(ip_address("8.8.8.8"), port)
    assert Policy(denied_ports=frozenset()).permits(ip_address("8.8.8.8"), port)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("169.254.169.254/32", "never"),
        ("169.254.0.0/16", "never"),
        ("fe80::/64", "never"),
        ("224.1.0.0/16", "never"),
        ("fd00:ec2::254/128", "never"),
        ("0.0.0.0/0", "too wide"),
        ("0.0.0.0/1", "too wide"),
        ("::/0", "too wide"),
        ("2000::/3", "too wide"),
        ("::ffff:10.0.0.0/104", "IPv4"),
        ("10.0.0.1/8", "host bits"),
        ("localhost", "appear"),
    ],
)
def test_what_cannot_be_allowed_is_said(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_network(text)
