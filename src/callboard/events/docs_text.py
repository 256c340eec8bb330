"""What a model's docstring says, for readers who have not its source at hand. Pure.

Owns: `plain`, `said`, `first_sentence`.
"""

from __future__ import annotations

import re
from inspect import cleandoc

from callboard.events.payload import Payload

_SOURCE = re.compile(r"\s*(\([^()]*platform\.md [^()]*\)|Source: .*)", re.DOTALL)


def plain(text: str) -> str:
    """The paragraphs of a docstring, each on one line, without where it is from."""
    paragraphs = cleandoc(text).split("\n\n")
    cut = (_SOURCE.sub("", " ".join(paragraph.split())) for paragraph in paragraphs)
    return "\n\n".join(paragraph for paragraph in cut if paragraph)


def said(payload: type[Payload]) -> str:
    """What the event says, in paragraphs."""
    return plain(payload.__doc__ or "")


def first_sentence(payload: type[Payload]) -> str:
    """What the event says, in one line without a full stop."""
    return said(payload).partition("\n")[0].split(". ")[0].rstrip(".")
