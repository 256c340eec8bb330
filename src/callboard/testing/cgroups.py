"""Control groups with little memory, in which the kernel kills for want of it.

Owns: `MemoryGroup`.

Always holds: who was in the group when it ends is killed, and the group is gone.
"""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path

_ONE, _TWO = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")


class MemoryGroup:
    """Within `with`. Raises `OSError` there if no group can be made here (it takes root, and a writable /sys/fs/cgroup
    of version 2 with the memory controller, or of version 1)."""

    def __init__(self, name: str) -> None:
        self.version = 1 if (_ONE / "memory.limit_in_bytes").exists() else 2
        self.path = (_ONE if self.version == 1 else _TWO) / f"callboard-{name}-{os.getpid()}"

    def __enter__(self) -> MemoryGroup:
        self.path.mkdir()
        if self.version == 2 and not (self.path / "memory.max").exists():
            self.path.rmdir()
            raise OSError("the memory controller is not delegated")
        return self

    def __exit__(self, *_: object) -> None:
        for _attempt in range(200):
            for pid in (self.path / "cgroup.procs").read_text(encoding="ascii").split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            with suppress(OSError):  # somebody is still dying
                self.path.rmdir()
                return
            time.sleep(0.01)

    def add(self, pid: int) -> None:
        (self.path / "cgroup.procs").write_text(str(pid), encoding="ascii")

    def limit(self, size: int) -> None:
        """From now on the group may hold so many bytes."""
        name = "memory.limit_in_bytes" if self.version == 1 else "memory.max"
        (self.path / name).write_text(str(size), encoding="ascii")
        if self.version == 2 and (self.path / "memory.swap.max").exists():
            (self.path / "memory.swap.max").write_text("0", encoding="ascii")

    @property
    def used(self) -> int:
        """Bytes that it holds."""
        name = "memory.usage_in_bytes" if self.version == 1 else "memory.current"
        return int((self.path / name).read_text(encoding="ascii"))

    @property
    def kills(self) -> int:
        """How many of it the kernel has killed."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        found = re.search(r"^oom_kill (\d+)$", (self.path / name).read_text(encoding="ascii"), re.MULTILINE)
        return int(found[1]) if found else 0
