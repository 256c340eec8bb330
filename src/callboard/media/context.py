"""What everything that belongs to one run of the engine shares.

Owns: `Context`.

Always holds: made once per generation, never changed.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiortc import RTCCertificate

from callboard.media.admin import Admin
from callboard.media.contract import MediaCounters, MediaSettings
from callboard.media.janus import JanusSession
from callboard.media.videoroom import RoomControl


@dataclass(frozen=True, slots=True)
class Context:
    """One Janus, connected. `addresses` are the host's that media use."""

    settings: MediaSettings
    counters: MediaCounters
    session: JanusSession
    admin: Admin
    control: RoomControl
    addresses: tuple[str, ...]
    certificate: RTCCertificate

    @property
    def codecs(self) -> frozenset[str]:
        return frozenset(("opus", *self.settings.video_codecs))
