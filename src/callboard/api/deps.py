"""What the REST API works on.

Owns: `Deps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from callboard.api.live import LiveRooms
from callboard.api.streams import Streams
from callboard.auth.tokens import Tokens
from callboard.clock import Clock
from callboard.database import Database
from callboard.jobs.desk import JobDesk
from callboard.ledger import Ledger
from callboard.recording.desk import Desk as RecordingsDesk
from callboard.rooms.models import Workspace
from callboard.rooms.polls_store import PollStore
from callboard.rooms.room_codes import RoomCodes
from callboard.rooms.store import Store
from callboard.webhooks.dispatcher import Dispatcher
from callboard.webhooks.endpoints import Endpoints
from callboard.webhooks.ping import Pinger
from callboard.webhooks.replays.desk import Desk
from callboard.webhooks.vault import Vault


@dataclass(frozen=True, slots=True)
class Deps:
    """The parts of a node that the API shows and steers.

    `checks` say, by name, whether a part is ready to work; they are asked often and answer at once.
    """

    workspace: Workspace
    tokens: Tokens
    database: Database
    store: Store
    ledger: Ledger
    endpoints: Endpoints
    deliveries: Dispatcher
    pinger: Pinger
    codes: RoomCodes
    polls: PollStore
    live: LiveRooms
    clock: Clock
    vault: Vault | None = None
    checks: Mapping[str, Callable[[], bool]] = field(default_factory=dict)
    max_body_bytes: int = 1_048_576
    replays: Desk | None = None
    recordings: RecordingsDesk | None = None
    jobs: JobDesk | None = None
    streams: Streams = field(default_factory=Streams)
    cors_origins: tuple[str, ...] = ("*",)
