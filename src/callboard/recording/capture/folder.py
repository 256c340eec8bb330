"""The capture folder: where Janus writes, where files are made of that, and how full the disk is.

Owns: `CaptureFolder`, `new_part`.

Always holds: a folder has an id of its own, in a file, so that a worker on another machine can tell whether the folder
that it sees is the one in which a session was captured (`capture.folder`), instead of taking its absence for a loss.
Nothing in here is needed any more once its session is released. Every method touches the disk: call it in a thread.
"""

from __future__ import annotations

import glob
import logging
import os
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from callboard.media.capture import check_base

MARKER: Final = ".callboard-captures"
DERIVED: Final = "derived"
RAW: Final = "raw"
STALE_SECONDS: Final = 600.0
_ID_LENGTH = 24

log = logging.getLogger("callboard.recording")


class CaptureFolder:
    """Made by `open_folder`. `id` is the folder's own; `raw` holds capture files, `derived` what is made of them."""

    def __init__(self, path: Path, folder_id: str) -> None:
        self.path = path
        self.id = folder_id

    def base(self, room_id: str, name: str) -> str:
        """The path with which the files of one connection begin (`media.capture.file_name`); its folder is made.

        Raises `OSError`, and `ValueError` when the path is too long for Janus.
        """
        folder = self.path / RAW / room_id
        folder.mkdir(parents=True, exist_ok=True)
        return check_base(str(folder / name))

    def relative(self, file: str) -> str:
        """A capture file as it is stored in the database."""
        return str(Path(file).relative_to(self.path))

    def derived(self, session_id: str) -> Path:
        """The folder for what is made of a session, which is made."""
        folder = self.path / DERIVED / session_id
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def free(self) -> int:
        """Bytes that are free on its disk. Raises `OSError`."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def used(self) -> int:
        """Bytes that captures and what was made of them take. Raises `OSError`."""
        return sum(entry.stat().st_size for entry in self.path.rglob("*") if entry.is_file())

    def remove(self, session_id: str, files: Iterable[str]) -> None:
        """Delete the session's capture files, what Janus wrote beside them, and all that was made of them.

        What is not there is as good as deleted. Raises `OSError`.
        """
        for file in files:
            path = self.path / file
            for found in path.parent.glob(f"{_base_of(path.name)}-*.mjr"):
                found.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()  # the last one of its room
        shutil.rmtree(self.path / DERIVED / session_id, ignore_errors=True)

    def remove_strays(self, known: Collection[str]) -> int:
        """Delete capture files that no session knows: of connections on which nothing was published when the process
        died. Only while nobody writes. Returns how many."""
        bases = {str(Path(file).parent / _base_of(Path(file).name)) for file in known}
        count = 0
        for file in (self.path / RAW).glob("*/*.mjr"):
            relative = file.relative_to(self.path)
            if str(relative.parent / _base_of(relative.name)) not in bases:
                file.unlink(missing_ok=True)
                count += 1
        return count


def new_part(file: Path) -> Path:
    """Under which name a file, or what it is made in, is to grow until it is whole: nobody else's.

    Two may make the same: who has lost his job to another one, or a program that he started, may not know it yet, and
    goes on writing. What nobody has written to for `STALE_SECONDS` is deleted: the dead do not tidy up.
    """
    now = time.time()
    for left in file.parent.glob(f"{glob.escape(file.name)}.*.part"):
        with suppress(OSError):  # somebody else has just deleted it
            if now - max(one.stat().st_mtime for one in (left, *left.rglob("*"))) < STALE_SECONDS:
                continue
            if left.is_dir():
                shutil.rmtree(left)
            else:
                left.unlink()
    return file.with_name(f"{file.name}.{secrets.token_hex(6)}.part")


def _base_of(name: str) -> str:
    """The part of a capture file's name that all files of its connection share."""
    return name.rsplit("-", 2)[0]


def open_folder(path: Path, new_id: Callable[[], str]) -> CaptureFolder:
    """The capture folder at `path`, made if it is not there. Raises `OSError`, `ValueError` (its path is too long)."""
    path = path.absolute()
    (path / RAW).mkdir(parents=True, exist_ok=True)
    check_base(str(path / RAW / ("0" * _ID_LENGTH) / ("0" * _ID_LENGTH)))
    marker = path / MARKER
    if not marker.exists():
        fresh = marker.with_name(f"{MARKER}.{os.getpid()}")
        fresh.write_text(new_id(), encoding="ascii")
        with suppress(FileExistsError):
            os.link(fresh, marker)  # another process may have been faster: its id counts
        fresh.unlink()
    return CaptureFolder(path, marker.read_text(encoding="ascii").strip())
