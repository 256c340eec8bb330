"""A directory of our own for one child process.

Owns: `PrivateFolder`.

Always holds: nobody else may enter it, and while it is in use it is locked (flock), which also keeps
systemd-tmpfiles away from it. Directories that earlier runs of the same user left behind (SIGKILL, power) are locked
by nobody, and removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from callboard.media.contract import EngineStartError


class PrivateFolder:
    """Make one with `make`; `remove` it when its process has ended."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def make(cls, parent: Path | None, prefix: str) -> PrivateFolder:
        """A new directory in `parent` (default: the system's temporary one). Raises `EngineStartError`."""
        base = parent if parent is not None else Path(tempfile.gettempdir())
        try:
            base.mkdir(parents=True, exist_ok=True)
            for old in base.glob(f"{prefix}*"):
                lock = _lock(old)
                if lock is not None:
                    cls(old, lock).remove()
            path = Path(tempfile.mkdtemp(prefix=prefix, dir=base))
        except OSError as error:
            raise EngineStartError(f"cannot make a directory in {base}: {error}") from error
        taken = _lock(path)
        if taken is None:
            raise EngineStartError(f"cannot lock the directory {path}")
        return cls(path, taken)

    def remove(self) -> None:
        """Remove it with all that is in it. Idempotent."""
        lock, self._lock = self._lock, None
        if lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def _lock(path: Path) -> int | None:
    """Lock a directory of ours; `None` when it is in use, no directory, or somebody else's."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_uid == os.geteuid():
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
    except BlockingIOError:
        pass
    os.close(handle)
    return None
