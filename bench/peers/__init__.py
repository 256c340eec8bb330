"""What a team would write with the usual parts, to be measured against, and how each is set up.

Owns: `handwritten`, `graphile`: what runs each, made ready in this folder from the package registries.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(__file__).parent


class Missing(Exception):  # noqa: N818 - it is what is the case
    """A peer cannot be set up on this machine."""


def handwritten() -> list[str]:
    """The hand-written outbox, in an environment of its own. Raises `Missing`."""
    folder = FOLDER / "handwritten"
    python = folder / ".venv" / "bin" / "python"
    if not python.exists():
        venv.create(folder / ".venv", with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--requirement", "requirements.txt"], folder)
    return [str(python), str(folder / "outbox.py")]


def graphile() -> list[str]:
    """graphile-worker, with its own packages. Raises `Missing`."""
    folder, node = FOLDER / "graphile", shutil.which("node")
    if node is None:
        raise Missing("graphile-worker needs Node")
    if not (folder / "node_modules").exists():
        _run(["npm", "ci", "--silent"], folder)
    return [node, str(folder / "worker.mjs")]


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, timeout=600, stdout=sys.stderr)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"{' '.join(command)} in {folder}: {error}") from error
