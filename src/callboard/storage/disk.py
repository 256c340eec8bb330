"""What `folder.py` does on the disk: plain blocking functions, run in a thread.

Owns: files that are being written (`Incoming`), giving them their name, reading, removing, listing.

Always holds: `publish` returns after file and folders were synced. A file that is being written is locked (flock),
so what a killed process left behind can be told from what another process is writing: `remove_leftovers`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
import threading
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from callboard.storage.content_types import content_type_of
from callboard.storage.interface import Entry

INCOMING = ".incoming"
"""The folder, below the root, of files that are being written."""

CONTENT_TYPE_ATTRIBUTE = "user.mime_type"
"""Extended attribute with a file's content type (freedesktop.org, "Common Extended Attributes"), if its name does not
say it already. A file system without extended attributes loses it."""

_ATTEMPTS = 10


class Incoming:
    """A file that is being written below `root`, which must exist: `open`, `write`…, `publish`, and always `close`.

    The lock makes `close` wait for a write whose caller was cancelled: its thread goes on, and the descriptor must
    not be another file's by then.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._path: Path | None = None
        self._descriptor = -1
        self._closed = False
        self._lock = threading.Lock()

    def open(self) -> None:
        with self._lock:
            if not self._closed:
                folder = self._root / INCOMING
                folder.mkdir(exist_ok=True)
                self._path, self._descriptor = _create_locked(folder)

    def write(self, data: bytes) -> None:
        """Append all of `data`."""
        with self._lock:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]

    def publish(self, target: Path, content_type: str) -> None:
        """Make it the file at `target`, below the root, in place of what is there."""
        with self._lock:
            if content_type != content_type_of(target.name):
                with suppress(OSError):  # no extended attributes here: the name has to do
                    os.setxattr(self._descriptor, CONTENT_TYPE_ATTRIBUTE, content_type.encode())
            os.fsync(self._descriptor)
            self._rename(target)
            for folder in target.parents:
                if folder == self._root:
                    break
                with suppress(FileNotFoundError):  # removed since, with the file: nothing is left in it to be kept
                    _sync_folder(folder)
            _sync_folder(self._root)

    def close(self) -> None:
        """Remove it if it was not published."""
        with self._lock:
            self._closed = True
            if self._path is not None:
                self._path.unlink(missing_ok=True)
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _rename(self, target: Path) -> None:
        assert self._path is not None
        for attempt in range(_ATTEMPTS):
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._path.replace(target)
            except (FileNotFoundError, FileExistsError):
                # `remove` took a folder away that was empty until now: before the file got there, or between `mkdir`
                # finding it there and asking whether it is a folder. Or a file lies where a folder should: that stays.
                if attempt == _ATTEMPTS - 1 or not self._root.exists():
                    raise
            else:
                return


def remove_leftovers(root: Path) -> int:
    """Remove what processes that are gone were writing; how many files that were."""
    removed = 0
    for path in (root / INCOMING).glob("*"):
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed += 1
    return removed


def is_inside(root: Path, path: Path) -> bool:
    """Whether no symbolic link on the way to `path` leads out of `root`."""
    try:
        return path.parent.resolve().is_relative_to(root.resolve())
    except RuntimeError:  # links that lead to each other
        return False


def check_space(root: Path, size: int) -> None:
    """Raises `OSError` ENOSPC if the file system has not `size` bytes left: before it is full for everybody else."""
    free = shutil.disk_usage(root).free
    if free < size:
        raise OSError(errno.ENOSPC, f"{free} bytes free, {size} needed")


def open_object(path: Path) -> BinaryIO:
    """Open for reading. Raises `IsADirectoryError` for what is no regular file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise IsADirectoryError(errno.EISDIR, "not a regular file")
    return file


def read_block(file: BinaryIO, start: int, size: int) -> bytes:
    """At most `size` bytes from `start` on; b"" at the end."""
    file.seek(start)
    return file.read(size)


def entry_of(key: str, path: Path) -> Entry:
    """Raises `IsADirectoryError` for what is no regular file."""
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a regular file")
    return Entry(key, found.st_size, found.st_mtime_ns, f'"{found.st_mtime_ns:x}-{found.st_size:x}"')


def content_type(path: Path) -> str:
    """What `Incoming.publish` was told, or else the name says."""
    entry_of(path.name, path)
    try:
        return os.getxattr(path, CONTENT_TYPE_ATTRIBUTE).decode()
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
        return content_type_of(path.name)


def remove(root: Path, path: Path) -> None:
    """Remove the file, if there is one, and the folders that are empty without it."""
    with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        path.unlink()
    for folder in path.parents:
        if folder == root:
            return
        try:
            folder.rmdir()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:  # not empty
            return


def scan(root: Path, folder: Path) -> tuple[list[Entry], list[Path]]:
    """The objects directly in `folder`, and the folders in it. Nothing if it is no folder."""
    entries: list[Entry] = []
    folders: list[Path] = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as found:
        for item in found:
            path = Path(item.path)
            if item.is_dir(follow_symlinks=False):
                folders += [path] if path != root / INCOMING else []
            elif item.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):  # removed since
                    entries.append(entry_of(path.relative_to(root).as_posix(), path))
    return entries, folders


def _create_locked(folder: Path) -> tuple[Path, int]:
    for _ in range(_ATTEMPTS):
        path = folder / secrets.token_hex(16)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # `remove_leftovers` was faster: it is removing the file
            os.close(descriptor)
            continue
        if os.fstat(descriptor).st_nlink:
            return path, descriptor
        os.close(descriptor)
    raise OSError(errno.EBUSY, "no file can be created: others keep removing it")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
