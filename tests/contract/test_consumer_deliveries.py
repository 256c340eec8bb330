"""What the dispatcher really sends, verified by others' code and by ours, before, during and after a rotation."""

from __future__ import annotations

import base64
import json
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook

from callboard.clock import NANOSECONDS, RandomIds, SystemClock
from callboard.consumer import SecretMismatch, diagnose, receive, verify
from callboard.database import open_database
from callboard.events import PeerJoinSuccess
from callboard.ledger import Ledger
from callboard.testing.facts import joined
from callboard.testing.receiver import Delivery, Receiver
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.keys_text import Scheme, public_bytes_of
from callboard.webhooks.vault import MasterKey, Vault

MASTER = MasterKey.of(b"m" * 32)
BOTH: tuple[Scheme, ...] = ("v1", "v1a")


class Clock(SystemClock):
    """The machine's clock, set forward by `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> int:
        return super().now() + self.ahead * NANOSECONDS


@dataclass
class House:
    """A ledger whose events are delivered."""

    ledger: Ledger
    endpoints: Endpoints
    clock: Clock
    ids: RandomIds

    async def commit(self, stream: str = "s1") -> None:
        await self.ledger.commit(joined(stream, self.ids, self.clock))


@asynccontextmanager
async def house(folder: Path, clock: Clock | None = None) -> AsyncIterator[House]:
    clock, ids = clock or Clock(), RandomIds()
    database = open_database(f"sqlite:///{folder / 'callboard.db'}")
    await database.open()
    ledger = Ledger(database, account_id="a" * 24, app_id="b" * 24)
    vault = Vault([MASTER], secrets.token_bytes, "the.key")
    endpoints = Endpoints(database, clock, ids, secrets.token_bytes, vault)
    await endpoints.load()
    dispatcher = Dispatcher(database, ledger, endpoints, clock, random.Random(1))
    await dispatcher.start()
    try:
        yield House(ledger, endpoints, clock, ids)
    finally:
        await dispatcher.stop()
        await database.close()


def schemes(delivery: Delivery) -> list[str]:
    (value,) = delivery.header("webhook-signature")
    return [one.partition(",")[0] for one in value.split(" ")]


def accepts(delivery: Delivery, key: str, clock: Clock) -> bool:
    """Whether a receiver that knows only `key` accepts the delivery."""
    try:
        verify(delivery.headers, delivery.body, key, now=clock.now() / NANOSECONDS)
    except SecretMismatch:
        return False
    return True


async def test_others_verify_both_signatures_of_a_delivery(tmp_path: Path) -> None:
    async with Receiver() as receiver, house(tmp_path) as home:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url, schemes=BOTH))
        for _ in range(3):
            await home.commit()
        await receiver.until_accepted(3)
    secret, public = endpoint.keys[0].text, endpoint.keys[1].public_key
    for delivery in receiver.deliveries:
        assert schemes(delivery) == list(BOTH)
        headers = dict(delivery.headers)
        assert Webhook(secret).verify(delivery.body, headers) == json.loads(delivery.body)
        signature = base64.b64decode(headers["webhook-signature"].partition("v1a,")[2])
        content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + delivery.body
        Ed25519PublicKey.from_public_bytes(public_bytes_of(public)).verify(signature, content)


async def test_a_receiver_in_python_gets_typed_events_in_order(tmp_path: Path) -> None:
    async with Receiver() as receiver, house(tmp_path) as home:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url, schemes=BOTH))
        for _ in range(5):
            await home.commit()
        await receiver.until_accepted(5)
    for known in (endpoint.keys[0].text, endpoint.keys[1].public_key):
        events = [receive(delivery.headers, delivery.body, known) for delivery in receiver.deliveries]
        assert [(event.stream, event.seq) for event in events] == [("s1", number) for number in range(1, 6)]
        assert all(isinstance(event.data, PeerJoinSuccess) for event in events)
        assert [event.id for event in events] == [event.envelope.id for event in events]
        assert len({event.id for event in events}) == 5
        findings = diagnose(
            receiver.deliveries[0].headers, receiver.deliveries[0].body, known, receiver.deliveries[0].at / NANOSECONDS
        )
        assert [finding.ok for finding in findings] == [True] * 5


async def test_an_endpoint_with_v1a_alone_is_signed_with_that_alone(tmp_path: Path) -> None:
    async with Receiver() as receiver, house(tmp_path) as home:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url, schemes=["v1a"]))
        await home.commit()
        await receiver.until_accepted(1)
        (delivery,) = receiver.deliveries
        assert schemes(delivery) == ["v1a"]
        assert accepts(delivery, endpoint.keys[0].public_key, home.clock)


async def test_receivers_that_learn_of_a_rotation_sooner_or_later_all_go_on(tmp_path: Path) -> None:
    async with Receiver() as receiver, house(tmp_path) as home:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url, schemes=BOTH))
        old = (endpoint.keys[0].text, endpoint.keys[1].public_key)
        await home.commit()
        await receiver.until_accepted(1)
        rotated = await home.endpoints.rotate(endpoint.id, 3600)
        new = (rotated.keys[0].text, rotated.keys[1].public_key)
        await home.commit()
        await receiver.until_accepted(2)
        before, during = receiver.deliveries
        assert [accepts(before, key, home.clock) for key in (*old, *new)] == [True, True, False, False]
        assert [accepts(during, key, home.clock) for key in (*old, *new)] == [True] * 4
        home.clock.ahead = 3601
        await home.commit()
        await receiver.until_accepted(3)
        after = receiver.deliveries[-1]
        assert schemes(after) == list(BOTH)
        assert [accepts(after, key, home.clock) for key in (*old, *new)] == [False, False, True, True]


async def test_a_secret_that_got_out_ends_with_the_rotation(tmp_path: Path) -> None:
    async with Receiver() as receiver, house(tmp_path) as home:
        endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url))
        rotated = await home.endpoints.rotate(endpoint.id, 0)
        await home.commit()
        await receiver.until_accepted(1)
        (delivery,) = receiver.deliveries
        assert not accepts(delivery, endpoint.secrets[0], home.clock)
        assert accepts(delivery, rotated.secrets[0], home.clock)


@pytest.mark.parametrize(("ahead", "expected"), [(0, [True, True]), (3601, [True, False])])
async def test_a_rotation_goes_on_over_a_restart(tmp_path: Path, ahead: int, expected: list[bool]) -> None:
    clock = Clock()
    async with Receiver() as receiver:
        async with house(tmp_path, clock) as home:
            endpoint = await home.endpoints.create(EndpointRequest(url=receiver.url))
            rotated = await home.endpoints.rotate(endpoint.id, 3600)
        clock.ahead = ahead
        async with house(tmp_path, clock) as home:
            await home.commit()
            await receiver.until_accepted(1)
        (delivery,) = receiver.deliveries
        assert [accepts(delivery, key, clock) for key in rotated.secrets] == expected


async def test_static_headers_arrive_though_they_are_encrypted_at_rest(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        async with house(tmp_path) as home:
            await home.endpoints.create(EndpointRequest(url=receiver.url, headers={"X-Passcode": "open sesame"}))
        async with house(tmp_path) as home:
            await home.commit()
            await receiver.until_accepted(1)
        assert receiver.deliveries[0].header("x-passcode") == ["open sesame"]
