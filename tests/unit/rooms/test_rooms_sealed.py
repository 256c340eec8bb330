"""Secrets of rooms at rest: sealed, opened where they are needed, sealed anew with a new master key; both databases."""

from __future__ import annotations

import json
import secrets
from functools import partial
from typing import Any

import apsw
import asyncpg
import msgspec
import pytest

from callboard.clock import RandomIds, SystemClock
from callboard.database import Database, Unit, open_database, postgresql_writer, sqlite_writer
from callboard.database.sql import migrations
from callboard.errors import Invalid
from callboard.resealing import seal_anew
from callboard.rooms.credentials import SEALED, opened_headers, sealed_secret, sealing
from callboard.rooms.models import RecordingInfo, Room, RoomWebhook
from callboard.rooms.rooms import RoomRequest, room_row
from callboard.rooms.store import Store
from callboard.rooms.templates import TemplateRequest
from callboard.webhooks.room_hooks import RoomHooks
from callboard.webhooks.vault import MasterKey, UnknownMasterKey, Vault, VaultError

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)
BUCKET = {
    "enabled": True,
    "upload_info": {
        "type": "s3",
        "location": "bucket",
        "credentials": {"key": "AK", "secret": "hunter3"},
    },
}


def vault(*keys: MasterKey) -> Vault:
    return Vault(keys, secrets.token_bytes, "the test")


async def store_of(database: Database, keys: Vault) -> Store:
    store = Store(database, SystemClock(), RandomIds(7))
    await store.open_workspace(secrets.token_bytes)
    store.seal_with(sealing(keys))
    return store


def request(**headers: str) -> RoomRequest:
    return RoomRequest(
        webhook=RoomWebhook(url="https://a.example/", headers=headers),
        recording_info=msgspec.convert(BUCKET, RecordingInfo),
    )


async def stored(database: Database, room_id: str) -> str:
    return str((await database.fetch("room_by_id", id=room_id))[0][5])


async def headers_of(database: Database, room_id: str, keys: Vault) -> dict[str, str]:
    """As they would be sent."""
    endpoint = await RoomHooks(database, "secret", partial(opened_headers, keys)).endpoint(room_id)
    assert endpoint is not None
    return endpoint.headers


async def otherwise(database: Database, keys: Vault) -> int:
    return len(await database.fetch("rooms_sealed_otherwise", start="", key_id=keys.current, limit=9))


async def test_headers_are_sealed_in_the_database_and_opened_to_be_sent(database: Database) -> None:
    keys = vault(OLD)
    store = await store_of(database, keys)
    assert await sealed_secret(database) == ""
    room = await store.create_room(request(**{"X-Passcode": "hunter2", "X-Empty": ""}))
    text = await stored(database, room.id)
    assert "hunter" not in text
    assert SEALED.fullmatch(json.loads(text)["webhook"]["headers"]["X-Passcode"])
    assert await headers_of(database, room.id, keys) == {"X-Passcode": "hunter2", "X-Empty": ""}
    assert await sealed_secret(database) == f"room {room.id}"
    await store.update_room(room.id, RoomRequest(name="other"))
    assert json.loads(await stored(database, room.id))["webhook"] == json.loads(text)["webhook"]
    assert await otherwise(database, keys) == 0


async def test_what_is_sealed_for_one_room_or_header_opens_for_no_other(database: Database) -> None:
    keys = vault(OLD)
    store = await store_of(database, keys)
    one, two = [await store.create_room(request(**{"X-A": "a", "X-B": "b"})) for _ in range(2)]
    assert one.webhook is not None
    for room, headers in ((two, one.webhook.headers), (one, {"X-B": one.webhook.headers["X-A"]})):
        webhook = RoomWebhook(url="https://a.example/", headers=headers)
        await database.commit(Unit((room_row(msgspec.structs.replace(room, webhook=webhook)),)))
        with pytest.raises(VaultError, match=f"the header x-. of room {room.id} was changed after it was sealed"):
            await headers_of(database, room.id, keys)


async def test_a_new_master_key_seals_everything_at_a_start_and_a_missing_one_is_named(database: Database) -> None:
    store = await store_of(database, vault(OLD))
    rooms = [await store.create_room(request(**{"X-Passcode": f"p{number}"})) for number in range(3)]
    plain = await store.create_room(RoomRequest(name="no secrets"))
    with pytest.raises(UnknownMasterKey, match="is encrypted with master key"):
        await seal_anew(database, vault(NEW))
    before = await stored(database, plain.id)
    assert await seal_anew(database, vault(NEW, OLD)) == 3
    assert await seal_anew(database, vault(NEW, OLD)) == 0
    for number, room in enumerate(rooms):
        text = await stored(database, room.id)
        assert OLD.id not in text
        assert text.count(NEW.id) == 2  # the bucket's secret too
        assert await headers_of(database, room.id, vault(NEW)) == {"X-Passcode": f"p{number}"}
    assert await stored(database, plain.id) == before
    assert await seal_anew(database, vault(NEW)) == 0


async def test_what_cannot_be_opened_is_told_of_and_left_and_holds_up_no_start(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    store = await store_of(database, vault(OLD))
    one, two = [await store.create_room(request(**{"X-A": "a"})) for _ in range(2)]
    assert two.webhook is not None
    broken = msgspec.structs.replace(one, webhook=two.webhook)
    await database.commit(Unit((room_row(broken),)))
    assert await seal_anew(database, vault(NEW, OLD)) == 1
    assert f"room {one.id}: the header x-a of room {one.id} was changed after it was sealed" in caplog.text
    assert await headers_of(database, two.id, vault(NEW)) == {"X-A": "a"}


@pytest.mark.parametrize("place", ["room", "template"])
async def test_a_secret_that_looks_sealed_is_refused(database: Database, place: str) -> None:
    """Else whoever may change a room could keep the server from starting."""
    store = await store_of(database, vault(OLD))
    fake = f"A256GCM.{'0' * 16}.AAAA"
    if place == "room":
        asked: dict[str, Any] = json.loads(json.dumps(BUCKET).replace("hunter3", fake))
        with pytest.raises(Invalid) as raised:
            await store.create_room(RoomRequest(recording_info=msgspec.convert(asked, RecordingInfo)))
    else:
        upload = {"type": "s3", "location": "b", "credentials": {"key": "AK", "secretKey": fake}}
        settings = {"recording": {"enabled": True, "upload": upload}}
        with pytest.raises(Invalid) as raised:
            await store.create_template(msgspec.convert({"name": "default", "settings": settings}, TemplateRequest))
    assert "must not look like a secret of this server" in raised.value.details[0]


async def test_a_room_that_is_changed_under_a_new_key_is_sealed_with_it_at_the_next_start(database: Database) -> None:
    room = await (await store_of(database, vault(OLD))).create_room(request(**{"X-Passcode": "a"}))
    keys = vault(NEW, OLD)
    store = await store_of(database, keys)
    await store.update_room(room.id, RoomRequest(webhook=RoomWebhook(url="https://a.example/", headers={"X-New": "b"})))
    assert await otherwise(database, keys) == 1  # the bucket's secret is as it was
    assert await seal_anew(database, keys) == 1
    assert await headers_of(database, room.id, vault(NEW)) == {"X-New": "b"}


async def test_rooms_of_before_headers_were_sealed_are_found_and_sealed(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = next(one.number for one in migrations() if one.name == "sealed_rooms")
    for writer in (sqlite_writer, postgresql_writer):
        monkeypatch.setattr(writer, "migrations", lambda: migrations()[: number - 1])
    database = open_database(database_url)
    await database.open()
    await database.close()
    room = Room(id="a" * 24, name="old", template_id="t", webhook=None, created_at=1, updated_at=1)
    webhook = RoomWebhook(url="https://a.example/", headers={"X-Passcode": "hunter2"})
    rows = [
        room_row(msgspec.structs.replace(room, id=id_ * 24, name=id_, webhook=hook)).row
        for id_, hook in (("a", webhook), ("b", None), ("c", RoomWebhook(url="https://a.example/")))
    ]
    await run(database_url, [row[:-1] for row in rows])
    monkeypatch.undo()
    database = open_database(database_url)
    await database.open()
    keys = vault(OLD)
    assert await seal_anew(database, keys) == 1
    assert "hunter2" not in await stored(database, "a" * 24)
    assert await headers_of(database, "a" * 24, keys) == {"X-Passcode": "hunter2"}
    assert await otherwise(database, keys) == 0
    await database.close()


async def run(url: str, rows: list[tuple[object, ...]]) -> None:
    """Insert rooms as they were before."""
    if url.startswith("sqlite"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"))
        connection.executemany("INSERT INTO room VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        connection.close()
    else:
        other = await asyncpg.connect(url)
        await other.executemany("INSERT INTO room VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", rows)
        await other.close()
