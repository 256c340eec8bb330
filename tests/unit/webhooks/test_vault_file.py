"""Where the master keys come from."""

from __future__ import annotations

import logging
import secrets
import stat
from pathlib import Path

import pytest

from callboard.webhooks.vault import MasterKey, UnknownMasterKey, Vault, VaultError
from callboard.webhooks.vault_file import FILE, open_vault

OLD, NEW = MasterKey.of(b"o" * 32), MasterKey.of(b"n" * 32)


def opened(folder: Path, setting: str = "", sealed: str = "") -> Vault:
    return open_vault(setting, folder, secrets.token_bytes, sealed=sealed)


def test_the_first_start_makes_a_file_for_its_owner_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "callboard.webhooks")
    sealed = opened(tmp_path).seal(b"secret", "x")
    file = tmp_path / FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [FILE], "nothing else is left behind"
    assert opened(tmp_path, sealed="endpoint 1").open(sealed, "x") == b"secret"
    key = file.read_text().splitlines()[-1]
    assert str(file) in caplog.text
    assert key not in caplog.text


def test_no_file_is_made_where_something_is_sealed_already(tmp_path: Path) -> None:
    with pytest.raises(VaultError) as raised:
        opened(tmp_path, sealed="endpoint 68a")
    message = str(raised.value)
    for part in ("endpoint 68a is encrypted", str(tmp_path / FILE), "webhooks.master_key", "If it is lost"):
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_a_setting_wins_and_no_file_is_made(tmp_path: Path) -> None:
    sealed = opened(tmp_path, OLD.text).seal(b"secret", "x")
    assert list(tmp_path.iterdir()) == []
    for setting in (f"{NEW.text},{OLD.text}", f"{NEW.text} {OLD.text}", f"{NEW.text}, {OLD.text}"):
        vault = opened(tmp_path, setting)
        assert vault.open(sealed, "x") == b"secret"
        assert vault.current == NEW.id


def test_a_file_may_have_older_keys_after_the_first(tmp_path: Path) -> None:
    sealed = opened(tmp_path).seal(b"secret", "x")
    file = tmp_path / FILE
    file.write_text(f"# new\n{NEW.text}\n\n# old\n{file.read_text()}")
    assert opened(tmp_path).open(sealed, "x") == b"secret"
    assert opened(tmp_path).current == NEW.id


@pytest.mark.parametrize(
    ("content", "reason"), [("", "no master key in it"), ("# x\n", "no master key"), ("secret\n", "32")]
)
def test_a_file_without_a_usable_key_is_named_and_stays(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / FILE
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(VaultError, match=reason) as raised:
        opened(tmp_path)
    assert str(raised.value).startswith(str(file))
    assert "secret" not in str(raised.value)
    assert file.read_text() == content


def test_a_setting_without_a_usable_key_is_named() -> None:
    with pytest.raises(VaultError, match=r"^webhooks.master_key: .*openssl rand -base64 32"):
        opened(Path("/nowhere"), "abc")


def test_another_key_in_the_file_is_told_with_the_files_name(tmp_path: Path) -> None:
    sealed = opened(tmp_path, OLD.text).seal(b"secret", "endpoint 1")
    with pytest.raises(UnknownMasterKey, match=f"{OLD.id}, which is not among those in {tmp_path / FILE}"):
        opened(tmp_path).open(sealed, "endpoint 1")


def test_a_file_that_others_can_read_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(tmp_path)
    assert "chmod" not in caplog.text
    (tmp_path / FILE).chmod(0o640)
    opened(tmp_path)
    assert "chmod 600" in caplog.text


def test_of_two_processes_that_start_at_the_same_time_both_use_the_key_of_the_faster(tmp_path: Path) -> None:
    faster: list[Vault] = []

    def overtaken(count: int) -> bytes:
        if count == 32 and not faster:  # the slower one makes its key: in this moment the other one is done with it
            faster.append(opened(tmp_path))
        return secrets.token_bytes(count)

    slower = open_vault("", tmp_path, overtaken, sealed="")
    assert slower.open(faster[0].seal(b"secret", "x"), "x") == b"secret"
    assert [one.name for one in tmp_path.iterdir()] == [FILE]


def test_a_folder_that_cannot_be_written_to_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        opened(tmp_path / "absent")
