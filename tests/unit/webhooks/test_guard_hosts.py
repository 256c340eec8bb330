"""What a URL says about where it leads: every spelling that is more than one thing to more than one reader."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.errors import Invalid
from callboard.webhooks.endpoint import EndpointRequest, new_endpoint
from callboard.webhooks.guard import Policy, parse_network
from callboard.webhooks.hosts import REFUSED, HostError, host_of, url_problem

DEFAULT = Policy()
PRIVATE = Policy(allowed=tuple(parse_network(text) for text in ("127.0.0.0/8", "::1/128", "10.0.0.0/8")))


def accepted(url: str, policy: Policy = DEFAULT) -> bool:
    """Whether an endpoint with this URL can be created."""
    try:
        new_endpoint(EndpointRequest(url=url), "id", bytes, 1)
    except Invalid:
        return False
    return not url_problem(policy, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook",
        "http://example.com:8080/hook?a=b",
        "https://EXAMPLE.com./hook",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700::1111]:8443/",
        "https://a_b.example.com/",
        "https://127.0.0.1.nip.io/",  # a name like any other: its address is vetted
        "https://1e100.net/",
        "https://0x.example/",
    ],
)
def test_public_places_are_accepted(url: str) -> None:
    assert accepted(url)


@pytest.mark.parametrize(
    "host",
    [
        *("127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001", "127.0.0.1."),
        *("0127.0.0.1", "00.0.0.0", "01.1.1.1", "1.1.1.01", "0x7F.0.0.0x1", "8.8.8.8.", "1.2.3", "0", "0x", "a.0x1f"),
        *("256.1.1.1", "1.1.1.1.1", "example.123", "4294967296"),
    ],
)
def test_a_number_that_is_no_dotted_quad_is_refused(host: str) -> None:
    with pytest.raises(HostError):
        host_of(host)
    assert not accepted(f"http://{host}/", PRIVATE)


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http://ⓛocalhost/",
            "http://loc\u200balhost/",
            "http://bücher.de/",
        ),
        *(
            "http://xn--127-.0.0.1/",
            "http://xn--/",
            "http://xn--99999999/",
            "http://a..b/",
            "http://.a/",
            "http://-a.b/",
        ),
        *("http://public@127.0.0.1/", "http://127.0.0.1#@public/", r"http://public\@127.0.0.1/", "http://a:b@c.d/"),
        *("http://[::1%25eth0]/", "http://[::1%eth0]/", "http://[fe80::1%25]/", "http://[v1.a]/", "http://[::1"),
        *(r"http:/\/127.0.0.1/", "http://exam\tple.com/", "http://exam\nple.com/", "http://exam ple.com/", "http:///"),
        *("//example.com/", "http:example.com", "http://:80/", "http://?", "http://%6c%6fcalhost/", "http://a%2eb/"),
        *("http://%256c%256f/", "http://a.b:0/", "http://a.b:65536/", "http://a.b:-1/", "http://a.b:8 0/"),
        *("file:///etc/passwd", "gopher://a.b/", "ftp://a.b/", "unix:///tmp/x", "http+unix://%2Ftmp/", "data:,x"),
        *("ws://a.b/", "javascript:alert(1)", "", "http://" + "a" * 64 + ".com/", "http://a.b/" + "x" * 2048),
        *("http://" + "a." * 130 + "com/", "http://a.b/#x", "http://exa\u3002mple.com"),
    ],
)
def test_other_syntax_is_refused_whatever_is_allowed(url: str) -> None:
    assert not accepted(url, PRIVATE)


@pytest.mark.parametrize("digits", ["①②⑦", "１２７", "ⓛocalhost", "a\u200bb", "a。b"])
def test_an_encoded_label_that_comes_to_ascii_is_refused(digits: str) -> None:
    label = "xn--" + digits.encode("punycode").decode()
    with pytest.raises(HostError):
        host_of(f"{label}.example.com")


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://ip6-localhost/"),
        *("http://127.0.0.1/", "http://127.9.9.9:8081/", "http://[::1]:80/", "http://[::ffff:127.0.0.1]/"),
        *("http://10.0.0.1/", "http://[64:ff9b::10.0.0.1]/", "http://intranet/", "http://db.internal/"),
        *("http://printer.local/", "http://kubernetes.default.svc/", "http://host.docker.internal/"),
        "http://kubernetes.default.svc.cluster.local/",
    ],
)
def test_private_places_are_refused_unless_they_are_allowed(url: str) -> None:
    assert url_problem(DEFAULT, url) == REFUSED
    assert accepted(url, PRIVATE)


@pytest.mark.parametrize(
    "url",
    [
        *("http://metadata.google.internal/", "http://METADATA.google.internal./x", "http://instance-data/"),
        *("http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/", "http://[::ffff:169.254.169.254]/"),
        *("http://0.0.0.0/", "http://[::]/", "http://255.255.255.255/", "http://[ff02::1]/", "http://168.63.129.16/"),
        "http://100.100.100.200/",
    ],
)
def test_metadata_services_and_the_like_are_refused_whatever_is_allowed(url: str) -> None:
    assert url_problem(DEFAULT, url) == REFUSED
    assert url_problem(PRIVATE, url) == REFUSED


@pytest.mark.parametrize("port", [22, 25, 6379])
def test_a_port_of_another_service_is_said_to_be_so(port: int) -> None:
    assert f"port {port}" in url_problem(DEFAULT, f"http://example.com:{port}/")
    assert not url_problem(Policy(denied_ports=frozenset()), f"http://example.com:{port}/")


def test_we_are_no_endpoint_of_our_own() -> None:
    policy = Policy(PRIVATE.allowed, own_ports=frozenset([8080]))
    assert url_problem(policy, "http://localhost:8080/v2/rooms") == REFUSED
    assert url_problem(policy, "http://[::1]:8080/") == REFUSED
    assert not url_problem(policy, "http://localhost:8081/")


@given(st.ip_addresses())
def test_a_canonical_address_is_that_address(address: object) -> None:
    assert host_of(str(address)) == ip_address(str(address))


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30))
def test_whatever_the_host_is_it_is_an_address_a_plain_name_or_refused(text: str) -> None:
    try:
        host = host_of(text)
    except HostError:
        return
    if isinstance(host, str):
        assert host == host.lower()
        assert not host.split(".")[-1].isdigit()
        assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
