"""Media: Janus as a supervised child, and one peer's two connections through it.

Owns: the process and its private configuration, its WebSocket API, the VideoRoom requests, what is done to
SDP, the API data channel, publishing and subscribing of one peer.

Always holds: nothing in here imports another room (only `callboard.clock`). Plain values come in; what
happens goes out through `PeerListener` and `EngineObserver`. Facts about Janus come from its manual and its
1.1.2 source.
"""

from callboard.media.contract import (
    TARGET_PUBLISH,
    TARGET_SUBSCRIBE,
    Candidate,
    EngineObserver,
    EngineStartError,
    Kind,
    LayerUpdate,
    MediaCounters,
    MediaError,
    MediaLost,
    MediaSettings,
    MediaUnavailable,
    OfferRefused,
    PeerListener,
    PeerTransports,
    PublishedTrack,
    Subscription,
    TransportState,
)
from callboard.media.degradation import DegradePolicy
from callboard.media.engine import MediaEngine
from callboard.media.layerreport import by_name as layers_by_name
from callboard.media.peer import PeerMedia

__all__ = [
    "TARGET_PUBLISH",
    "TARGET_SUBSCRIBE",
    "Candidate",
    "DegradePolicy",
    "EngineObserver",
    "EngineStartError",
    "Kind",
    "LayerUpdate",
    "MediaCounters",
    "MediaEngine",
    "MediaError",
    "MediaLost",
    "MediaSettings",
    "MediaUnavailable",
    "OfferRefused",
    "PeerListener",
    "PeerMedia",
    "PeerTransports",
    "PublishedTrack",
    "Subscription",
    "TransportState",
    "layers_by_name",
]
