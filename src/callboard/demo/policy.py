"""What the server lets a peer do: its role, as `on-policy-change` tells (signal.md §6.1). Pure.

Owns: `Policy`.

Always holds: what is read here is checked as strictly as the official client depends on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from callboard.demo.roster import ProtocolViolation


@dataclass(frozen=True, slots=True)
class Policy:
    """The peer's role. `allowed` is a subset of `audio`, `video`, `screen`."""

    role: str
    allowed: frozenset[str]
    subscribes: frozenset[str]

    def may_publish(self, kind: str, source: str) -> bool:
        return ("screen" if source == "screen" else kind) in self.allowed

    def needs_media(self, flags: frozenset[str]) -> bool:
        """Whether the client makes connections at all for this role (signal.md §5.8)."""
        return "nonWebRTCDisableOffer" not in flags or bool(self.allowed or self.subscribes)


def policy_of(params: Mapping[str, Any]) -> Policy:
    """Read the parameters of `on-policy-change`. Raises `ProtocolViolation`."""
    match params:
        case {"name": str() as name, "known_roles": dict() as roles} if name in roles:
            pass
        case _:
            raise ProtocolViolation("on-policy-change must name one of its known_roles (signal.md §6.1)")
    match roles[name]:
        case {
            "publishParams": {"allowed": list() as allowed},
            "subscribeParams": {"subscribeToRoles": list() as subscribes},
        }:
            return Policy(name, frozenset(allowed), frozenset(subscribes))
    raise ProtocolViolation("a role must have publishParams and subscribeParams (signal.md §6.1)")
