"""The closed list of failures, explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from callboard.cli.reference import reference_pages
from callboard.webhooks.failures import Failure
from callboard.webhooks.failures_explained import EXPLAINED

DOCS = Path(__file__).parents[3] / "docs"


def test_every_failure_that_can_be_in_the_log_is_explained_and_no_other() -> None:
    assert list(EXPLAINED) == [failure for failure in Failure if failure is not Failure.STOPPED]
    for explanation in EXPLAINED.values():
        for text in explanation:
            assert text.endswith(".")
            assert "|" not in text


@pytest.mark.parametrize("name", reference_pages())
def test_the_tables_in_the_docs_are_those_of_the_code(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == reference_pages()[name], "run: make docs"
