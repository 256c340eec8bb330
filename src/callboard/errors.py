"""What an action says when it cannot do what it was asked for.

Owns: `Refusal` and its kinds. Whoever asked gets the message: the REST API as a body `{code, message,
details}`, the signalling as a JSON-RPC error.

Always holds: a refusal changes nothing (DESIGN §1.6), and its texts hold no secret and no token.
"""

from __future__ import annotations

from collections.abc import Iterable


class Refusal(Exception):  # noqa: N818 - not a fault of ours: the answer to a request that cannot be granted
    """Base of all. `message` says what is wrong in a few words, `details` where, why, and what is allowed."""

    def __init__(self, message: str, details: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.details = tuple(details)

    def __str__(self) -> str:
        return ": ".join((self.message, "; ".join(self.details))) if self.details else self.message


class Invalid(Refusal):
    """The request says something that is not allowed."""


class Unauthorized(Refusal):
    """It is not known who asks: no token, or one that is not valid."""


class Forbidden(Refusal):
    """It is known who asks, and they may not, or the thing asked for is switched off."""


class NotFound(Refusal):
    """There is no such thing."""


class Conflict(Refusal):
    """It would clash with something that exists already."""
