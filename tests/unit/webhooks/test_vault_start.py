"""The master key at the start of a whole node: from the settings, from the file, and missing."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from rich.pretty import pretty_repr

from callboard.app import Callboard
from callboard.clock import RandomIds, SystemClock
from callboard.config import ConfigError, Settings, load
from callboard.database import open_database
from callboard.parts import database_url
from callboard.rooms.credentials import sealing
from callboard.rooms.models import RecordingInfo, RecordingSettings
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.store import Store
from callboard.webhooks.endpoint import EndpointRequest
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.vault import MasterKey, UnknownMasterKey, VaultError
from callboard.webhooks.vault_file import FILE, open_vault

KEY, OTHER = MasterKey.of(b"k" * 32).text, MasterKey.of(b"o" * 32).text
VARIABLE = "CALLBOARD_WEBHOOKS__MASTER_KEY"


@pytest.mark.parametrize("value", ["", KEY, f"{KEY},{OTHER}", f"{KEY}, {OTHER}", f"{KEY} {OTHER}"])
def test_the_setting_takes_one_key_or_several(value: str) -> None:
    assert load(None, {VARIABLE: value}).webhooks.master_key == value


@pytest.mark.parametrize("value", ["x", KEY[:-1], KEY + "\n", f"{KEY},", f"{KEY}{OTHER}", f"{KEY};{OTHER}"])
def test_a_setting_that_is_no_key_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ConfigError, match=f"{VARIABLE}: webhooks.master_key: must be .*openssl rand") as raised:
        load(None, {VARIABLE: value})
    assert KEY[:10] not in str(raised.value)


def test_the_settings_do_not_show_it() -> None:
    settings = load(None, {VARIABLE: KEY})
    for shown in (repr(settings), pretty_repr(settings), repr(settings.webhooks), pretty_repr(settings.webhooks)):
        assert KEY not in shown
        assert "connections" in shown


async def with_an_endpoint(settings: Settings) -> None:
    """Leave a database with an endpoint, as a node with these settings leaves it."""
    folder = Path(settings.data_dir)
    database = open_database(database_url(settings))
    await database.open()
    vault = open_vault(settings.webhooks.master_key, folder, secrets.token_bytes, sealed="")
    endpoints = Endpoints(database, SystemClock(), RandomIds(), secrets.token_bytes, vault)
    await endpoints.create(EndpointRequest(url="https://a.example/"))
    await database.close()


async def with_a_bucket(settings: Settings, of: str) -> None:
    """Leave a database in which a room, or its template, names a bucket, as such a node leaves it."""
    database = open_database(database_url(settings))
    await database.open()
    store = Store(database, SystemClock(), RandomIds())
    await store.open_workspace(secrets.token_bytes)
    store.seal_with(sealing(open_vault("", Path(settings.data_dir), secrets.token_bytes, sealed="")))
    bucket = {"type": "s3", "location": "films", "credentials": {"key": "key", "secret": "s", "secretKey": "s"}}
    info = msgspec.convert({"enabled": True, "upload_info": bucket}, RecordingInfo)
    room = await store.create_room(RoomRequest(recording_info=info if of == "room" else None))
    if of == "template":
        recording = msgspec.convert({"enabled": True, "upload": bucket}, RecordingSettings)
        await store.change_template(
            room.template_id, lambda old: replace(old, settings=replace(old.settings, recording=recording))
        )
    await database.close()


@pytest.mark.parametrize("what", ["endpoint", "template", "room"])
async def test_a_node_does_not_start_without_the_key_of_what_is_encrypted(tmp_path: Path, what: str) -> None:
    settings = Settings(data_dir=str(tmp_path))
    await (with_an_endpoint(settings) if what == "endpoint" else with_a_bucket(settings, what))
    (tmp_path / FILE).unlink()
    with pytest.raises(VaultError, match=rf"{what} \w+ is encrypted, and the master key is missing") as raised:
        await Callboard(settings).__aenter__()
    assert str(tmp_path / FILE) in str(raised.value)
    assert not (tmp_path / FILE).exists()


async def test_another_key_than_that_of_what_is_encrypted_is_refused(tmp_path: Path) -> None:
    await with_an_endpoint(Settings(data_dir=str(tmp_path)))
    with pytest.raises(UnknownMasterKey, match=r"not among those in webhooks.master_key"):
        await Callboard(load(None, {"CALLBOARD_DATA_DIR": str(tmp_path), VARIABLE: OTHER})).__aenter__()


@pytest.mark.media
async def test_a_node_changes_its_master_key_at_a_start(tmp_path: Path) -> None:
    await with_an_endpoint(Settings(data_dir=str(tmp_path)))
    old = (tmp_path / FILE).read_text().splitlines()[-1]
    for keys in (f"{OTHER},{old}", OTHER):
        async with Callboard(load(None, {"CALLBOARD_DATA_DIR": str(tmp_path), VARIABLE: keys})) as board:
            assert [endpoint.url for endpoint in board.endpoints.all()] == ["https://a.example/"]
