"""What the pages about reading and replaying say, against what there is: commands, options, paths, settings."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from callboard.cli import app
from callboard.config import default_toml

DOCS = Path(__file__).parents[3] / "docs"
PAGES = [DOCS / "events-api.md", DOCS / "webhooks" / "replay.md"]
COMMANDS = [
    line.partition(" #")[0].strip()
    for page in PAGES
    for line in page.read_text(encoding="utf-8").splitlines()
    if line.startswith("callboard ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_them_is_one(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("body.bin", "headers.txt"):
        (tmp_path / name).write_text("")
    _, name, *arguments = shlex.split(line)
    group: Any = typer.main.get_command(app)
    command = group.commands[name]
    command.make_context(name, arguments)  # raises for options and values that there are not


def test_there_are_commands_in_them() -> None:
    assert {line.split()[1] for line in COMMANDS} == {"listen", "replay", "trigger", "verify"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_in_them_is_a_route(page: Path) -> None:
    routes = re.findall(r"`[A-Z]+ (/v2/[^`]*)`", (DOCS / "rest.md").read_text(encoding="utf-8"))
    patterns = [re.compile(re.sub(r"\{[^}]*\}", "[^/?]+", route) + "$") for route in routes]
    paths = set(re.findall(r"/v2/[-a-z/{}_0-9]+", page.read_text(encoding="utf-8")))
    assert paths
    for path in paths:
        assert any(pattern.match(path) for pattern in patterns), path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_in_them_is_one(page: Path) -> None:
    text = default_toml()
    for section, name in re.findall(r"`(retention|webhooks)\.([a-z_]+)`", page.read_text(encoding="utf-8")):
        after = text.partition(f"[{section}]")[2].partition("\n[")[0]
        assert re.search(rf"^#? ?{name} = ", after, re.MULTILINE), f"{section}.{name}"
