"""The command line: one module per command.

Owns: `main`. Always holds: a wrong setting or argument is an error with its place and what is allowed, never a
traceback; exit code 2 for those, 1 for what failed while running.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import callboard
from callboard.cli import (
    bench,
    endpoints,
    events,
    jobs,
    listen,
    recordings,
    reference,
    replay,
    serve,
    tokens,
    trigger,
    verify,
    verify_delivery,
    worker,
)
from callboard.cli import demo as demo_command
from callboard.cli import doctor as doctor_command
from callboard.config import ConfigError, default_toml

app = typer.Typer(
    help="Self-hosted live audio/video rooms whose every moment reaches your backend as an event.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(serve.serve)
app.command()(worker.worker)
app.command()(demo_command.demo)
app.command()(doctor_command.doctor)
app.command()(tokens.token)
app.command()(listen.listen)
app.command()(trigger.trigger)
app.command()(replay.replay)
app.command()(verify_delivery.verify)
app.command()(verify.verify_recording)
app.command()(verify.marks)
app.add_typer(bench.app, name="bench")
app.add_typer(endpoints.app, name="endpoints")
app.add_typer(events.app, name="events")
app.add_typer(jobs.app, name="jobs")
app.add_typer(recordings.app, name="recordings")
app.command(hidden=True)(reference.reference)


@app.command()
def config(
    write: Annotated[Path | None, typer.Option(help="Write it to this file, which must not exist yet.")] = None,
) -> None:
    """Print the settings file with every setting, what it means, what is allowed, and its default."""
    if write is None:
        sys.stdout.write(default_toml())
        return
    with write.open("x", encoding="utf-8") as file:
        file.write(default_toml())
    Console().print(f"Written: {write}")


@app.command()
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"callboard {callboard.__version__}\n")


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except ConfigError as error:
        Console(stderr=True).print("The settings cannot be used:", *(f"\n  {p}" for p in error.problems), sep="")
        sys.exit(2)
    except (OSError, ConnectionError) as error:
        Console(stderr=True).print(f"callboard: {error}", markup=False)
        sys.exit(1)
