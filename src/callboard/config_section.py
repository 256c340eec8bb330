"""What every table of the settings file is.

Owns: `Section`.
"""

from __future__ import annotations

from msgspec import Struct


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file. Its docstring and its fields' descriptions are the comments of the default
    file.
    """
