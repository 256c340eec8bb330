"""How well a client receives what Janus sends it, out of the receiver reports that Janus got (RFC 3550 §6.4.2).

Owns: `Flow`, `flows_of`, `LossWindow`, `score`.

Always holds: pure. Loss is that of the client's own link: what a publisher's bad uplink lost on the way to Janus shows
in the tracks of that publisher only, so the loss that *every* publisher's tracks suffer is what counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

WINDOW: Final = 4
"""Samples that the loss is worked out over: browsers report every second for video, every five for sound."""
ENOUGH: Final = 3
"""Samples that it takes: what was lost is reported up to a second or more after it was sent."""
FEWEST: Final = 20
"""Packets below which a share of lost ones says nothing."""

_SCORES: Final = ((1.0, 0.15, 5), (3.0, 0.3, 4), (8.0, 0.5, 3), (20.0, 1.0, 2))
"""At most so many per cent lost, and so many seconds there and back, make this score."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One section of a subscriber's: packets sent, and lost as the client reports it. Both only grow."""

    packets: int
    lost: int
    round_trip: float = 0.0
    """Seconds; 0 when unknown."""


def flows_of(info: Mapping[str, Any]) -> dict[str, Flow]:
    """Section (mid) → its flow, in an answer to `handle_info` of a subscriber's handle."""
    found = {}
    for mid, medium in info.get("webrtc", {}).get("media", {}).items():
        report = medium.get("rtcp", {}).get("main")
        sent = medium.get("stats", {}).get("out", {})
        if isinstance(report, dict):
            lost, round_trip = report.get("lost-by-remote", 0), report.get("rtt", 0)
            found[str(mid)] = Flow(int(sent.get("packets", 0)), int(lost), int(round_trip) / 1000)
    return found


class LossWindow:
    """The latest samples of one connection."""

    def __init__(self) -> None:
        self._samples: deque[Mapping[str, Flow]] = deque(maxlen=WINDOW)

    def add(self, flows: Mapping[str, Flow]) -> None:
        self._samples.append(flows)

    def clear(self) -> None:
        """What was sampled says nothing about what is sent from now on."""
        self._samples.clear()

    @property
    def telling(self) -> bool:
        """Whether there are samples enough to go by."""
        return len(self._samples) >= ENOUGH

    def loss(self, feeds: Mapping[str, str]) -> float | None:
        """Per cent lost on the client's link; `None` when too little was sent to tell. `feeds`: section → publisher."""
        if len(self._samples) < 2:
            return None
        first, last = self._samples[0], self._samples[-1]
        sent: dict[str, int] = {}
        lost: dict[str, int] = {}
        for mid, feed in feeds.items():
            if mid in first and mid in last and last[mid].packets >= first[mid].packets:
                sent[feed] = sent.get(feed, 0) + last[mid].packets - first[mid].packets
                lost[feed] = lost.get(feed, 0) + max(0, last[mid].lost - first[mid].lost)
        shares = [100.0 * min(1.0, lost[feed] / packets) for feed, packets in sent.items() if packets >= FEWEST]
        return min(shares, default=None)

    def round_trip(self) -> float:
        """Seconds, the longest that was last reported; 0 when unknown."""
        return max((flow.round_trip for flow in self._samples[-1].values()), default=0.0) if self._samples else 0.0


def score(loss: float, round_trip: float) -> int:
    """5 (nothing to complain of) to 0 (nothing to be had), as the client shows it (signal.md §4.4)."""
    for most_lost, longest, value in _SCORES:
        if loss <= most_lost and round_trip <= longest:
            return value
    return 1 if loss <= 50.0 else 0
