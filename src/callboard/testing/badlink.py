"""A bad network between this host and itself, for tests: packets of chosen UDP ports are dropped, by the kernel.

Owns: `BadLink`, `usable`. Needs root and Debian's package nftables.

Always holds: the rules are in a table that belongs to the `nft` process that made it (`flags owner`, nft(8)): they are
gone when it ends, and it ends when its standard input does, also when we are killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from types import TracebackType


def usable() -> str:
    """Why rules cannot be made here; "" when they can."""
    if shutil.which("nft") is None:
        return "nft is not installed (Debian: nftables)"
    return "" if os.geteuid() == 0 else "only root may drop packets"


class BadLink:
    """`with BadLink((21000, 21999)) as link`: what comes from, or goes to, these UDP ports can be dropped.

    When a method returns, what it says is in force.
    """

    def __init__(self, ports: tuple[int, int]) -> None:
        self._ports = f"{ports[0]}-{ports[1]}"
        self._table = f"inet callboard_test_{os.getpid()}_{ports[0]}"
        self._nft: subprocess.Popen[str] | None = None

    def __enter__(self) -> BadLink:
        nft = shutil.which("nft")
        assert nft is not None, usable()
        self._nft = subprocess.Popen(  # noqa: S603 - our own words to a program of the system
            [nft, "-i"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._say(f"add table {self._table} {{ flags owner; }}")
        self._say(f"add chain {self._table} drops {{ type filter hook input priority 0; }}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._nft is not None
        self._nft.communicate()

    def lose(self, per_cent: int) -> None:
        """From now on so many of the packets *from* these ports are lost, at random: a bad downlink."""
        self._rule(f"udp sport {self._ports} numgen random mod 100 < {per_cent} drop")

    def lose_sent(self, per_cent: int) -> None:
        """From now on so many of the packets *to* these ports are lost, at random: a bad uplink."""
        self._rule(f"udp dport {self._ports} numgen random mod 100 < {per_cent} drop")

    def lose_each(self, number: int) -> None:
        """From now on the last of each `number` packets *to* these ports is lost: as many as at random, but never what
        is sent in a lost one's place."""
        self._rule(f"udp dport {self._ports} numgen inc mod {number} == {number - 1} drop")

    def cut(self) -> None:
        """From now on nothing passes, either way."""
        self._rule(f"udp sport {self._ports} drop", f"udp dport {self._ports} drop")

    def mend(self) -> None:
        """Everything passes again."""
        self._rule()

    def _rule(self, *rules: str) -> None:
        self._say(f"flush chain {self._table} drops")
        for rule in rules:
            self._say(f"add rule {self._table} drops {rule}")
        self._say(f"list chain {self._table} drops")
        self._hear("}")

    def _hear(self, wanted: str) -> None:
        """Read until this line: what was said before it is in force."""
        assert self._nft is not None
        assert self._nft.stdout is not None
        while (line := self._nft.stdout.readline()).rstrip() != wanted:
            assert line, "nft has ended"

    def _say(self, command: str) -> None:
        assert self._nft is not None
        assert self._nft.stdin is not None
        self._nft.stdin.write(command + "\n")
        self._nft.stdin.flush()
