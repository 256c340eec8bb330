"""What the parts of a process are made with, out of the settings.

Owns: one function for each value that a part takes. No I/O.
"""

from __future__ import annotations

from pathlib import Path

from callboard.clock import Clock
from callboard.config import Settings
from callboard.media import MediaSettings
from callboard.signaling.rates import Rate
from callboard.signaling.socket import Limits
from callboard.signaling.turn import Turn
from callboard.webhooks.gauges import Settings as DeliverySettings
from callboard.webhooks.guard import Policy, parse_network
from callboard.webhooks.health import HealthPolicy
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.sender import SenderSettings


def database_url(settings: Settings) -> str:
    """Where the data is: as set, else an SQLite file in the data folder."""
    return settings.database.url or f"sqlite:///{Path(settings.data_dir).absolute() / 'callboard.db'}"


def media_settings(settings: Settings) -> MediaSettings:
    """The media engine's settings out of ours."""
    media = settings.media
    return MediaSettings(
        janus=media.janus,
        port_range=(media.port_min, media.port_max),
        ice_addresses=media.ice_addresses,
        public_address=media.public_address or None,
    )


def turn_of(settings: Settings, clock: Clock) -> Turn | None:
    """The TURN server that shares a secret with us, if there is one."""
    media = settings.media
    return Turn(media.turn_urls, media.turn_secret, media.turn_seconds, clock) if media.turn_secret else None


def client_limits(settings: Settings) -> Limits:
    """What a client may send and leave unread, out of our settings."""
    limits = settings.limits
    return Limits(
        limits.max_frame_bytes,
        limits.inbox_messages,
        limits.outbox_messages,
        Rate(limits.messages_per_second, limits.messages_burst),
        Rate(limits.calls_per_second, limits.calls_burst),
    )


def delivery_settings(settings: Settings) -> DeliverySettings:
    """How events are delivered, out of our settings."""
    webhooks = settings.webhooks
    retry = RetryPolicy(
        quick=webhooks.quick_retry_seconds,
        tail_first=webhooks.retry_first_seconds,
        tail_factor=webhooks.retry_factor,
        tail_most=webhooks.retry_most_seconds,
        jitter=webhooks.retry_jitter,
        give_up_after=webhooks.park_after_seconds,
    )
    health = HealthPolicy(
        probe_first=webhooks.probe_first_seconds,
        probe_most=webhooks.probe_most_seconds,
        jitter=webhooks.retry_jitter,
        disable_after=webhooks.disable_after_seconds,
    )
    sender = SenderSettings(
        timeout=webhooks.timeout_seconds, connections=webhooks.connections, idle=webhooks.idle_seconds
    )
    return DeliverySettings(retry=retry, health=health, sender=sender)


def delivery_policy(settings: Settings, port: int) -> Policy:
    """What deliveries may reach, out of our settings; never `port`, where we listen ourselves."""
    webhooks = settings.webhooks
    networks = tuple(parse_network(network) for network in webhooks.allowed_networks)
    return Policy(networks, frozenset(webhooks.denied_ports), frozenset([port]))
