"""`callboard reference`: the pages of the docs that are made from code, beside those of the events.

Hidden: it is for who works on Callboard (`make docs`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from callboard.api import reference as rest
from callboard.metrics import names
from callboard.signaling import reference as signalling
from callboard.webhooks import failures_explained


def reference_pages() -> dict[str, str]:
    """Each page's text by its path below `docs/`."""
    return {
        f"webhooks/{failures_explained.PAGE}": failures_explained.page(),
        names.PAGE: names.page(),
        rest.PAGE: rest.page(),
        signalling.PAGE: signalling.page(),
    }


def reference(folder: Annotated[Path, typer.Option(help="Where the docs are.")] = Path("docs")) -> None:
    """Write the pages of the docs that are tables of what is in the code."""
    for name, text in reference_pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    Console().print(f"{len(reference_pages())} pages in {folder}.", markup=False)
