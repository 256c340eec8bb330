"""Several events of one lane in one request, for endpoints that want it: how many, when, and as which bytes. Pure.

Owns: `Batch` (what an endpoint wants), `Batching` (which events go together), `body_of` and `id_of`.

Always holds: a batch is the first events of one lane, in order, none of which was ever tried but in the same batch
(the lane's `stretch`, tried `shared` times as a whole). It is sent again as it was, or never again: then its events go
one by one. So a lane's first event alone is ever counted against, given up or parked. The same id means the same
events.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import islice
from typing import Annotated

from msgspec import Meta, Struct

from callboard.ledger import Recorded
from callboard.ledger.records import TEST
from callboard.webhooks.failures import Failure
from callboard.webhooks.lane import Lane
from callboard.webhooks.lanes import Lanes

TOGETHER = frozenset(
    [
        *(Failure.REFUSED_ADDRESS, Failure.DNS_ERROR, Failure.TIMEOUT_DNS, Failure.CONNECTION_REFUSED),
        *(Failure.CONNECTION_FAILED, Failure.TIMEOUT_CONNECT, Failure.TLS_ERROR, Failure.TIMEOUT_TLS),
        Failure.HTTP_THROTTLED,
    ]
)
"""Failures that have nothing to do with what was sent."""

_BEGIN, _END = b'{"batch":[', b"]}"


class Batch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events of one session that follow each other in its lane (and so in the session, where order is wanted), in one
    request."""

    events: Annotated[int, Meta(ge=2, le=64, description="Events in a request, at most.")] = 50
    bytes: Annotated[
        int,
        Meta(ge=1024, le=1_048_576, description="Bytes of their bodies, at most. One that is longer is sent alone."),
    ] = 262_144
    milliseconds: Annotated[
        int,
        Meta(ge=0, le=5000, description="How long an event may wait for more. 0: what waits anyway goes together."),
    ] = 0


class Batching:
    """Decides with an endpoint's lanes. `ticks` is the loop's time in seconds."""

    __slots__ = ("_lanes", "wanted")

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self.wanted: Batch | None = None

    def settle(self, lane: Lane, ticks: float, *, alone: bool) -> bool:
        """Say in `lane.batch` how many of its events go in the attempt that begins. If it waits for more: False.

        With `alone` it is one in any case: the endpoint is only asked whether it works.
        """
        lane.batch = 1
        if lane.events[0].seq <= lane.stretch:
            lane.attempts = lane.attempts or lane.shared
            if lane.together and self.wanted and not alone:
                lane.batch = self._again(lane)
            lane.together = lane.batch > 1
        elif self.wanted and not lane.attempts and not alone:
            lane.batch = self._fitting(lane, self.wanted)
            if self._gathers(lane, self.wanted, ticks):
                return False
        lane.due = 0.0
        return True

    def begun(self, lane: Lane) -> None:
        """The attempt has begun, and has its number."""
        if lane.batch > 1:
            lane.stretch = lane.events[lane.batch - 1].seq
            lane.shared = lane.attempts

    def _again(self, lane: Lane) -> int:
        """As many as before; one if they are not all there."""
        count = sum(event.seq <= lane.stretch for event in lane.events)
        return count if lane.events[count - 1].seq == lane.stretch else 1

    def _fitting(self, lane: Lane, wanted: Batch) -> int:
        """No more than one reading brings back (`per_lane`), and what did not happen goes alone."""
        room, last = wanted.bytes, lane.done + self._lanes.per_lane
        count = 0
        for event in islice(lane.events, wanted.events):
            room -= len(event.body)
            if room < 0 or lane.place(event) > last or event.actor == TEST:
                break
            count += 1
        return max(1, count)

    def _gathers(self, lane: Lane, wanted: Batch, ticks: float) -> bool:
        """Whether it waits: there may be more in time, and there is room for it."""
        if not wanted.milliseconds or lane.batch == wanted.events or lane.batch < len(lane.events):
            return False
        due = lane.due or ticks + wanted.milliseconds / 1000
        if ticks >= due or lane.events[0].actor == TEST or not self._lanes.grows(lane):
            return False
        self._lanes.gather(lane, due)
        return True


def disband(lane: Lane, failure: Failure, asked: float, *, tried_enough: bool) -> bool:
    """The batch of `lane` failed. Whether its events go one by one now, each as if it had not been tried."""
    lane.together = (failure in TOGETHER or bool(asked)) and not tried_enough
    if not lane.together:
        lane.forget()
    return not lane.together


def body_of(events: Sequence[Recorded]) -> bytes:
    """The body of their request: the bodies as they are in the ledger, in a JSON array."""
    return _BEGIN + b",".join([event.body for event in events]) + _END


def size_of(events: Sequence[Recorded]) -> int:
    """The bytes of the body of their request."""
    if len(events) == 1:
        return len(events[0].body)
    return len(_BEGIN) + sum(len(event.body) + 1 for event in events) - 1 + len(_END)


def id_of(events: Sequence[Recorded]) -> bytes:
    """The `webhook-id` of their request: another one for any other events."""
    digest = hashlib.sha256(b",".join([event.id.encode() for event in events])).hexdigest()
    return f"batch_{digest[:32]}".encode()
