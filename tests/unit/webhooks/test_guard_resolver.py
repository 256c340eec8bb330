"""Names that lead where they must not: asked for once, vetted whole, and never asked for again."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.config import load
from callboard.database import open_database
from callboard.errors import Invalid
from callboard.parts import delivery_policy
from callboard.webhooks import resolver as resolving
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.guard import Address, Policy, parse_network
from callboard.webhooks.hosts import REFUSED, url_problem
from callboard.webhooks.reach import AddressRefused
from callboard.webhooks.resolver import MOST_ADDRESSES, Resolver, is_local

LOOPBACK = Policy(allowed=(parse_network("127.0.0.0/8"), parse_network("::1/128")))


def nowhere(_: Address) -> bool:
    return False


def answering(*addresses: str) -> Callable[[str, int], Sequence[str]]:
    return lambda _host, _port: addresses


async def found(policy: Policy, host: str, *addresses: str) -> Sequence[str]:
    with closing(Resolver(policy, answering(*addresses), nowhere)) as resolver:
        return await resolver(host, 443)


async def test_all_vetted_addresses_are_given_in_order() -> None:
    assert await found(Policy(), "example.com", "2606:4700::1111", "8.8.8.8") == ["2606:4700::1111", "8.8.8.8"]


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),  # 127.0.0.1.nip.io, or a CNAME that ends there
        ("8.8.8.8", "10.0.0.1"),
        ("10.0.0.1", "8.8.8.8"),
        ("8.8.8.8", "::ffff:169.254.169.254"),
        ("2606:4700::1111", "fe80::1%2"),
        ("64:ff9b::7f00:1",),
    ],
)
async def test_one_address_that_is_refused_refuses_the_name(addresses: Sequence[str]) -> None:
    with pytest.raises(AddressRefused):
        await found(Policy(), "example.com", *addresses)


async def test_a_mapped_address_is_connected_to_as_what_it_is() -> None:
    assert await found(Policy(), "example.com", "::ffff:8.8.8.8") == ["8.8.8.8"]


@pytest.mark.parametrize("host", ["0x7f.1", "127.1", "metadata.google.internal", "intranet", "localhost", "10.0.0.1"])
async def test_what_is_refused_by_its_spelling_is_not_asked_for(host: str) -> None:
    def look(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    with closing(Resolver(Policy(), look, nowhere)) as resolver, pytest.raises(AddressRefused):
        await resolver(host, 443)


async def test_a_name_that_changes_its_mind_is_vetted_again_each_time() -> None:
    answers = [["8.8.8.8"], ["127.0.0.1"]]
    with closing(Resolver(Policy(), lambda *_: answers.pop(0), nowhere)) as resolver:
        assert await resolver("rebind.example", 443) == ["8.8.8.8"]
        with pytest.raises(AddressRefused):
            await resolver("rebind.example", 443)


async def test_the_system_s_resolver_is_the_one_that_is_asked() -> None:
    with closing(Resolver(LOOPBACK)) as resolver:
        assert "127.0.0.1" in await resolver("localhost", 8081)
        with pytest.raises(socket.gaierror):
            await resolver("no-such-host.invalid", 443)


async def test_ten_thousand_addresses_are_too_many() -> None:
    with pytest.raises(socket.gaierror):
        await found(Policy(), "example.com", *(f"8.8.{n // 250}.{n % 250}" for n in range(10_000)))
    assert len(await found(Policy(), "example.com", *(f"8.8.8.{n}" for n in range(MOST_ADDRESSES)))) == MOST_ADDRESSES


async def test_a_name_server_that_does_not_answer_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "SECONDS", 0.05)
    answer, asked = threading.Event(), 0

    def look(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        answer.wait(30)
        return ["8.8.8.8"]

    with closing(Resolver(Policy(), look, nowhere)) as resolver:
        failures = await asyncio.gather(*(resolver("slow.example", 443) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(failure, TimeoutError) for failure in failures)
        assert asked == 1, "one question for all of them"
        answer.set()


async def test_a_label_that_nobody_can_ask_for_is_no_crash() -> None:
    def look(host: str, port: int) -> Sequence[str]:
        raise UnicodeError("label too long")

    with closing(Resolver(Policy(), look, nowhere)) as resolver, pytest.raises(socket.gaierror):
        await resolver("example.com", 443)


def test_addresses_of_this_machine_are_known() -> None:
    addresses = LOOPBACK.allowed[0][1], parse_network("8.8.8.8/32")[0]
    assert [is_local(address) for address in addresses] == [True, False]


async def test_a_public_address_of_this_machine_is_refused_unless_it_is_named() -> None:
    def here(_: Address) -> bool:
        return True

    with closing(Resolver(Policy(), answering("8.8.8.8"), here)) as resolver, pytest.raises(AddressRefused):
        await resolver("callboard.example", 6000)
    named = Policy(allowed=(parse_network("8.8.8.8/32"),), own_ports=frozenset([8080]))
    with closing(Resolver(named, answering("8.8.8.8"), here)) as resolver:
        assert await resolver("callboard.example", 8081) == ["8.8.8.8"]
        with pytest.raises(AddressRefused):
            await resolver("callboard.example", 8080)


@pytest.fixture
async def endpoints(tmp_path: Path) -> AsyncIterator[Endpoints]:
    database = open_database(f"sqlite:///{tmp_path / 'callboard.db'}")
    await database.open()
    made = Endpoints(database, SystemClock(), RandomIds(1), secrets.token_bytes, None, Policy())
    yield made
    await database.close()


async def test_an_endpoint_that_leads_inside_is_refused_at_once(endpoints: Endpoints) -> None:
    for url in ("http://127.0.0.1/", "http://localhost:9000/", "http://10.1.2.3/", "http://169.254.169.254/"):
        with pytest.raises(Invalid) as refused:
            await endpoints.create(EndpointRequest(url=url))
        assert refused.value.details == (f"url: {REFUSED}",)
    assert endpoints.all() == []


async def test_an_endpoint_cannot_be_moved_inside_but_still_be_disabled(endpoints: Endpoints) -> None:
    endpoint = await endpoints.create(EndpointRequest(url="https://example.com/"))
    with pytest.raises(Invalid):
        await endpoints.update(endpoint.id, EndpointRequest(url="http://127.0.0.1/"))
    assert not (await endpoints.update(endpoint.id, EndpointRequest(enabled=False))).enabled


def test_networks_are_a_setting() -> None:
    environment = {"CALLBOARD_WEBHOOKS__ALLOWED_NETWORKS": '["10.0.0.0/8", "fd12::/16"]'}
    assert load(None, environment).webhooks.allowed_networks == ("10.0.0.0/8", "fd12::/16")
    assert load(None, {}).webhooks.allowed_networks == ()


@pytest.mark.parametrize("network", ["0.0.0.0/0", "169.254.169.254/32", "10.0.0.1/8", "example.com"])
def test_a_network_that_cannot_be_allowed_is_an_error_of_the_settings(network: str) -> None:
    with pytest.raises(Exception, match=r"webhooks\.allowed_networks"):
        load(None, {"CALLBOARD_WEBHOOKS__ALLOWED_NETWORKS": f'["{network}"]'})


def test_a_server_delivers_to_public_addresses_only_unless_it_is_told_otherwise() -> None:
    default = delivery_policy(load(None, {}), 8080)
    assert url_problem(default, "http://localhost:9000/") == REFUSED
    assert url_problem(default, "http://192.168.0.1/") == REFUSED
    assert not url_problem(default, "https://example.com/")
    told = delivery_policy(load(None, {"CALLBOARD_WEBHOOKS__ALLOWED_NETWORKS": '["127.0.0.0/8"]'}), 8080)
    assert not url_problem(told, "http://127.0.0.1:9000/")
    assert url_problem(told, "http://127.0.0.1:8080/") == REFUSED, "that is where it listens itself"
