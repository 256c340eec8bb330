"""The layout that the meeting page asks for: whose it is, what is in it, who is answered."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import AsyncTestClient

from callboard.api.errors import refused
from callboard.auth.tokens import Tokens
from callboard.clock import RandomIds, SystemClock
from callboard.database import open_database
from callboard.errors import Refusal
from callboard.meeting.layout import layouts
from callboard.meeting.layout_http import layout_handler
from callboard.rooms.models import Permissions, Role, Template
from callboard.rooms.rooms import RoomRequest
from callboard.rooms.store import Store

TEMPLATE = Template(
    id="0" * 24,
    name="play",
    roles={
        "host": Role(name="host", permissions=Permissions(remove_others=True)),
        "guest": Role(name="guest"),
        "viewer": Role(name="viewer"),
    },
    created_at=0,
    updated_at=0,
)


@dataclass
class Served:
    """The route, a room, and what mints tokens."""

    http: AsyncTestClient[Litestar]
    tokens: Tokens
    room_id: str

    async def get(self, token: str) -> tuple[int, dict[str, object]]:
        answer = await self.http.get("/v2/layouts/ui", headers={"authorization": f"Bearer {token}"} if token else {})
        return answer.status_code, answer.json()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    clock, ids = SystemClock(), RandomIds(7)
    database = open_database(f"sqlite:///{tmp_path}/callboard.db")
    await database.open()
    store = Store(database, clock, ids)
    workspace = await store.open_workspace(secrets.token_bytes)
    tokens = Tokens(workspace, clock, ids)
    room = await store.create_room(RoomRequest(name="elsinore"))
    app = Litestar(
        [layout_handler(tokens, store, workspace.app_id)], exception_handlers={Refusal: refused}, logging_config=None
    )
    async with AsyncTestClient(app) as http:
        yield Served(http, tokens, room.id)
    await database.close()


def test_the_first_layout_is_of_the_role_that_asks_and_every_role_has_one() -> None:
    for role in TEMPLATE.roles:
        found = [layout["role"] for layout in layouts(TEMPLATE, role, "app")]
        assert found[0] == role
        assert sorted(found) == sorted(TEMPLATE.roles)


def test_each_screen_is_there_and_the_room_has_exactly_one_form() -> None:
    for layout in layouts(TEMPLATE, "host", "app"):
        screens = layout["screens"]
        assert set(screens) == {"preview", "conferencing", "leave"}
        assert list(screens["conferencing"]) == ["default"]
        assert {"chat", "participant_list", "hand_raise", "emoji_reactions"} <= set(
            screens["conferencing"]["default"]["elements"]
        )


def test_what_this_server_cannot_do_is_not_offered() -> None:
    for layout in layouts(TEMPLATE, "host", "app"):
        elements = layout["screens"]["conferencing"]["default"]["elements"]
        assert not {"virtual_background", "noise_cancellation"} & set(elements)


def test_only_who_leads_the_room_pins_for_everybody() -> None:
    pins = {
        layout["role"]: layout["screens"]["conferencing"]["default"]["elements"]["chat"]["allow_pinning_messages"]
        for layout in layouts(TEMPLATE, "host", "app")
    }
    assert pins == {"host": True, "guest": False, "viewer": False}


async def test_the_bearer_of_a_rooms_token_gets_the_layouts_of_its_template(served: Served) -> None:
    status, body = await served.get(served.tokens.mint_app_token(served.room_id, "guest", "ann"))
    assert status == 200
    found = body["data"]
    assert isinstance(found, list)
    assert found[0]["role"] == "guest"
    assert body["limit"] == len(found)


async def test_nobody_else_is_answered(served: Served) -> None:
    for token in ("", "a.b.c", served.tokens.mint_management_token()):
        status, body = await served.get(token)
        assert status == 401
        assert "data" not in body


async def test_the_token_of_a_room_that_is_not_there_is_answered_404(served: Served) -> None:
    status, body = await served.get(served.tokens.mint_app_token("f" * 24, "guest", "ann"))
    assert status == 404
    assert "data" not in body
