"""The words between the media room and whoever signals: values, callbacks, errors. Nothing here does
anything.

Owns: what goes in (`MediaSettings`, `PublishedTrack`, `Subscription`), what comes back (`PeerListener`,
`EngineObserver`, `TransportState`, `MediaCounters`) and what can go wrong (`MediaError` and its kinds).

Always holds: plain values only. The media room knows no session, role or template; it imports nothing above
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

TARGET_PUBLISH: Final = 0
"""`target` of a trickled candidate: the connection on which the client offers (signal.md §3.2)."""
TARGET_SUBSCRIBE: Final = 1
"""`target` of a trickled candidate: the connection on which the server offers."""

Kind = Literal["audio", "video"]
Candidate = dict[str, Any]
"""An `RTCIceCandidateInit` as it travels: `candidate`, `sdpMid`, `sdpMLineIndex`."""


class MediaError(Exception):
    """Something went wrong between a peer and the media engine. The message is safe to show to the peer."""


class MediaLost(MediaError):  # noqa: N818 - named for what happened
    """This `PeerMedia` is over: its engine died, its transport is gone, or it was closed. Open a new one."""


class MediaUnavailable(MediaError):  # noqa: N818 - named for what happened
    """The media engine is not running, or did not answer in time. Trying again later may work."""


class OfferRefused(MediaError):  # noqa: N818 - named for what happened
    """The SDP is malformed, too large, or not one that the media engine accepts. Nothing was changed."""


class EngineStartError(MediaError):
    """The media engine did not start. The message says why and carries the end of its log."""


@dataclass(frozen=True, slots=True)
class PublishedTrack:
    """A track that its peer says it publishes (the `tracks` map of an `offer`, signal.md §3.2)."""

    track_id: str
    stream_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Subscription:
    """A track of another peer of the same room that a peer is to receive."""

    peer_id: str
    track_id: str
    stream_id: str
    kind: Kind
    priority: int = 1
    """1 is the most important: on a bad link what is less important goes first."""


@dataclass(frozen=True, slots=True)
class LayerUpdate:
    """A video is sent in another layer (`none` to `high`) than the client asked for, or again in the one that it asked
    for: because the client's link is bad (`subscriber_degraded`) or its publisher does not send that layer.
    """

    track_id: str
    current: str
    expected: str
    subscriber_degraded: bool = False
    publisher_degraded: bool = False


@dataclass(frozen=True, slots=True)
class TransportState:
    """What the engine says about one connection when it is asked (not what its events hinted at).

    `up` means that ICE is connected and DTLS is done, `ended` that the engine has closed it for good (a
    connection whose ICE failed may still recover). `received` counts media bytes since the start.
    """

    up: bool
    ended: bool = False
    ice: str = "none"
    dtls: str = "none"
    received: int = 0


@dataclass(frozen=True, slots=True)
class PeerTransports:
    """The two connections of one peer. `subscriber` is `None` while nothing has been subscribed to."""

    publisher: TransportState
    subscriber: TransportState | None
    api_channel_open: bool


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """How the engine is run. Durations in seconds.

    `folder` is where the engine's private directory is made (short: it holds UNIX sockets); `None` is the
    system's temporary folder. `ice_addresses` empty means every address of the host but loopback.
    `public_address` is told to clients in place of the host's own (one-to-one NAT). `port_range` bounds the
    UDP ports of all media.
    """

    janus: str = "janus"
    folder: Path | None = None
    port_range: tuple[int, int] = (20000, 29999)
    ice_addresses: tuple[str, ...] = ()
    public_address: str | None = None
    video_codecs: tuple[str, ...] = ("vp8", "h264")
    start_deadline: float = 10.0
    stop_deadline: float = 5.0
    request_deadline: float = 10.0
    answer_deadline: float = 15.0
    transport_deadline: float = 30.0
    channel_deadline: float = 5.0
    confirm_delay: float = 1.0
    health_interval: float = 5.0
    link_interval: float = 5.0
    """How often a subscriber's link is measured; on a bad one every second."""
    restart_delays: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
    log_lines: int = 200


@dataclass(slots=True)
class MediaCounters:
    """What happened since the process started, for metrics. They only grow."""

    engine_starts: int = 0
    engine_losses: int = 0
    failed_restarts: int = 0
    control_reclaims: int = 0
    peers_opened: int = 0
    peers_closed: int = 0
    publishes: int = 0
    offers_sent: int = 0
    answers_applied: int = 0
    negotiation_failures: int = 0
    subscribe_retries: int = 0
    engine_errors: int = 0
    publisher_losses: int = 0
    subscriber_losses: int = 0
    channels_opened: int = 0
    channel_alarms: int = 0
    channel_requests: int = 0
    channel_rejections: int = 0
    candidates_dropped: int = 0
    links_degraded: int = 0
    links_restored: int = 0


class PeerListener(Protocol):
    """Told about one peer, on the event loop. None of these may block, await or raise."""

    def send_offer(self, sdp: str) -> None:
        """Send the client an offer for its subscribe connection. One at a time: the next only after its
        answer.
        """
        ...

    def send_trickle(self, target: int, candidate: Candidate) -> None:
        """Send the client an ICE candidate of the server."""
        ...

    def media_up(self) -> None:
        """The publish connection is up (ICE and DTLS)."""
        ...

    def media_down(self, reason: str) -> None:
        """The publish connection is gone for good; the engine was asked and confirmed it.

        `publish` raises `MediaLost` from now on. Close this `PeerMedia`, open another and have the client
        migrate (`node-info`, signal.md §5.9).
        """
        ...

    def subscriber_down(self, reason: str) -> None:
        """The subscribe connection is gone for good, or its state at the engine is unknown. As `media_down`."""
        ...

    def speaking(self, track_id: str, loudness: int) -> None:
        """A published track of this peer is heard (`loudness` 1 to 100) or is not heard any more (0).

        Comes when that changes, not while it lasts; of what is said too often nothing is kept back here.
        """
        ...

    def layers_changed(self, updates: Sequence[LayerUpdate]) -> None:
        """Videos are sent in other layers than the client asked for, or again in those."""
        ...

    def link_measured(self, score: int) -> None:
        """How well the client receives: 5 is perfect, 0 is nothing. Comes every few seconds while much is sent."""
        ...

    def negotiation_failed(self, reason: str) -> None:
        """An offer was not answered in time, or its answer was unusable.

        The offer is kept: the next `want`, `resend_offer` or `restart_subscriber` sends it again.
        """
        ...


class EngineObserver(Protocol):
    """Told about the engine as a whole, on the event loop. Neither may block, await or raise."""

    def engine_lost(self, reason: str) -> None:
        """The engine died: every `PeerMedia` is over. A restart is under way."""
        ...

    def engine_restored(self, node_id: str) -> None:
        """The engine runs again under a new `sfu_node_id`: peers may be opened."""
        ...
