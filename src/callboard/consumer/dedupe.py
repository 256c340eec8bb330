"""Handling an event once, though it may be delivered more than once.

Owns: `Deduplicator`, the `Store` it needs, and a store in memory.

Always holds: an event whose handling failed is not taken for handled: it is new again when it is delivered again. One
that is being handled is neither new nor handled. So nothing is lost; something is handled twice only if the process
died in between, or the store has forgotten it.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import Protocol

from callboard.consumer.errors import ConsumerError

DAY = 86_400.0
TTL_SECONDS = 7 * DAY
"""Longer than an event is tried."""
LEASE_SECONDS = 300.0
MOST = 100_000


class Claim(Enum):
    """What is known of an event when somebody wants to handle it."""

    NEW = "new"
    BUSY = "busy"
    DONE = "done"


class InProgress(ConsumerError):  # noqa: N818 - a state
    """The event is being handled at this moment. The answer is a failure (503), so that it is delivered again later."""

    def __init__(self, event_id: str) -> None:
        super().__init__(f"event {event_id[:100]} is being handled at this moment")
        self.event_id = event_id


class Store(Protocol):
    """Remembers ids of events. Every method is atomic; what they are given is in seconds.

    With Redis: `claim` is `SET key busy NX EX lease` (and `GET` if it was there), `done` is `SET key done EX ttl`,
    `release` is `DEL key`.
    """

    def claim(self, event_id: str, lease_seconds: float) -> Claim:
        """What is known of the event. If it is new, it is busy from now on: until `done`, `release`, or the lease's
        end.
        """
        ...

    def done(self, event_id: str, ttl_seconds: float) -> None:
        """The event was handled; remember that for so long."""
        ...

    def release(self, event_id: str) -> None:
        """The event is new again."""
        ...


class MemoryStore:
    """A `Store` for one process: at most `most` events, of which it forgets the oldest first. Threads may share it."""

    def __init__(self, most: int = MOST, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Claim, float]] = OrderedDict()

    def claim(self, event_id: str, lease_seconds: float) -> Claim:
        with self._lock:
            now = self._clock()
            state, until = self._known.get(event_id, (Claim.NEW, 0.0))
            if state is not Claim.NEW and now < until:
                return state
            self._put(event_id, Claim.BUSY, now + lease_seconds)
            return Claim.NEW

    def done(self, event_id: str, ttl_seconds: float) -> None:
        with self._lock:
            self._put(event_id, Claim.DONE, self._clock() + ttl_seconds)

    def release(self, event_id: str) -> None:
        with self._lock:
            self._known.pop(event_id, None)

    def __len__(self) -> int:
        return len(self._known)

    def _put(self, event_id: str, state: Claim, until: float) -> None:
        self._known[event_id] = (state, until)
        self._known.move_to_end(event_id)
        while len(self._known) > self._most:
            self._known.popitem(last=False)


class Deduplicator:
    """Says whether an event is new.

    with deduplicator.once(event.id) as new:
        if new:
            handle(event)
    """

    def __init__(
        self, store: Store | None = None, *, ttl_seconds: float = TTL_SECONDS, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        """Without a `store`, one in memory. `lease_seconds` is how long handling one event may take."""
        self._store = MemoryStore() if store is None else store
        self._ttl = ttl_seconds
        self._lease = lease_seconds

    @contextmanager
    def once(self, event_id: str) -> Iterator[bool]:
        """Whether the event is new. If the block then ends without an exception, it is not new again.

        Raises `InProgress` if another block has this event at this moment.
        """
        claim = self._store.claim(event_id, self._lease)
        if claim is Claim.BUSY:
            raise InProgress(event_id)
        if claim is Claim.DONE:
            yield False
            return
        try:
            yield True
        except BaseException:
            self._store.release(event_id)
            raise
        self._store.done(event_id, self._ttl)
