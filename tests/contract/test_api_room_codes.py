"""Room codes over HTTP, and the token that one is exchanged for (platform.md §1.4, §3.3)."""

from __future__ import annotations

import json
import re
from typing import Any

CODE = re.compile("[a-z]{3}-[a-z]{4}-[a-z]{3}")


async def exchange(rest: Any, **body: object) -> Any:
    """What `POST /v2/token` answers, asked as the official client asks: without a token or a content type."""
    return await rest.ask("POST", "/v2/token", token="", data=json.dumps(body).encode())


async def test_a_room_gets_one_code_for_each_role_and_keeps_them(rest: Any) -> None:
    room = await rest.room(name="r")
    first = (await rest.post(f"/v2/room-codes/room/{room.id}"))["data"]
    template = await rest.deps.store.template(room.template_id)
    assert {one["role"] for one in first} == set(template.roles)
    assert all(CODE.fullmatch(one["code"]) and one["enabled"] and one["room_id"] == room.id for one in first)
    again = (await rest.post(f"/v2/room-codes/room/{room.id}"))["data"]
    assert [one["code"] for one in again] == [one["code"] for one in first]


async def test_a_role_may_have_several_codes_and_all_are_listed_newest_first_page_by_page(rest: Any) -> None:
    room = await rest.room(name="r")
    made = [(await rest.post(f"/v2/room-codes/room/{room.id}/role/host"))["code"] for _ in range(3)]
    listed = await rest.get(f"/v2/room-codes/room/{room.id}", limit=2)
    assert [one["code"] for one in listed["data"]] == made[:0:-1]
    rest_of_it = await rest.get(f"/v2/room-codes/room/{room.id}", limit=2, start=listed["last"])
    assert [one["code"] for one in rest_of_it["data"]] == made[:1]
    assert rest_of_it["last"] == ""


async def test_a_code_is_exchanged_for_a_token_of_its_room_and_role(rest: Any) -> None:
    room = await rest.room(name="r")
    code = (await rest.post(f"/v2/room-codes/room/{room.id}/role/host"))["code"]
    answer = await exchange(rest, code=code, user_id="u1")
    assert answer.status == 200
    claims = rest.deps.tokens.verify_app_token(answer.json()["token"])
    assert (claims.room_id, claims.role, claims.user_id) == (room.id, "host", "u1")


async def test_an_unknown_code_is_404_and_a_disabled_one_403(rest: Any) -> None:
    room = await rest.room(name="r")
    for unknown in ("abc-defg-hij", "x", "", "../../x"):
        assert (await exchange(rest, code=unknown)).status == 404
    code = (await rest.post(f"/v2/room-codes/room/{room.id}/role/host"))["code"]
    await rest.post("/v2/room-codes/code", {"code": code, "enabled": False})
    assert (await exchange(rest, code=code)).status == 403
    await rest.post("/v2/room-codes/code", {"code": code, "enabled": True})
    assert (await exchange(rest, code=code)).status == 200
    await rest.deps.store.set_room_enabled(room.id, enabled=False)
    assert (await exchange(rest, code=code)).status == 403


async def test_a_wrong_body_is_400_in_words(rest: Any) -> None:
    for body in (b"", b"{", b"[]", b'{"code": 7}'):
        answer = await rest.ask("POST", "/v2/token", token="", data=body)
        assert answer.status == 400
        assert answer.json()["details"]


async def test_a_room_or_role_that_does_not_exist_is_404_and_a_disabled_room_403(rest: Any) -> None:
    room = await rest.room(name="r")
    await rest.post("/v2/room-codes/room/5f9edc6ac238215aec2312df", status=404)
    await rest.post(f"/v2/room-codes/room/{room.id}/role/president", status=404)
    await rest.deps.store.set_room_enabled(room.id, enabled=False)
    await rest.post(f"/v2/room-codes/room/{room.id}", status=403)


async def test_who_asks_for_tokens_too_often_is_told_when_to_come_back(rest: Any) -> None:
    answers = [await exchange(rest, code="abc-defg-hij") for _ in range(120)]
    limited = [one for one in answers if one.status == 429]
    assert limited, "120 requests at once are too many"
    assert limited[0].json()["message"].startswith("rate limit exceeded, retry after ")
    assert int(limited[0].headers["retry-after"]) >= 1
    assert {one.status for one in answers} == {404, 429}
