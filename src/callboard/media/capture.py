"""The names of the files that Janus writes captured tracks to. Pure.

Owns: `file_name`, `check_base`.

Always holds: one file for each media section of a publisher's connection, from its first packet to the connection's
end, also when the section carries another track later. Source: janus_videoroom.c of 1.1.2,
`janus_videoroom_recorder_create` (no `rec_dir` set, so that the base is a path) and record.c.
"""

from __future__ import annotations

from typing import Final

from callboard.media.contract import Kind

MOST_BASE: Final = 230
"""Bytes: Janus puts base, kind and number of the section into 255."""


def check_base(base: str) -> str:
    """Return `base`. Raises `ValueError` if Janus would cut it off."""
    if len(base.encode()) > MOST_BASE:
        raise ValueError(f"the path {base} is too long: {MOST_BASE} bytes are allowed")
    return base


def file_name(base: str, kind: Kind, section: int) -> str:
    """The file of the media section with this index, 0 for the first one of the SDP."""
    return f"{base}-{kind}-{section}.mjr"
