"""An event as an observer from outside sees it.

Owns: `Event`, `Delivered` (how a webhook receiver got it) and `Committed` (how the ledger has it).

Always holds: all are values; instants are nanoseconds since the epoch (UTC).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """What both sides must agree on. `data` is the payload of the envelope."""

    id: str
    stream: str
    seq: int
    type: str
    data: Mapping[str, Any]

    def text(self, key: str) -> str:
        """The attribute, or "" when the payload has none of that name."""
        return str(self.data.get(key, ""))

    @property
    def who(self) -> str:
        """The person it is about."""
        return self.text("user_name") or self.text("peer_id")

    @property
    def why(self) -> str:
        """The reason, the error or the new role, with the message that goes with it."""
        said = self.text("reason") or self.text("error_message") or self.text("error")
        if self.type == "role.change.success":
            said = f"{self.text('previous_role')} → {self.text('role')}"
        return f"{said}: {self.text('message')}" if self.text("message") else said


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery, at the instant it had arrived whole."""

    event: Event
    at: int


@dataclass(frozen=True, slots=True)
class Committed:
    """A record of the ledger, at the instant it was committed."""

    event: Event
    at: int
