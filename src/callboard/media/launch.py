"""Become another program that dies with its parent and leaves no core file.

Run as `python -I -S launch.py <parent pid> <program> <argument>…`; imports nothing but the standard library.

Always holds: when the parent is gone, so is the program. (PR_SET_PDEATHSIG, prctl(2), watches the *thread*
that started it: start children from the thread that runs the event loop.) It is done here, after the fork, in
a fresh single-threaded interpreter: `preexec_fn` may deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1


def main(parent: int, command: list[str]) -> None:
    """Does not return: replaces this process by `command`."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Janus raises its own core limit, which root may do: then at least nothing of its memory goes into the
    # file.
    with suppress(OSError):
        Path("/proc/self/coredump_filter").write_text("0", encoding="ascii")
    os.execvp(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
