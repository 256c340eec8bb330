"""The callboard: a line for each event, as the receiver got it.

Owns: `Board`, which shows rows in a live table on a terminal and as plain lines elsewhere.

Always holds: each event is shown once, in the order of arrival. Latency is from the commit in the ledger to
the moment the receiver had the whole request, by the same machine's clock.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from callboard.clock import NANOSECONDS
from callboard.demo.seen import Delivered

COLUMNS = ("seq", "time (UTC)", "event", "who", "why", "commit to receipt")


def row(delivered: Delivered, committed_at: int | None) -> tuple[str, str, str, str, str, str]:
    """The cells of one event; without the instant of its commit, without the latency. Pure."""
    event = delivered.event
    at = datetime.fromtimestamp(delivered.at // NANOSECONDS, UTC)
    milliseconds = delivered.at // 1_000_000 % 1000
    return (
        str(event.seq),
        f"{at:%H:%M:%S}.{milliseconds:03d}",
        event.type,
        event.who,
        event.why,
        "?" if committed_at is None else f"{(delivered.at - committed_at) / 1_000_000:.1f} ms",
    )


class Board(AbstractContextManager["Board"]):
    """Shows events on `console` while it is entered."""

    def __init__(self, console: Console) -> None:
        self.rows = 0
        self._console = console
        self._table = Table(*COLUMNS, title="Callboard: what the backend was told")
        self._live = (
            Live(self._table, console=console, auto_refresh=False, vertical_overflow="visible")
            if console.is_terminal
            else None
        )

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, delivered: Delivered, committed_at: int | None) -> None:
        """Add an event."""
        self.rows += 1
        cells = row(delivered, committed_at)
        if self._live is not None:
            self._table.add_row(*(Text(cell) for cell in cells))
            self._live.refresh()
        else:
            seq, at, kind, who, why, latency = cells
            line = f"{seq:>4} {at} {kind:<22} {who:<8} {why} [{latency}]"
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """A line between the events, or above the table."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
