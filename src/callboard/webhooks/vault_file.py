"""Where the master keys of the vault come from: the settings, or else a file in the data folder.

Owns: reading both, and making the file at the first start.

Always holds: the file is durable before anything is sealed with it, readable by its owner only, and never written
again. A new one is not made where something is sealed already: that could not be opened with it.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from callboard.webhooks.vault import KEY_BYTES, MasterKey, Vault, VaultError

FILE: Final = "webhook-master.key"
SETTING: Final = "webhooks.master_key"

_TEXT: Final = """\
# The master key of this Callboard: secrets of webhook endpoints in the database are encrypted with it.
# Back it up, apart from the database: without it they cannot be read any more.
# A new key goes before the others, one a line: the first encrypts, all decrypt.
"""

log = logging.getLogger("callboard.webhooks")


def open_vault(setting: str, folder: Path, random_bytes: Callable[[int], bytes], *, sealed: str) -> Vault:
    """The vault with the master keys in `setting` or, if that is empty, in the file in `folder`, which may be made.

    `sealed` names something that is sealed already, if there is anything. Raises `VaultError`, and `OSError` if the
    file cannot be read or written.
    """
    if setting.strip():
        return Vault(_keys(setting.replace(",", " ").split(), SETTING), random_bytes, SETTING)
    path = folder / FILE
    if not path.exists():
        if sealed:
            raise VaultError(
                f"{sealed} is encrypted, and the master key is missing: put back {path}, or set {SETTING} "
                "(CALLBOARD_WEBHOOKS__MASTER_KEY). If it is lost for good, so are the secrets: delete the rows of the "
                "table endpoint, and the buckets from the documents in the tables template and room, start, and create "
                "them anew"
            )
        _make(path, random_bytes)
    return Vault(_read(path), random_bytes, str(path))


def _read(path: Path) -> list[MasterKey]:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        log.warning("%s can be read by other users: chmod 600 it", path)
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return _keys([line for line in lines if line and not line.startswith("#")], str(path))


def _keys(texts: list[str], place: str) -> list[MasterKey]:
    if not texts:
        raise VaultError(f"{place}: there is no master key in it; put it back from its backup")
    try:
        return [MasterKey.parse(text) for text in texts]
    except VaultError as error:
        raise VaultError(f"{place}: {error} (openssl rand -base64 {KEY_BYTES} makes one)") from None


def _make(path: Path, random_bytes: Callable[[int], bytes]) -> None:
    """Make the file, whole or not at all; another process that is faster wins."""
    key = MasterKey.of(random_bytes(KEY_BYTES))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{FILE}.")  # its mode is 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{_TEXT}{key.text}\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        Path(name).unlink()
    log.info("made a master key for the secrets of webhook endpoints: %s (back it up)", path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
