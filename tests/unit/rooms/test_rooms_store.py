"""The store: what it answers is durable, names are unique, and nothing is lost between two changes."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from callboard.clock import NANOSECONDS, RandomIds
from callboard.database import Appended, Database, Unit
from callboard.errors import Conflict, Invalid, NotFound
from callboard.rooms.models import Room
from callboard.rooms.rooms import RoomRequest, room_row
from callboard.rooms.store import RoomFilter, Store
from callboard.rooms.templates import TemplateRequest
from callboard.rooms.workspace import new_workspace


class Clock:
    """A second passes at each look, so that ids of one test have an order."""

    def __init__(self) -> None:
        self.instant = 1_800_000_000 * NANOSECONDS

    def now(self) -> int:
        self.instant += NANOSECONDS
        return self.instant


def make_store(database: Database, cached: int = 100) -> Store:
    return Store(database, Clock(), RandomIds(7), cached=cached)


@pytest.fixture
async def store(database: Database) -> Store:
    """The store of a new workspace."""
    store = make_store(database)
    await store.open_workspace(secrets.token_bytes)
    return store


def template(**body: Any) -> TemplateRequest:
    return msgspec.convert({"roles": {"host": {}}} | body, TemplateRequest)


# --- the workspace -----------------------------------------------------------------------------------------


async def test_the_first_start_makes_a_workspace_and_the_default_template(database: Database) -> None:
    store = make_store(database)
    workspace = await store.open_workspace(secrets.token_bytes)
    assert len(workspace.id) == len(workspace.app_id) == 24
    assert len(workspace.secret) >= 64
    (default,) = await store.templates(10)
    assert (default.name, list(default.roles)) == ("default", ["host", "guest", "viewer"])


async def test_a_later_start_finds_the_same_workspace_and_makes_no_template(database: Database) -> None:
    first = await make_store(database).open_workspace(secrets.token_bytes)
    again = make_store(database)
    assert await again.open_workspace(secrets.token_bytes) == first
    assert len(await again.templates(10)) == 1


async def test_keys_that_were_set_win_and_stay(database: Database) -> None:
    first = await make_store(database).open_workspace(secrets.token_bytes)
    changed = await make_store(database).open_workspace(secrets.token_bytes, "my-key", "s" * 40)
    assert changed == msgspec.structs.replace(first, access_key="my-key", secret="s" * 40)
    assert await make_store(database).open_workspace(secrets.token_bytes) == changed


def test_two_workspaces_have_different_keys() -> None:
    one, other = (new_workspace(RandomIds(7), secrets.token_bytes, 0) for _ in range(2))
    assert one.secret != other.secret
    assert one.access_key != other.access_key


# --- rooms -------------------------------------------------------------------------------------------------


async def test_a_room_is_there_once_it_was_created(store: Store, database: Database) -> None:
    room = await store.create_room(RoomRequest(name="Stand-up", description="daily"))
    assert await store.room(room.id) == room
    assert await make_store(database).room(room.id) == room
    assert await make_store(database).room_by_name("STAND-UP") == room


async def test_a_room_without_a_name_gets_a_random_one_and_the_default_template(store: Store) -> None:
    one, two = await store.create_room(RoomRequest()), await store.create_room(RoomRequest())
    assert one.name != two.name
    assert one.template_id == (await store.templates(1))[0].id


async def test_creating_a_name_again_in_any_case_changes_that_room(store: Store) -> None:
    first = await store.create_room(RoomRequest(name="Stand-up", description="daily", size=5))
    again = await store.create_room(RoomRequest(name="STAND-UP", description="weekly"))
    assert (again.id, again.created_at) == (first.id, first.created_at)
    assert (again.name, again.description, again.size) == ("STAND-UP", "weekly", 5)
    assert len(await store.rooms(10)) == 1


async def test_creating_one_name_many_times_at_once_makes_one_room(store: Store) -> None:
    rooms = await asyncio.gather(*(store.create_room(RoomRequest(name="a", size=n)) for n in range(20)))
    assert len({room.id for room in rooms}) == 1
    assert len(await store.rooms(10)) == 1


async def test_changes_made_at_once_are_all_kept(store: Store, database: Database) -> None:
    room = await store.create_room(RoomRequest(name="a"))
    await asyncio.gather(
        store.update_room(room.id, RoomRequest(description="new")),
        store.update_room(room.id, RoomRequest(size=7)),
        store.set_room_enabled(room.id, enabled=False),
        store.create_room(RoomRequest(name="A", max_duration_seconds=600)),
    )
    changed = await store.room(room.id)
    assert (changed.description, changed.size, changed.enabled, changed.max_duration_seconds) == ("new", 7, False, 600)
    assert await make_store(database).room(room.id) == changed


async def test_a_room_that_is_not_there_is_not_found(store: Store) -> None:
    for room_id in ("5f9edc6ac238215aec2312df", "", "x", "5F9EDC6AC238215AEC2312DF", "a\0"):
        with pytest.raises(NotFound):
            await store.room(room_id)
        with pytest.raises(NotFound):
            await store.update_room(room_id, RoomRequest(size=1))


async def test_a_room_cannot_take_another_rooms_name(store: Store) -> None:
    await store.create_room(RoomRequest(name="a"))
    room = await store.create_room(RoomRequest(name="b"))
    with pytest.raises(Conflict, match="A is another room's"):
        await store.update_room(room.id, RoomRequest(name="A"))
    assert (await store.room(room.id)).name == "b"
    assert (await store.update_room(room.id, RoomRequest(name="B"))).name == "B"
    assert (await store.update_room(room.id, RoomRequest(name="c"))).name == "c"


@pytest.mark.parametrize("template_id", ["5f9edc6ac238215aec2312df", "default", ""])
async def test_a_room_with_a_template_that_is_not_there_is_refused(store: Store, template_id: str) -> None:
    with pytest.raises(Invalid, match="template not found"):
        await store.create_room(RoomRequest(name="a", template_id=template_id))
    assert await store.rooms(10) == []


async def test_without_a_default_template_a_room_has_to_name_one(store: Store) -> None:
    (default,) = await store.templates(1)
    await store.change_template(default.id, lambda t: msgspec.structs.replace(t, name="other"))
    with pytest.raises(Invalid, match="no template is named default"):
        await store.create_room(RoomRequest())
    assert (await store.create_room(RoomRequest(template_id=default.id))).template_id == default.id


async def test_what_is_refused_changes_nothing(store: Store, database: Database) -> None:
    room = await store.create_room(RoomRequest(name="a"))
    with pytest.raises(Invalid):
        await store.update_room(room.id, RoomRequest(size=9999))
    assert await store.room(room.id) == room
    assert await make_store(database).room(room.id) == room


async def test_a_row_that_was_committed_with_something_else_is_seen_after_refresh(
    store: Store, database: Database
) -> None:
    room = await store.create_room(RoomRequest(name="a"))
    async with store.changing_rooms:
        locked = msgspec.structs.replace(await store.room(room.id), enabled=False)
        await database.commit(Unit((room_row(locked),)))
        store.refresh(locked)
    assert await store.room(room.id) == locked
    assert await make_store(database).room(room.id) == locked


async def test_pages_run_from_new_to_old_without_a_gap(store: Store) -> None:
    made = [await store.create_room(RoomRequest(name=f"r{n}")) for n in range(7)]
    first = await store.rooms(3)
    second = await store.rooms(3, first[-1].id)
    third = await store.rooms(3, second[-1].id)
    assert [*first, *second, *third] == made[::-1]
    assert await store.rooms(3, third[-1].id) == []


async def test_a_page_has_only_what_is_wanted(store: Store) -> None:
    other = await store.create_template(template(name="other"))
    one = await store.create_room(RoomRequest(name="One"))
    two = await store.create_room(RoomRequest(name="two", template_id=other.id, enabled=False))

    async def found(**wanted: Any) -> list[Room]:
        return await store.rooms(10, wanted=RoomFilter(**wanted))

    assert await found(name="ONE") == [one]
    assert await found(template_id=other.id) == [two]
    assert await found(enabled=True) == [one]
    assert await found(enabled=False) == [two]
    assert await found(after=one.created_at) == [two]
    assert await found(before=two.created_at) == [one]
    assert await found(name="one", enabled=False) == []
    assert await found() == [two, one]


async def test_a_caller_that_gives_up_does_not_part_cache_and_database(store: Store, database: Database) -> None:
    room = await store.create_room(RoomRequest(name="a"))
    update = asyncio.ensure_future(store.update_room(room.id, RoomRequest(size=7)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    update.cancel()
    await asyncio.gather(update, return_exceptions=True)
    # The next change waits for the one that was given up.
    await store.update_room(room.id, RoomRequest(description="later"))
    seen = await store.room(room.id)
    assert (seen.size, seen.description) == (7, "later")
    assert await make_store(database).room(room.id) == seen


class Slow:
    """A database whose commits wait until the test lets them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.let = asyncio.Event()
        self.committing = asyncio.Event()

    async def commit(self, unit: Unit, *rest: Any) -> Sequence[Appended]:
        self.committing.set()
        await self.let.wait()
        return await self._database.commit(unit, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


async def test_nothing_is_shown_before_it_is_durable(store: Store, database: Database) -> None:
    room = await store.create_room(RoomRequest(name="a"))
    slow = Slow(database)
    other = make_store(slow)
    update = asyncio.ensure_future(other.update_room(room.id, RoomRequest(size=7)))
    await asyncio.wait_for(slow.committing.wait(), 60)
    assert (await other.room(room.id)).size == 0
    slow.let.set()
    await update
    assert (await other.room(room.id)).size == 7


async def test_a_small_cache_shows_the_same_as_a_large_one(database: Database) -> None:
    store = make_store(database, cached=2)
    await store.open_workspace(secrets.token_bytes)
    rooms = [await store.create_room(RoomRequest(name=f"r{n}")) for n in range(5)]
    for n, room in enumerate(rooms):
        await store.update_room(room.id, RoomRequest(size=n + 1))
    assert [(await store.room(room.id)).size for room in rooms] == [1, 2, 3, 4, 5]


# --- templates ---------------------------------------------------------------------------------------------


async def test_a_template_is_there_once_it_was_created(store: Store, database: Database) -> None:
    made = await store.create_template(template(name="my template"))
    assert await store.template(made.id) == made
    assert await make_store(database).template(made.id) == made
    assert await store.template_by_name("my template") == made


async def test_creating_a_template_again_changes_it(store: Store) -> None:
    first = await store.create_template(template(name="t", settings={"region": "eu"}))
    again = await store.create_template(template(name="t", roles={"guest": {}}))
    assert (again.id, list(again.roles), again.settings.region) == (first.id, ["guest"], "eu")
    assert len(await store.templates(10)) == 2


async def test_creating_one_template_many_times_at_once_makes_one(store: Store) -> None:
    made = await asyncio.gather(*(store.create_template(template(name="t")) for _ in range(20)))
    assert len({one.id for one in made}) == 1


async def test_templates_whose_names_differ_in_case_are_two(store: Store) -> None:
    one, two = await store.create_template(template(name="t")), await store.create_template(template(name="T"))
    assert one.id != two.id


async def test_a_template_is_replaced_as_a_whole(store: Store) -> None:
    made = await store.create_template(template(name="t", plugins={"whiteboard": {}}))
    replaced = await store.replace_template(made.id, template(name="u", settings={}))
    assert (replaced.name, replaced.plugins) == ("u", {})
    assert await store.template(made.id) == replaced


async def test_a_template_cannot_take_anothers_name(store: Store) -> None:
    made = await store.create_template(template(name="t"))
    with pytest.raises(Conflict, match="default is another template's"):
        await store.replace_template(made.id, template(name="default", settings={}))
    assert await store.template(made.id) == made


async def test_a_template_that_is_not_there_is_not_found(store: Store) -> None:
    for template_id in ("5f9edc6ac238215aec2312df", "default", ""):
        with pytest.raises(NotFound):
            await store.template(template_id)
        with pytest.raises(NotFound):
            await store.replace_template(template_id, template(name="t", settings={}))


async def test_pages_of_templates_run_from_new_to_old(store: Store) -> None:
    made = [await store.create_template(template(name=f"t{n}")) for n in range(3)]
    first = await store.templates(2)
    assert first == [made[2], made[1]]
    assert [one.name for one in await store.templates(10, first[-1].id)] == ["t0", "default"]
