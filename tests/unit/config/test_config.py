"""Settings: one commented file, the environment on top, and errors that say where and what is allowed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from callboard.config import ConfigError, IceServer, Settings, default_toml, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "callboard.toml"


def wrong(file: Path, text: str, **environ: str) -> list[str]:
    """What `load` complains about, without the folder of the file."""
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(file, environ)
    return [problem.replace(f"{file.parent}/", "") for problem in caught.value.problems]


def test_the_default_file_says_what_the_defaults_are(file: Path) -> None:
    file.write_text(default_toml())
    assert load(file, {}) == Settings()


def test_every_setting_stands_in_the_default_file_under_a_comment() -> None:
    text = default_toml()
    lines = text.splitlines()
    keys = [line.split(" = ")[0] for line in lines if " = " in line and not line.startswith("#")]
    read = tomllib.loads(text)
    assert sorted(keys) == sorted(
        [key for section in read.values() if isinstance(section, dict) for key in section] + ["data_dir"]
    )
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# Allowed: "), line
            assert lines[number - 2].startswith("# "), line


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None, {}) == Settings()


def test_what_the_file_leaves_out_has_its_default(file: Path) -> None:
    file.write_text(
        '[server]\nport = 9000\n[[media.ice_servers]]\nurls = ["stun:a"]\n[[media.ice_servers]]\nurls = ["stun:b"]'
    )
    settings = load(file, {})
    assert (settings.server.port, settings.server.host) == (9000, "127.0.0.1")
    assert settings.media.ice_servers == (IceServer(urls=("stun:a",)), IceServer(urls=("stun:b",)))
    assert settings.rooms == Settings().rooms


@pytest.mark.parametrize(
    ("variable", "value", "section", "key", "expected"),
    [
        ("CALLBOARD_SERVER__PORT", "9000", "server", "port", 9000),
        ("CALLBOARD_SERVER__HOST", "0.0.0.0", "server", "host", "0.0.0.0"),
        (
            "CALLBOARD_SERVER__CORS_ORIGINS",
            "https://a, https://b",
            "server",
            "cors_origins",
            ("https://a", "https://b"),
        ),
        ("CALLBOARD_SERVER__CORS_ORIGINS", '["https://a"]', "server", "cors_origins", ("https://a",)),
        ("CALLBOARD_ROOMS__RECONNECT_GRACE_SECONDS", "5", "rooms", "reconnect_grace_seconds", 5.0),
        ("CALLBOARD_WEBHOOKS__QUICK_RETRY_SECONDS", "[1, 2.5]", "webhooks", "quick_retry_seconds", (1.0, 2.5)),
        ("CALLBOARD_SERVER__CORS_ORIGINS", "", "server", "cors_origins", ()),
        ("CALLBOARD_LOG__LEVEL", "debug", "log", "level", "debug"),
        ("CALLBOARD_WORKSPACE__SECRET", "7" * 40, "workspace", "secret", "7" * 40),
        (
            "CALLBOARD_MEDIA__ICE_SERVERS",
            '[{urls = ["stun:a"]}]',
            "media",
            "ice_servers",
            (IceServer(urls=("stun:a",)),),
        ),
    ],
)
def test_a_variable_wins_over_the_file(
    file: Path, variable: str, value: str, section: str, key: str, expected: object
) -> None:
    file.write_text("[server]\nport = 1\nhost = 'h'\ncors_origins = []")
    assert getattr(getattr(load(file, {variable: value}), section), key) == expected


def test_the_key_outside_the_tables_has_a_variable_too() -> None:
    assert load(None, {"CALLBOARD_DATA_DIR": "/srv/callboard"}).data_dir == "/srv/callboard"


def test_variables_that_others_make_are_left_alone() -> None:
    environ = {"CALLBOARD_PORT": "tcp://10.0.0.1:80", "CALLBOARD_PORT_8080_TCP": "x", "PATH": "/bin", "CALLBOARD": "1"}
    assert load(None, environ) == Settings()


def test_an_unknown_key_is_an_error_with_its_line_and_the_name_that_was_meant(file: Path) -> None:
    assert wrong(file, "[server]\n\nprot = 9000\n") == [
        "callboard.toml:3: server.prot: there is no such key; did you mean port?"
    ]


def test_an_unknown_section_is_an_error(file: Path) -> None:
    assert wrong(file, "[sever]\nport = 9000\n") == [
        "callboard.toml:1: sever: there is no such key; did you mean server?"
    ]


def test_an_unknown_key_that_is_near_nothing_lists_what_there_is(file: Path) -> None:
    assert wrong(file, "[log]\nxyzzy = 1") == ["callboard.toml:2: log.xyzzy: there is no such key; known are level"]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[server]\nport = 70000", "server.port: must be an integer from 0 to 65535"),
        ("[server]\nport = '80'", "server.port: must be an integer from 0 to 65535"),
        ("[server]\nport = true", "server.port: must be an integer from 0 to 65535"),
        ("[log]\nlevel = 'loud'", 'log.level: must be "debug", "error", "info" or "warning"'),
        ("[log]\nlevel = 2020-01-01", 'log.level: must be "debug", "error", "info" or "warning"'),
        (
            "[rooms]\nreconnect_grace_seconds = 0",
            "rooms.reconnect_grace_seconds: must be a number above 0, of at most 3600",
        ),
        ("[server]\ncors_origins = ['a', 1]", "server.cors_origins[1]: must be a text"),
        ("[workspace]\nsecret = 'hunter2'", "workspace.secret: must be empty, or 32 to 512 characters"),
        (
            "[database]\nurl = 'mysql://u:hunter2@h/d'",
            "database.url: must be empty, sqlite:PATH or postgresql://USER:PASSWORD@HOST/NAME",
        ),
        ("[webhooks]\nretry_jitter = nan", "webhooks.retry_jitter: must be a number of at least 0, below 1"),
        (
            "[server]\npublic_url = 'rooms.example.org'",
            "server.public_url: must be http:// or https://, a host, maybe a port, and no path",
        ),
        ("[server]\ntls_cert = 'a.pem'", "server.tls_key: must be set: a certificate and its key belong together"),
        ("[media]\nport_max = 1024", "media.port_max: must be above port_min"),
        ("[webhooks]\nretry_most_seconds = 1", "webhooks.retry_most_seconds: must be at least retry_first_seconds"),
    ],
)
def test_a_wrong_value_is_an_error_that_says_where_and_what_is_allowed(file: Path, line: str, problem: str) -> None:
    (complaint,) = wrong(file, line)
    place, _, rest = complaint.partition(": ")
    assert rest == problem
    assert place in ("callboard.toml:2", "callboard.toml:1")
    assert "hunter2" not in complaint


def test_the_table_of_a_list_is_counted(file: Path) -> None:
    text = '[[media.ice_servers]]\nurls = ["stun:a"]\n\n[[media.ice_servers]]\nurls = "stun:b"\n'
    assert wrong(file, text) == [
        "callboard.toml:5: media.ice_servers[1].urls: must be a list that is not empty, each a text"
    ]


def test_a_wrong_variable_is_named(file: Path) -> None:
    assert wrong(file, "", CALLBOARD_SERVER__PORT="many") == [
        "environment variable CALLBOARD_SERVER__PORT: server.port: must be an integer from 0 to 65535"
    ]


def test_an_unknown_variable_is_named(file: Path) -> None:
    assert wrong(file, "", CALLBOARD_SEVER__PORT="1") == [
        "environment variable CALLBOARD_SEVER__PORT: sever: there is no such key; did you mean server?"
    ]


def test_a_variable_below_something_that_is_no_table_is_an_error(file: Path) -> None:
    assert wrong(file, "data_dir = 'x'", CALLBOARD_DATA_DIR__X="1") == [
        "environment variable CALLBOARD_DATA_DIR__X: there is no such setting"
    ]


def test_a_variable_cannot_smuggle_in_another_key(file: Path) -> None:
    assert wrong(file, "", CALLBOARD_SERVER__PORT="1\nhost = 'evil'") == [
        "environment variable CALLBOARD_SERVER__PORT: server.port: must be an integer from 0 to 65535"
    ]


def test_everything_that_is_wrong_is_said_at_once(file: Path) -> None:
    assert len(wrong(file, "[server]\nport = -1\nhots = ''\n[log]\nlevel = 1", CALLBOARD_ROOMS__X="1")) == 4


def test_what_is_not_toml_is_an_error_with_its_line(file: Path) -> None:
    (complaint,) = wrong(file, "[server]\nport = \n")
    assert complaint.startswith("callboard.toml: not TOML: ")
    assert "line 2" in complaint


def test_a_file_that_is_not_there_is_an_error(file: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file, {})


def test_a_file_that_is_not_text_is_an_error(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file, {})


def test_no_secret_is_in_the_repr_of_the_settings() -> None:
    secrets = {
        "CALLBOARD_WORKSPACE__SECRET": "hunter2" * 10,
        "CALLBOARD_DATABASE__URL": "postgresql://u:hunter2@h/d",
        "CALLBOARD_MEDIA__ICE_SERVERS": '[{urls = ["turn:t"], username = "u", credential = "hunter2"}]',
    }
    settings = load(None, secrets)
    assert settings.workspace.secret == "hunter2" * 10
    assert "hunter2" not in repr(settings)
