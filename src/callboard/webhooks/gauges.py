"""How deliveries are made, and what they look like in numbers.

Owns: `Settings`, `Gauges`, `State`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from callboard.webhooks.endpoint import Endpoint
from callboard.webhooks.health import HealthPolicy, Phase
from callboard.webhooks.retry import RetryPolicy
from callboard.webhooks.sender import SenderSettings

State = Literal["closed", "open", "probing", "paused", "disabled"]
STATES: Final[tuple[State, ...]] = get_args(State)


@dataclass(frozen=True, slots=True)
class Settings:
    """How deliveries are made, to every endpoint alike.

    A lane holds `per_lane` events in memory at most, an endpoint `most_held` (and a lane more, at the moment
    of reading); a lane that has to wait longer than `spill_after` seconds holds none. There are `most_lanes` of an
    endpoint at most (and those of one window); what comes beyond them waits in the database, where it is looked up
    `window` positions at a time. `grace`, in seconds, is
    what attempts under way are given when deliveries stop, or a shard goes to another node. A node that has shown
    no life for `lease` seconds is taken for dead by those it shares its database with.
    """

    retry: RetryPolicy = field(default_factory=RetryPolicy)
    health: HealthPolicy = field(default_factory=HealthPolicy)
    sender: SenderSettings = field(default_factory=SenderSettings)
    per_lane: int = 64
    most_held: int = 10_000
    spill_after: float = 15.0
    most_lanes: int = 10_000
    window: int = 20_000
    grace: float = 5.0
    lease: float = 5.0


@dataclass(frozen=True, slots=True)
class Gauges:
    """An outlet in numbers: totals since it was opened, then what is now.

    `lanes` have undelivered events, `waiting` of them until their next attempt; `pending` events are
    undelivered (at most, where there are events that nobody wants among them), `held` of them in memory. `phase` is the
    breaker's; `paused` says that somebody stopped it. `limit` attempts may be under way now. Instants in nanoseconds
    since the epoch (UTC), 0 for none: nothing was accepted since something failed at `failing_since`; nothing is sent
    before `due_at`.
    """

    endpoint_id: str
    delivered: int
    failed_attempts: int
    failures: Mapping[str, int]
    """The failed ones by why they failed."""
    parked: int
    expired: int
    """Events that retention took away before they were delivered."""
    lanes: int
    waiting: int
    pending: int
    held: int
    connections: int
    busy: int
    mark: int
    phase: Phase
    paused: bool
    limit: int
    failing_since: int
    due_at: int


def state_of(endpoint: Endpoint, gauges: Gauges | None) -> State:
    """Why nothing is sent to the endpoint, or `closed`: it is sent to. `gauges` are its outlet's, if it has one."""
    if not endpoint.enabled:
        return "disabled"
    if endpoint.paused:
        return "paused"
    return _STATES[gauges.phase] if gauges is not None else "closed"


_STATES: Final[dict[Phase, State]] = {Phase.CLOSED: "closed", Phase.OPEN: "open", Phase.PROBING: "probing"}
