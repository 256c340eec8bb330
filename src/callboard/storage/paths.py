"""Where each kind of asset lies in its bucket (platform.md §5.2). Pure.

Owns: the keys of assets, and the prefix they start with, which may be a template: `recordings/{room_id}/{date}`.

Always holds: what these functions return is a valid key (`keys.py`), or they raise `InvalidKeyError` (a key) or
`ValueError` (a prefix that is none). Instants are nanoseconds since the epoch; dates in keys are UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from callboard.clock import NANOSECONDS
from callboard.storage.keys import check_key

PLACEHOLDERS = ("customer_id", "template_id", "room_id", "room_name", "session_id", "date")
"""What a prefix may have in braces. `date` is the day of the session's start, YYYYMMDD."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Place:
    """What the keys of a session's assets have in common. `prefix` is what `expand_prefix` returned."""

    prefix: str
    room_id: str
    session_id: str
    session_started_at: int

    @property
    def date(self) -> str:
        """The day that the session started, YYYYMMDD."""
        return start_date(self.session_started_at)


def expand_prefix(template: str, values: Mapping[str, str]) -> str:
    """The prefix that `template` (a template's or room's `prefix`) means for these values of the placeholders.

    Blank means `customer_id`. Slashes at both ends are dropped. Raises `ValueError` for a placeholder that is not in
    `values` or a stray brace, `InvalidKeyError` if the result cannot start a key.
    """
    trimmed = template.strip().strip("/") or "{customer_id}"
    expanded = _PLACEHOLDER.sub(lambda match: _value(match[1], values), trimmed)
    if "{" in _PLACEHOLDER.sub("", trimmed) or "}" in _PLACEHOLDER.sub("", trimmed):
        raise ValueError(f"a brace without its other in the prefix {template!r}")
    return check_key(expanded, "prefix")


def start_date(instant: int) -> str:
    """The UTC day of an instant, YYYYMMDD."""
    return datetime.fromtimestamp(instant // NANOSECONDS, UTC).strftime("%Y%m%d")


def composite(place: Place, recorder_started_at: int) -> str:
    """The composition of a session from the SFU's captures."""
    name = f"Rec-{place.session_id}-{_epoch(recorder_started_at)}.mp4"
    return _key(place.prefix, place.room_id, place.date, place.session_id, name)


def track(place: Place, peer_id: str, stream_id: str, track_id: str) -> str:
    """One track as it was published."""
    return _key(place.prefix, place.room_id, place.date, place.session_id, peer_id, stream_id, f"{track_id}.webm")


def stream(place: Place, peer_id: str, stream_id: str) -> str:
    """One stream: audio and video together."""
    return _key(place.prefix, place.room_id, place.date, place.session_id, peer_id, stream_id, f"{stream_id}.mp4")


def browser_composite(place: Place, recorder_started_at: int) -> str:
    """What the browser worker recorded."""
    return _key(place.prefix, "beam", place.room_id, place.date, _run(place, recorder_started_at) + ".mp4")


def hls_file(place: Place, recorder_started_at: int, layer: int) -> str:
    """The single file of an HLS layer; 0 is the highest."""
    return _hls(place, recorder_started_at, "file-recording", f"{_run(place, recorder_started_at)}-{layer}.mp4")


def hls_zip(place: Place, recorder_started_at: int) -> str:
    """The zipped HLS recording: playlists and segments."""
    return _hls(place, recorder_started_at, "vod", _run(place, recorder_started_at) + ".zip")


def hls_vod(place: Place, recorder_started_at: int, name: str) -> str:
    """A playlist or segment of an HLS recording that is not zipped; `name` may have folders."""
    return _hls(place, recorder_started_at, "vod", name)


def chat(place: Place, recorder_started_at: int) -> str:
    """The chat while a recording ran."""
    return _key(place.prefix, "chat", place.room_id, place.date, _run(place, recorder_started_at) + ".csv")


def named(key: str, besides: str) -> str:
    """The key with something besides in its file's name: of what is made again beside the first one."""
    path = PurePosixPath(key)
    return str(path.with_name(f"{path.stem}{besides}{path.suffix}"))


def _hls(place: Place, recorder_started_at: int, folder: str, name: str) -> str:
    return _key(place.prefix, "hls", place.room_id, place.date, str(_epoch(recorder_started_at)), folder, name)


def _run(place: Place, recorder_started_at: int) -> str:
    return f"Rec-{place.room_id}-{_epoch(recorder_started_at)}"


def _epoch(instant: int) -> int:
    return instant // 1_000_000


def _key(*segments: str) -> str:
    return check_key("/".join(segments), "path")


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in PLACEHOLDERS or name not in values:
        known = ", ".join(f"{{{placeholder}}}" for placeholder in PLACEHOLDERS if placeholder in values)
        raise ValueError(f"unknown placeholder {{{name}}} in the prefix; there are {known}")
    if "/" in values[name]:
        raise ValueError(f"the value of {{{name}}} in the prefix must have no slash")
    return values[name]
