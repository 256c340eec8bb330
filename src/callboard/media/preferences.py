"""How a peer wants to receive each of its tracks, and what Janus is to be told about it.

Owns: `Preferences` (what the client said), `Applied` (what Janus was told), `target`, `difference`.

Always holds: no I/O. A track nobody spoke of is received, in its best layer; on demand, a video is not.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from callboard.media.apiprotocol import Preference, choose_substream
from callboard.media.room import Published
from callboard.media.videoroom import Change, Source

Key = tuple[str, str]
"""`(peer id, track id)`."""

_DEFAULT = Preference(send=True)
_NOT_ASKED_FOR = Preference(send=False)


@dataclass(frozen=True, slots=True)
class Applied:
    """The state of a section at Janus. A section that just got its source is sent, in whatever layer comes."""

    source: Source
    send: bool = True
    substream: int | None = None


class Preferences:
    """Kept while a track is wanted, also before it is subscribed to and while its section changes. `on_demand`: videos
    are sent to those who ask for them only (signal.md §5.7)."""

    def __init__(self, *, on_demand: bool = False) -> None:
        self._said: dict[Key, Preference] = {}
        self._videos = _NOT_ASKED_FOR if on_demand else _DEFAULT

    def say(self, key: Key, preference: Preference) -> None:
        self._said[key] = preference

    def of(self, key: Key, kind: str) -> Preference:
        return self._said.get(key, self._videos if kind == "video" else _DEFAULT)

    def keep(self, keys: Collection[Key]) -> None:
        """Forget what was said of tracks that are not among `keys`."""
        self._said = {key: said for key, said in self._said.items() if key in keys}


def target(published: Published, preference: Preference, present: frozenset[int]) -> Applied:
    """What Janus is to do with a section; `present` are the simulcast layers that exist."""
    substream = None
    if published.kind == "video" and preference.send:
        substream = choose_substream(preference.layer, published.layers, present)
    return Applied(published.source, preference.send, substream)


def settled(published: Published, preference: Preference, present: frozenset[int]) -> bool:
    """Whether more layers would not change the `target`."""
    return bool(present) and target(published, preference, present) == target(published, preference, frozenset())


def difference(mid: str, before: Applied | None, after: Applied) -> Change | None:
    """The request that gets Janus from `before` to `after`; `None` when there is nothing to ask."""
    if before is None or before.source != after.source:
        before = Applied(after.source)
    send = after.send if after.send != before.send else None
    substream = after.substream if after.substream not in (None, before.substream) else None
    return Change(mid, send, substream) if send is not None or substream is not None else None
