"""The commands as a user types them: what they print, and how they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from callboard.config import Settings, load
from callboard.events import CATALOGUE


def callboard(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in `folder`, where its settings and data are."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("CALLBOARD_")}
    return subprocess.run(
        [sys.executable, "-m", "callboard", *arguments],
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


COMMANDS = [
    *("serve", "demo", "doctor", "token", "listen", "endpoints", "events", "config", "version"),
    *("verify-recording", "marks", "recordings", "jobs", "trigger", "replay", "verify"),
]


def test_help_names_every_command(tmp_path: Path) -> None:
    done = callboard(tmp_path, "--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself(tmp_path: Path, command: str) -> None:
    done = callboard(tmp_path, command, "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 80


def test_the_printed_settings_are_the_defaults_and_can_be_read_back(tmp_path: Path) -> None:
    done = callboard(tmp_path, "config", "--write", "callboard.toml")
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "callboard.toml", {}) == Settings()


def test_settings_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "callboard.toml").write_text("# mine\n")
    done = callboard(tmp_path, "config", "--write", "callboard.toml")
    assert done.returncode == 1
    assert "exists" in done.stderr
    assert (tmp_path / "callboard.toml").read_text() == "# mine\n"


def test_a_wrong_setting_is_named_with_its_place_and_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "callboard.toml").write_text("[server]\nprot = 80\n")
    done = callboard(tmp_path, "serve")
    assert done.returncode == 2
    assert "callboard.toml:2" in done.stderr
    assert "port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_variable_is_named(tmp_path: Path) -> None:
    done = callboard(tmp_path, "serve", CALLBOARD_SERVER__PORT="many")
    assert done.returncode == 2
    assert "CALLBOARD_SERVER__PORT" in done.stderr


def test_serving_without_janus_names_the_package_to_install(tmp_path: Path) -> None:
    done = callboard(tmp_path, "serve", CALLBOARD_MEDIA__JANUS="/nowhere/janus", CALLBOARD_SERVER__PORT="0")
    assert done.returncode == 1
    assert "apt" in done.stderr
    assert "janus" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_token_has_three_parts_and_says_what_it_is_for(tmp_path: Path) -> None:
    management = callboard(tmp_path, "token")
    app = callboard(tmp_path, "token", "--room", "6" * 24, "--role", "guest", "--user", "u1")
    for done in (management, app):
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip().count(".") == 2


def test_every_event_type_is_listed_and_has_a_schema_and_a_sample(tmp_path: Path) -> None:
    listed = callboard(tmp_path, "events", "list").stdout
    for name in CATALOGUE:
        assert name in listed
    sample = json.loads(callboard(tmp_path, "events", "sample", "peer.leave.success").stdout)
    assert sample["type"] == "peer.leave.success"
    schema = json.loads(callboard(tmp_path, "events", "schema", "peer.leave.success").stdout)
    assert schema["$schema"]


def test_an_unknown_event_type_is_an_error_with_the_nearest_ones(tmp_path: Path) -> None:
    done = callboard(tmp_path, "events", "sample", "peer.leave.succes")
    assert done.returncode == 2
    assert "peer.leave.success" in done.stderr
    assert "Traceback" not in done.stderr


def test_listening_to_a_server_that_is_not_there_says_so(tmp_path: Path) -> None:
    done = callboard(tmp_path, "listen", "--url", "http://127.0.0.1:9", "--token", "x")
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_servers_in_one_data_folder_are_refused(tmp_path: Path) -> None:
    import fcntl

    (tmp_path / "callboard-data").mkdir()
    with (tmp_path / "callboard-data" / "callboard.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = callboard(tmp_path, "serve", CALLBOARD_SERVER__PORT="0")
    assert done.returncode == 1
    assert "data_dir" in done.stderr
    assert "Traceback" not in done.stderr
