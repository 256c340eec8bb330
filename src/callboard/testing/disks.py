"""Disks that are full, really: small file systems in memory.

Owns: `SmallDisk`.

Always holds: what was mounted is unmounted when the disk ends.
"""

from __future__ import annotations

import os
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

_BLOCK = 65_536


class SmallDisk:
    """A file system of `size` bytes at `path`, which is made. Within `with`; all its methods block.

    Raises `OSError` there where nothing may be mounted (it takes root).
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self._size = size
        self._ending = threading.Event()
        self._filling: threading.Thread | None = None

    def __enter__(self) -> SmallDisk:
        self.path.mkdir(parents=True)
        command = ("mount", "-t", "tmpfs", "-o", f"size={self._size}", "callboard-test", str(self.path))
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the command is ours
        if done.returncode != 0:
            raise OSError(done.stderr.strip())
        return self

    def __exit__(self, *_: object) -> None:
        self._end_filling()
        command = ("umount", "-l", str(self.path))
        subprocess.run(command, check=True)  # noqa: S603 - the command is ours

    def fill(self, left: int = 0) -> None:
        """Leave so many bytes free, at most."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):  # "no space left" is what is wanted
            while (more := self.free - left) > 0:
                file.write(bytes(min(_BLOCK, more)))

    def stay_full(self) -> None:
        """Leave nothing free, and take what anybody gives back, until `clear`."""
        self.fill()
        self._ending.clear()
        self._filling = threading.Thread(target=self._fill_again)
        self._filling.start()

    def clear(self) -> None:
        """Give back what was filled."""
        self._end_filling()
        self._filler.unlink(missing_ok=True)

    @property
    def free(self) -> int:
        """Bytes."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def _fill_again(self) -> None:
        while not self._ending.wait(0.005):
            self.fill()

    def _end_filling(self) -> None:
        if self._filling is not None:
            self._ending.set()
            self._filling.join()
            self._filling = None

    @property
    def _filler(self) -> Path:
        return self.path / "filler"
