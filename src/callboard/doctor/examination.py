"""All looks at a machine, one after the other.

Owns: `examine`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from callboard.clock import NANOSECONDS, Clock
from callboard.config import Settings
from callboard.doctor import data, network, programs, turn
from callboard.doctor.finding import Finding
from callboard.parts import database_url


async def examine(settings: Settings, clock: Clock) -> AsyncIterator[Finding]:
    """Everything that a server with these settings needs, as it is found. A TURN server takes some seconds at most."""
    folder, media, now = Path(settings.data_dir), settings.media, clock.now()
    yield await programs.janus(media.janus)
    yield await programs.ffmpeg()
    yield programs.meeting_page()
    yield programs.open_files()
    yield data.data_folder(folder)
    yield await data.database(database_url(settings))
    yield network.http_port(settings.server, running=data.is_running(folder))
    yield network.tls(settings.server, datetime.fromtimestamp(now / NANOSECONDS, UTC))
    yield await network.public_url(settings.server)
    yield network.addresses(media)
    yield network.udp_ports(media)
    for url in media.turn_urls:
        for finding in await turn.turn_server(url, media, now):
            yield finding
