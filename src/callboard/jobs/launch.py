"""Become another program that dies with its parent, and before it for want of memory, is nice to others and leaves no
core file.

Run as `python -I -S launch.py <parent pid> <niceness> <bytes of memory, 0: any> <program> <argument>…`; imports
nothing but the standard library.

Always holds: when the parent is gone, so is the program. (PR_SET_PDEATHSIG, prctl(2), watches the *thread* that
started it: start children from the thread that runs the event loop.) It is done here, after the fork, in a fresh
single-threaded interpreter: `preexec_fn` may deadlock in a process with threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
OFFERED_FIRST = b"1000"
"""Of -1000 to 1000, where ours is 0 (proc(5), oom_score_adj): when memory runs out, of the machine or of our control
group, the kernel kills the child and not us. A killed program is a failed try, a killed server an outage."""
NOT_FOUND = 127
"""The exit code when there is no such program (POSIX sh)."""


def main(parent: int, niceness: int, memory: int, command: list[str]) -> None:
    """Does not return: replaces this process by `command`."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        sys.exit("the parent is gone already")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    with contextlib.suppress(OSError):  # raising it needs no privilege; where there is no /proc it stays as it is
        score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        os.write(score, OFFERED_FIRST)
    os.nice(niceness)
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201 - for whoever started it
        sys.exit(NOT_FOUND)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
