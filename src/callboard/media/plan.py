"""What a subscriber must change to receive what it is to receive.

Owns: `Plan`, `plan`.

Always holds: pure. Applying a plan to `current` and planning again gives an empty plan. No plan makes more
than `MAX_MEDIA_SECTIONS` active sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from callboard.media.splice import MAX_MEDIA_SECTIONS
from callboard.media.videoroom import Source


@dataclass(frozen=True, slots=True)
class Plan:
    """Sources to subscribe to, and sections (by mid) to leave."""

    add: tuple[Source, ...]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.add or self.remove)


def plan(wanted: Iterable[Source], current: Mapping[str, Source]) -> Plan:
    """From `current` (mid → source) to `wanted`, which is in order of importance."""
    targets = dict.fromkeys(wanted)
    chosen = dict.fromkeys(list(targets)[:MAX_MEDIA_SECTIONS])
    have = set(current.values())
    return Plan(
        tuple(source for source in chosen if source not in have),
        tuple(mid for mid, source in current.items() if source not in chosen),
    )
