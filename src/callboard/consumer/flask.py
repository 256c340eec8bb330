"""For Flask.

Owns: `events`:

    received = events("whsec_…")

    @app.post("/hook")
    def hook():
        event = received()
        return "", 204
"""

from __future__ import annotations

from collections.abc import Callable

from flask import abort, make_response, request

from callboard.consumer.adapting import Secrets, received
from callboard.consumer.errors import ConsumerError
from callboard.consumer.event import Event
from callboard.events import Payload


def events(secrets: Secrets) -> Callable[[], Event[Payload]]:
    """What makes the verified event of the present request. If it has none, that is answered: 400, with the reason."""

    def event() -> Event[Payload]:
        try:
            return received(request.headers.items(), request.get_data(), secrets)
        except ConsumerError as error:
            answer = make_response(str(error), 400)
            answer.mimetype = "text/plain"
            abort(answer)

    return event
