"""TLS of one's own for an endpoint: its authority, our certificate; and what cannot be used is refused at once."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, open_database
from callboard.errors import Invalid
from callboard.testing.certificates import Authority
from callboard.testing.receiver import Receiver
from callboard.webhooks.connection import Opening
from callboard.webhooks.endpoint import Endpoint, EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.failures import Failure
from callboard.webhooks.reach import AddressRefused, failure_of, reach, resolve
from callboard.webhooks.request import target_of
from callboard.webhooks.tls import MAX_PEM, Identity, system_context
from callboard.webhooks.vault import MasterKey, Vault


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = open_database(f"sqlite:///{tmp_path / 'callboard.db'}")
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def endpoints(database: Database) -> Endpoints:
    return Endpoints(database, SystemClock(), RandomIds(1), secrets.token_bytes)


async def reached(endpoint: Endpoint) -> Failure | None:
    """What became of a connection to the endpoint."""
    opening, done = Opening(), asyncio.Event()

    class Talk(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            # With TLS 1.3 a server says only after the handshake that it wanted another certificate.
            transport.write(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n")  # type: ignore[attr-defined]
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            self.transport.close()

        def connection_lost(self, exc: Exception | None) -> None:
            self.error = exc
            done.set()

    talk = Talk()
    try:
        async with asyncio.timeout(20):
            await reach(target_of(endpoint, system_context()), resolve, talk, opening)
            await done.wait()
    except (OSError, AddressRefused) as error:
        return failure_of(error, opening)
    return failure_of(talk.error, opening) if isinstance(talk.error, OSError) else None


async def test_an_authority_of_one_s_own_is_trusted(authority: Authority, endpoints: Endpoints) -> None:
    async with Receiver(tls=authority.server("localhost")) as receiver:
        endpoint = await endpoints.create(EndpointRequest(url=receiver.url))
        assert await reached(endpoint) is Failure.TLS_ERROR
        endpoint = await endpoints.update(endpoint.id, EndpointRequest(tls=Identity(authorities=authority.pem)))
        assert await reached(endpoint) is None
        endpoint = await endpoints.update(endpoint.id, EndpointRequest(tls=Identity()))
        assert await reached(endpoint) is Failure.TLS_ERROR


async def test_our_certificate_is_shown_to_who_asks_for_it(authority: Authority, endpoints: Endpoints) -> None:
    certificate, key = authority.identity("callboard")
    async with Receiver(tls=authority.server_that_asks("localhost")) as receiver:
        without = Identity(authorities=authority.pem)
        endpoint = await endpoints.create(EndpointRequest(url=receiver.url, tls=without))
        await reached(endpoint)
        assert receiver.deliveries == []
        mutual = Identity(authorities=authority.pem, certificate=certificate, key=key)
        endpoint = await endpoints.update(endpoint.id, EndpointRequest(tls=mutual))
        assert await reached(endpoint) is None
        assert len(receiver.deliveries) == 1


async def test_what_cannot_be_used_is_refused_with_its_place(authority: Authority, endpoints: Endpoints) -> None:
    certificate, key = authority.identity("callboard")
    _, other = authority.identity("other")
    encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    for identity, field in [
        (Identity(authorities="nonsense"), "authorities"),
        (Identity(authorities=certificate.replace("M", "N")), "authorities"),
        (Identity(authorities=authority.pem + "x" * MAX_PEM), "authorities"),
        (Identity(authorities="é"), "authorities"),
        (Identity(certificate=certificate), "key"),
        (Identity(key=key), "certificate"),
        (Identity(certificate=certificate, key=other), "key"),
        (Identity(certificate=certificate, key=encrypted), "key"),
        (Identity(certificate="nonsense", key=key), "key"),
    ]:
        with pytest.raises(Invalid) as refused:
            await endpoints.create(EndpointRequest(url="https://example.com", tls=identity))
        assert refused.value.details[0].startswith(f"tls.{field}: ")
        assert key not in str(refused.value.details)


async def test_the_key_is_sealed_and_comes_back(authority: Authority, database: Database) -> None:
    certificate, key = authority.identity("callboard")
    vault = Vault([MasterKey.of(secrets.token_bytes(32))], secrets.token_bytes, "the test")
    first = Endpoints(database, SystemClock(), RandomIds(1), secrets.token_bytes, vault)
    identity = Identity(certificate=certificate, key=key)
    endpoint = await first.create(EndpointRequest(url="https://example.com", tls=identity))
    (row,) = await database.fetch("endpoints")
    assert key.splitlines()[1] not in str(row)
    assert key.splitlines()[1] not in repr(endpoint) + repr(identity)
    again = Endpoints(database, SystemClock(), RandomIds(2), secrets.token_bytes, vault)
    await again.load()
    assert again.all()[0].tls == identity
