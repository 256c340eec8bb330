"""The build of the meeting page: the same files each time, all that the page names, nothing that must not be served."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from callboard.meeting import Built, load

pytestmark = [pytest.mark.browser]

UI = Path(__file__).parents[3] / "meeting-ui"
PUBLISHED = UI / "node_modules" / "@100mslive" / "roomkit-react" / "dist" / "index.js"
ENVIRONMENT = ("ACTIONS_ID_TOKEN", "NODE_AUTH_TOKEN", "GITHUB_WORKSPACE", "RUNNER_TEMP", "/home/runner")


def build(folder: Path) -> dict[str, bytes]:
    """The files of a build into this folder, by name."""
    done = subprocess.run(
        ["node", "build.mjs", str(folder)], cwd=UI, timeout=120, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def files(built: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return build(tmp_path_factory.mktemp("meeting") / "static")


def test_the_same_packages_give_the_same_files(files: dict[str, bytes], tmp_path: Path) -> None:
    again = build(tmp_path / "static")
    assert again.keys() == files.keys()
    assert [name for name in files if files[name] != again[name]] == []


def test_the_publishers_build_environment_is_not_in_it(files: dict[str, bytes]) -> None:
    published = PUBLISHED.read_text()
    assert all(word in published for word in ENVIRONMENT)  # else this test would prove nothing
    found = [(name, word) for name, content in files.items() for word in ENVIRONMENT if word.encode() in content]
    assert found == []


def test_the_page_has_no_script_of_its_own_and_names_only_files_that_are_there(files: dict[str, bytes]) -> None:
    page = files["index.html"].decode()
    assert re.findall(r"<script[^>]*>([^<]*)", page) == [""]
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(named) == 3
    for address in named:
        assert address == "data:," or address.removeprefix("/meeting/static/") in files


def test_every_file_is_served_with_its_type_and_says_who_wrote_it(files: dict[str, bytes], tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    built = load(tmp_path)
    assert isinstance(built, Built)
    served = {name for name in files if not name.endswith(".gz") and name != "index.html"}
    assert set(built.assets) == served
    assert b"@100mslive/roomkit-react 0.5.7 (MIT)" in built.assets["licences.txt"].content
    script = next(asset for name, asset in built.assets.items() if name.endswith(".js"))
    assert script.gzipped is not None
    assert len(script.gzipped) < 1_000_000  # what a visitor has to load: 0.75 MB


def test_a_change_that_does_not_fit_any_more_stops_the_build(files: dict[str, bytes]) -> None:
    trial = 'import { patched } from "./patches.mjs"; patched("a new version of the published file");'
    done = subprocess.run(
        ["node", "--input-type=module", "-e", trial], cwd=UI, timeout=60, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "found 0 times instead of 1" in done.stderr


def test_the_package_has_the_page_and_all_that_is_read_at_run_time_in_it(built: None, tmp_path: Path) -> None:
    root = UI.parent
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), str(root)),
        ],
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("callboard-*.whl")
    with zipfile.ZipFile(wheel) as package:
        packed = set(package.namelist())
    static = root / "src" / "callboard" / "meeting" / "static"
    wanted = [*static.iterdir(), *(root / "src").rglob("*.sql"), *(root / "src").rglob("*.py")]
    assert {str(path.relative_to(root / "src")) for path in wanted} - packed == set()
    assert "callboard/meeting/static/index.html" in packed
