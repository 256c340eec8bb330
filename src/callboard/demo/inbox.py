"""The demo's webhook receiver: what a customer's backend does, and a record of what arrived.

Owns: `Inbox`.

Always holds: a delivery whose signature is wrong, or that is no event, is answered with 401 or 400, is not
recorded, and is counted. Everything else is recorded in the order of arrival, before it is answered.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from callboard.demo.pulse import Pulse
from callboard.demo.seen import Delivered, Event
from callboard.testing.receiver import OK, Answer, Delivery, Receiver, status

log = logging.getLogger("callboard.demo.inbox")


class Inbox:
    """Listens on loopback: `async with Inbox(secret) as inbox`. `url` is where to deliver to."""

    def __init__(self, secret: str) -> None:
        """`secret` is the endpoint's, in its text form `whsec_…` (Standard Webhooks)."""
        self.delivered: list[Delivered] = []
        self.refused = 0
        self._receiver = Receiver(secret)
        self._receiver.behaviour = self._take
        self._pulse = Pulse()

    async def __aenter__(self) -> Inbox:
        await self._receiver.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._receiver.stop()

    @property
    def url(self) -> str:
        return self._receiver.url

    @property
    def first_arrivals(self) -> list[Delivered]:
        """What arrived, each event once. `delivered` has repeats, for delivery is at least once."""
        firsts: dict[str, Delivered] = {}
        for one in self.delivered:
            firsts.setdefault(one.event.id, one)
        return list(firsts.values())

    async def go_down(self) -> None:
        """Refuse connections, as a backend that is being deployed does, until `come_back`."""
        await self._receiver.stop()

    async def come_back(self) -> None:
        """Listen again, on the same port."""
        await self._receiver.start()

    def fail_every(self, nth: int) -> None:
        """Answer every `nth` delivery with 500 from now on, without recording it."""
        count = itertools.count(1)
        take = self._receiver.behaviour
        self._receiver.behaviour = lambda delivery: take(delivery) if next(count) % nth else status(500)

    async def until(self, predicate: Callable[[], object], deadline: float, what: str) -> None:
        """Return once `predicate()` holds, looked at after each arrival. Raises `TimeoutError`."""
        await self._pulse.until(predicate, deadline, what)

    def has(self, kind: str, **attributes: str) -> bool:
        """Whether an event of this type with these attributes has arrived."""
        return any(
            one.event.type == kind and all(one.event.text(k) == v for k, v in attributes.items())
            for one in self.delivered
        )

    async def arrivals(self) -> AsyncIterator[Delivered]:
        """Every arrival from the first on, as it comes, for ever. Repeats of an event are left out."""
        known: set[str] = set()
        index = 0
        while True:
            while index == len(self.delivered):
                await self._pulse.beaten()
            delivered = self.delivered[index]
            index += 1
            if delivered.event.id not in known:
                known.add(delivered.event.id)
                yield delivered
            await asyncio.sleep(0)

    def _take(self, delivery: Delivery) -> Answer:
        if not delivery.verified:
            self.refused += 1
            log.error("a delivery without a valid signature was refused: %s", delivery.id)
            return status(401)
        try:
            event = event_of(delivery)
        except (ValueError, KeyError, TypeError) as broken:
            self.refused += 1
            log.error("a delivery that is no event was refused: %s", broken)  # noqa: TRY400
            return status(400)
        self.delivered.append(Delivered(event, delivery.at))
        self._pulse.beat()
        return OK


def event_of(delivery: Delivery) -> Event:
    """The event that a delivery carries. Raises `ValueError`, `KeyError`, `TypeError` when it is none."""
    envelope = json.loads(delivery.body)
    if envelope["id"] != delivery.id:
        raise ValueError("webhook-id and the envelope's id differ")
    return Event(delivery.id, delivery.stream, delivery.seq, envelope["type"], dict(envelope["data"]))
