"""What the platform has and this server does not: 501 in words, and the table in the docs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from callboard.api.not_here import NOT_HERE
from callboard.api.reference import described, page

ABSENT = "5f9edc6ac238215aec2312df"
DOCS = Path(__file__).parents[2] / "docs"


async def test_what_is_not_here_is_answered_501_in_words(rest: Any) -> None:
    for one in NOT_HERE:
        path = "/v2" + re.sub(r"\{\w+:str\}", ABSENT, one.path)
        answer = await rest.ask(one.method.value, path, data="{}" if one.method.value == "POST" else None)
        expected = {
            "code": 501,
            "message": "Not Implemented",
            "details": [f"{one.tag}: this server does not have that yet"],
        }
        assert (answer.status, answer.json()) == (501, expected), path
        assert (await rest.ask(one.method.value, path, token="")).status == 401, path


async def test_the_description_without_a_server_is_that_of_a_server(rest: Any) -> None:
    served = await rest.get("/v2/openapi.json")
    assert described()["paths"] == served["paths"]


def test_the_table_in_the_docs_has_every_request_and_says_which_are_not_here() -> None:
    text = (DOCS / "rest.md").read_text(encoding="utf-8")
    assert text == page(), "run: make docs"
    assert "| `POST /v2/polls` | Create a poll | yes |" in text
    assert "| `GET /v2/live-streams` | List live streams | 501 |" in text
