"""For Flask.

Owns: `events`, and `batches` for endpoints that want several events in one request:

    received = events("whsec_…")

    @app.post("/hook")
    def hook():
        event = received()
        return "", 204

`batches` is used alike, and makes a list of events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import abort, make_response, request

from callboard.consumer.adapting import Secrets, all_received, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.event import Event
from callboard.consumer.headers import Headers
from callboard.events import Payload

T = TypeVar("T")


def events(secrets: Secrets) -> Callable[[], Event[Payload]]:
    """What makes the verified event of the present request. If it has none, that is answered: 400, with the reason."""
    return _of_request(received, secrets)


def batches(secrets: Secrets) -> Callable[[], list[Event[Payload]]]:
    """What makes the verified events of the present request, in their order: those of a batch, or the only one. Else as
    `events`.
    """
    return _of_request(all_received, secrets)


def _of_request(read: Callable[[Headers, bytes, Secrets], T], secrets: Secrets) -> Callable[[], T]:
    def what() -> T:
        try:
            return read(request.headers.items(), request.get_data(), secrets)
        except ConsumerError as error:
            answer = make_response(str(error), 400)
            answer.mimetype = "text/plain"
            abort(answer)

    return what
