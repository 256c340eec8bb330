"""The last lines that a child process printed.

Owns: `LogRing`.

Always holds: bounded, in lines and in characters a line. The secrets it was given do not appear in it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

MAX_LINE: Final = 500
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")
# What Janus says of each plugin that we do not want, and of each probe of ours (`videoroom.py`).
# And of each peer that leaves last: it takes leave of a room that is gone.
_NOISE: Final = (
    "has been disabled, skipping",
    '"configure" on unconfigured participant',
    "janus_videoroom_leave_or_unpublish",
)


class LogRing:
    """Fed with chunks of output, keeps its last `limit` lines."""

    def __init__(self, limit: int, secrets: Iterable[str] = ()) -> None:
        self._lines: deque[str] = deque(maxlen=limit)
        self._secrets = tuple(secret for secret in secrets if secret)
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Take a chunk as it was read; the lines that it completed."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        # An endless line is cut, not collected.
        self._rest = rest[: 4 * MAX_LINE]
        added = [text for text in map(self._clean, lines) if text and not any(n in text for n in _NOISE)]
        self._lines.extend(added)
        return added

    def tail(self, count: int = 20) -> str:
        """The last `count` lines, and what was printed after the last line break."""
        lines = [*self._lines, *([self._clean(self._rest)] if self._rest.strip() else [])]
        return "\n".join(lines[-count:])

    def _clean(self, line: bytes) -> str:
        text = _COLOURS.sub("", line.decode(errors="replace")).strip()[:MAX_LINE]
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text
