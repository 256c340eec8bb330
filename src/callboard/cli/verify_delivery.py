"""`callboard verify`: is this delivery from Callboard, and if not, which part of it is wrong?"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from callboard.consumer import diagnose
from callboard.webhooks.signing import TOLERANCE

SECRET_VARIABLE = "CALLBOARD_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable


def verify(
    body: Annotated[
        Path,
        typer.Argument(help="File with the body, byte by byte as it came; - reads standard input.", allow_dash=True),
    ],
    *,
    headers: Annotated[
        list[str] | None, typer.Option("--header", "-H", help="'Name: value', as it came. Repeatable.")
    ] = None,
    header_file: Annotated[
        Path | None, typer.Option("--headers", help="File with the headers, one a line.", exists=True, dir_okay=False)
    ] = None,
    secrets: Annotated[
        list[str] | None,
        typer.Option("--secret", help=f"whsec_… or whpk_…; @FILE reads it. Repeatable. Without: {SECRET_VARIABLE}."),
    ] = None,
    now: Annotated[float | None, typer.Option(help="When it came, in seconds since 1970. Without: now.")] = None,
    tolerance: Annotated[float, typer.Option(help="Seconds by which clocks may differ.", min=0)] = TOLERANCE,
) -> None:
    """Check the signature of a delivery, and say of each part whether it is right: headers, clock, secret, body.

    A body that was parsed and written again by a framework is recognised. Exit code 0 if it is genuine, else 1.
    """
    lines = [*(headers or ()), *(header_file.read_text(encoding="latin-1").splitlines() if header_file else ())]
    keys = [_secret(text) for text in secrets or os.environ.get(SECRET_VARIABLE, "").split()]
    if not keys:
        raise typer.BadParameter(f"at least one is needed, or {SECRET_VARIABLE}", param_hint="--secret")
    read = sys.stdin.buffer.read() if str(body) == "-" else _bytes(body)
    found = diagnose(_parsed(lines), read, keys, time.time() if now is None else now, tolerance_seconds=tolerance)
    console = Console(soft_wrap=True)
    for finding in found:
        mark = "ok   " if finding.ok else "WRONG"
        console.print(f"{mark}  {finding.part:<9} {finding.text}", markup=False, highlight=False)
    genuine = all(finding.ok for finding in found)
    console.print("It is genuine." if genuine else "It must not be trusted.", markup=False)
    raise typer.Exit(0 if genuine else 1)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise typer.BadParameter(str(error), param_hint="BODY") from None


def _secret(text: str) -> str:
    return Path(text[1:]).read_text(encoding="utf-8").strip() if text.startswith("@") else text


def _parsed(lines: list[str]) -> list[tuple[str, str]]:
    found = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon and name.strip():
            found.append((name.strip(), value.strip()))
        elif line.strip() and not line.startswith(("POST ", "HTTP/")):
            raise typer.BadParameter(f"{line[:60]!r} must be 'Name: value'", param_hint="--header")
    return found
