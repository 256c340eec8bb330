"""The pages of the events: generated, complete, and committed as they are generated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from callboard.events import CATALOGUE, json_schema
from callboard.events.docs import INDEX, pages
from callboard.events.docs_contradictions import CONTRADICTIONS
from callboard.events.docs_guide import GUIDES

FOLDER = Path(__file__).parents[3] / "docs/events"


def test_the_committed_pages_are_those_that_the_models_make() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == pages(), "run: make docs"


def test_each_event_has_a_guide_and_nothing_else_has() -> None:
    assert list(GUIDES) == list(CATALOGUE)
    assert CONTRADICTIONS.keys() <= CATALOGUE.keys()


@pytest.mark.parametrize("event", CATALOGUE)
def test_a_page_names_every_key_of_the_event_and_every_value_of_its_enumerations(event: str) -> None:
    page, schema = pages()[f"{event}.md"], json_schema(event)
    for definition in schema["$defs"].values():
        for name in [*definition.get("properties", ()), *definition.get("enum", ())]:
            assert f"`{name}`" in page


@pytest.mark.parametrize("name", [INDEX, *(f"{event}.md" for event in CATALOGUE)])
def test_the_links_of_a_page_lead_to_files_and_headings_that_exist(name: str) -> None:
    page = pages()[name]
    for target in re.findall(r"\]\(([^)#]*)", page):
        assert not target or (FOLDER / target).exists(), target
    for anchor in re.findall(r"\]\(#([^)]*)\)", page):
        assert f"### {anchor}\n" in page, anchor


def test_a_page_says_nothing_of_documents_that_its_reader_has_not() -> None:
    for name, page in pages().items():
        assert "platform.md" not in page, name
        assert "§" not in page, name
        assert "Source:" not in page, name
