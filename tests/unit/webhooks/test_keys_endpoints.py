"""Endpoints' keys and secrets as they are kept: rotated, encrypted, and on their way through master keys."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from pathlib import Path

import pytest

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Database, Put, Unit, open_database
from callboard.database.tables import ENDPOINT
from callboard.errors import Conflict, Invalid, NotFound
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints, sealed_endpoint
from callboard.webhooks.keys import MAX_KEYS
from callboard.webhooks.vault import MasterKey, UnknownMasterKey, Vault, VaultError

NOW = 1_800_000_000 * NANOSECONDS
OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
URL = "https://a.example/hook"
HEADERS = {"X-Passcode": "open sesame"}


class Clock:
    def __init__(self) -> None:
        self.instant = NOW

    def now(self) -> int:
        return self.instant


def vault(*keys: MasterKey) -> Vault:
    return Vault(keys, secrets.token_bytes, "the.key")


async def opened(database: Database, *keys: MasterKey, clock: Clock | None = None) -> Endpoints:
    """The endpoints of the database, as after a start with these master keys; without any, nothing is encrypted."""
    endpoints = Endpoints(database, clock or Clock(), RandomIds(), secrets.token_bytes, vault(*keys) if keys else None)
    await endpoints.load()
    return endpoints


async def documents(database: Database) -> dict[str, str]:
    return {str(row[0]): str(row[1]) for row in await database.fetch("endpoints")}


async def test_a_row_shows_neither_keys_nor_headers(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    endpoints = await opened(database, OLD)
    wanted = EndpointRequest(url=URL, headers=HEADERS, schemes=["v1", "v1a"])
    endpoint = await endpoints.create(wanted)
    await endpoints.rotate(endpoint.id)
    await endpoints.update(endpoint.id, EndpointRequest(description="x"))
    (document,) = (await documents(database)).values()
    for hidden in ("sesame", "whsec_", "whsk_", *(text[6:] for text in endpoints.all()[0].secrets)):
        assert hidden not in document
        assert hidden not in caplog.text
    assert URL in document, "what is no secret can be read, and be looked for"
    (again,) = (await opened(database, OLD)).all()
    assert again == endpoints.all()[0]


async def test_nothing_readable_is_anywhere_in_the_file(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/callboard.db")
    await database.open()
    endpoint = await (await opened(database, OLD)).create(EndpointRequest(url=URL, headers=HEADERS))
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    await database.close()
    assert endpoint.id.encode() in written
    assert b"sesame" not in written
    assert endpoint.secrets[0][6:].encode() not in written


async def test_rows_from_before_there_was_a_vault_are_read_and_encrypted(database: Database) -> None:
    secret = "whsec_" + "A" * 32
    plain = {"url": URL, "secrets": [secret], "headers": HEADERS, "enabled": True, "description": "old"}
    await database.commit(Unit((Put(ENDPOINT, ("e" * 24, json.dumps(plain), 5, 6)),)))
    assert await sealed_endpoint(database) == ""
    (endpoint,) = (await opened(database, OLD)).all()
    assert (endpoint.secrets, endpoint.headers, endpoint.description) == ((secret,), HEADERS, "old")
    assert (endpoint.keys[0].created_at, endpoint.created_at, endpoint.updated_at) == (5, 5, 6)
    (document,) = (await documents(database)).values()
    assert "sesame" not in document
    assert secret not in document
    assert await sealed_endpoint(database) == f"endpoint {'e' * 24}"
    assert (await opened(database, OLD)).all() == [endpoint]


async def test_without_a_vault_rows_stay_as_they_can_be_read(database: Database) -> None:
    endpoint = await (await opened(database)).create(EndpointRequest(url=URL, headers=HEADERS))
    assert (await opened(database)).all() == [endpoint]
    assert await sealed_endpoint(database) == ""
    assert (await opened(database, OLD)).all() == [endpoint]
    with pytest.raises(VaultError, match="is encrypted, and there is no master key"):
        await opened(database)


async def test_rows_cannot_be_exchanged(database: Database) -> None:
    endpoints = await opened(database, OLD)
    one = await endpoints.create(EndpointRequest(url=URL, headers=HEADERS))
    two = await endpoints.create(EndpointRequest(url="https://evil.example/"))
    rows = await documents(database)
    mixed = json.loads(rows[two.id]) | {"sealed": json.loads(rows[one.id])["sealed"]}
    await database.commit(Unit((Put(ENDPOINT, (two.id, json.dumps(mixed), 5, 6)),)))
    with pytest.raises(VaultError, match=f"endpoint {two.id} was changed after it was sealed"):
        await opened(database, OLD)


async def test_a_new_master_key_takes_over_at_the_next_start(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callboard.webhooks")
    endpoints = await opened(database, OLD)
    made = [await endpoints.create(EndpointRequest(url=URL, headers=HEADERS)) for _ in range(3)]
    with pytest.raises(UnknownMasterKey, match=OLD.id):
        await opened(database, NEW)
    assert "encrypted" not in caplog.text
    assert (await opened(database, NEW, OLD)).all() == made
    assert "secrets of 3 webhook endpoints were encrypted with the current master key" in caplog.text
    before = await documents(database)
    assert (await opened(database, NEW)).all() == made, "the old one is not needed any more"
    assert await documents(database) == before, "and nothing is written without need"


async def test_rotation_makes_a_new_key_and_says_until_when_the_old_one_signs(database: Database) -> None:
    clock = Clock()
    endpoints = await opened(database, OLD, clock=clock)
    endpoint = await endpoints.create(EndpointRequest(url=URL))
    told: list[str] = []
    endpoints.watch(told.append)
    clock.instant += NANOSECONDS
    rotated = await endpoints.rotate(endpoint.id)
    assert told == [endpoint.id]
    new, old = rotated.keys
    assert (old.text, old.expires_at) == (endpoint.secrets[0], clock.instant + 86_400 * NANOSECONDS)
    assert (new.created_at, new.expires_at, rotated.updated_at) == (clock.instant, 0, clock.instant)
    assert endpoints.keys_of(rotated) == (new, old)
    assert (await opened(database, OLD)).all() == [rotated]
    clock.instant = old.expires_at
    assert endpoints.keys_of(rotated) == (new,)
    changed = await endpoints.update(endpoint.id, EndpointRequest(description="later"))
    assert changed.keys == (new,), "what has expired is not written again"


async def test_rotations_at_the_same_time_come_one_after_the_other(database: Database) -> None:
    endpoints = await opened(database, OLD)
    endpoint = await endpoints.create(EndpointRequest(url=URL))
    await asyncio.gather(*(endpoints.rotate(endpoint.id, 60) for _ in range(MAX_KEYS - 1)))
    (present,) = endpoints.all()
    assert len({key.text for key in present.keys}) == MAX_KEYS
    with pytest.raises(Conflict, match="too many keys"):
        await endpoints.rotate(endpoint.id)
    assert len((await endpoints.rotate(endpoint.id, 0)).keys) == 1


async def test_a_rotation_that_is_refused_changes_nothing(database: Database) -> None:
    endpoints = await opened(database, OLD)
    endpoint = await endpoints.create(EndpointRequest(url=URL))
    before = await documents(database)
    with pytest.raises(Invalid):
        await endpoints.rotate(endpoint.id, -1)
    with pytest.raises(NotFound):
        await endpoints.rotate("f" * 24)
    assert endpoints.all() == [endpoint]
    assert await documents(database) == before
