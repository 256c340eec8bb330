"""Memory that the kernel takes back by killing.

Owns: `oom_kills`.
"""

from __future__ import annotations

import re
from pathlib import Path


def oom_kills(file: Path = Path("/proc/vmstat")) -> int:
    """How many processes the kernel has killed for want of memory, its own or a control group's, since it started."""
    try:
        found = re.search(r"^oom_kill (\d+)$", file.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) if found else 0
