"""`callboard doctor`: what is missing, blocked or about to run out on this machine."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callboard.cli.common import ConfigOption, settings_from
from callboard.clock import SystemClock
from callboard.config import Settings
from callboard.doctor import Finding, Verdict, examine

MARKS = {Verdict.WELL: ("✓", "green"), Verdict.CARE: ("!", "yellow"), Verdict.BROKEN: ("✗", "red")}


def doctor(
    config: ConfigOption = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a table.")] = False,
) -> None:
    """Look whether this machine has what a server with these settings needs: programs, ports, addresses, TURN, disk,
    database. Changes nothing; can be run beside a running server. Exit code 1 if something is broken."""
    findings = asyncio.run(_all(settings_from(config), as_json=json))
    if not json:
        Console().print(table(findings))
    if any(finding.verdict is Verdict.BROKEN for finding in findings):
        raise typer.Exit(1)


def table(findings: list[Finding]) -> Table:
    """The findings for people: what is not well comes with what to do."""
    shown = Table(box=None, padding=(0, 1), show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for finding in findings:
        mark, colour = MARKS[finding.verdict]
        text = Text(finding.found)
        if finding.remedy:
            text.append(f"\n→ {finding.remedy}", style=colour)
        shown.add_row(Text(mark, style=colour), Text(finding.subject), text)
    return shown


async def _all(settings: Settings, *, as_json: bool) -> list[Finding]:
    """Every finding; as JSON they are printed as they come."""
    findings = []
    async for finding in examine(settings, SystemClock()):
        findings.append(finding)
        if as_json:
            sys.stdout.write(msgspec.json.encode(finding).decode() + "\n")
    return findings
