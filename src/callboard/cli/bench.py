"""`callboard bench`: proofs that users can run on their own machine.

Owns: the command line of the drill in `drill/`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from callboard.drill.drill import drill
from callboard.drill.points import POINTS
from callboard.drill.verdict import RANDOM, Round, Verdict

app = typer.Typer(help="Proofs to run on your own machine and disk.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Proofs to run on your own machine and disk."""


@app.command()
def kill(
    rounds: Annotated[int, typer.Option(min=1, help="How often to kill.")] = 200,
    database: Annotated[
        str, typer.Option(help="An empty database: postgresql://…; else a new SQLite file in a temporary folder.")
    ] = "",
    nodes: Annotated[int, typer.Option(min=1, max=8, help="Processes at a time; more than 1 on PostgreSQL.")] = 1,
    seed: Annotated[int, typer.Option(help="Repeats the same choices.")] = 0,
) -> None:
    """Kill a delivering process again and again (SIGKILL), and count what its receiver got.

    At named points of an event's way, with one event at a time, and at any moment, alone and in a crowd. Ends with 0
    when nothing was lost, invented or out of order, and nothing repeated more than once by a kill.
    """
    if nodes > 1 and not database.startswith("postgres"):
        raise typer.BadParameter("several processes share a PostgreSQL database: give --database", param_hint="--nodes")
    console = Console()
    began = time.monotonic()

    def progress(number: int, _: Round) -> None:
        if number and number % 50 == 0:
            console.print(f"{number} of {rounds} kills, {time.monotonic() - began:.0f} s")

    with tempfile.TemporaryDirectory(prefix="callboard-kill-") as name:
        folder = Path(name)
        url = database or f"sqlite:///{folder / 'callboard.db'}"
        killed, verdict = asyncio.run(drill(url, folder, rounds, nodes, seed, progress))
    console.print(table(killed, verdict))
    console.print(
        f"{len(killed)} kills in {time.monotonic() - began:.0f} s, {verdict.events} events: {verdict.lost} lost,"
        f" {verdict.unknown} not in the ledger, {verdict.forgotten} acknowledged and gone, {verdict.disordered} out of"
        f" order; no event repeated more than {verdict.most} times by one kill."
    )
    if verdict.broken:
        console.print("BROKEN:", *(f"\n  {broken}" for broken in verdict.broken), sep="")
        sys.exit(1)


def table(rounds: list[Round], verdict: Verdict) -> Table:
    """A line for each point."""
    shown = Table("killed", "events under way", "kills", "repeated by a kill: median", "most", box=None)
    for point in (*POINTS, RANDOM):
        for alone in (True, False):
            counts = [n for one, n in zip(rounds, verdict.repeated, strict=True) if one == Round(point, alone)]
            if counts:
                median, most = statistics.median(counts), max(counts)
                shown.add_row(point, "one" if alone else "many", f"{len(counts)}", f"{median:g}", f"{most}")
    return shown
