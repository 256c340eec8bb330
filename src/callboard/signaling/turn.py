"""Credentials for a TURN server that last for a while ("A REST API for access to TURN services", draft-uberti-behave-
turn-rest-00; coturn's `use-auth-secret`).

Owns: `turn_credentials`, and the ICE server that a client is given with them.

Always holds: the shared secret is never told to a client; what it is told is of no use after its time, and names
nobody: the peer id that it made itself.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any

from callboard.clock import NANOSECONDS, Clock


def turn_credentials(secret: str, user: str, now: int, lifetime: int) -> tuple[str, str]:
    """The user name and password that are good until `lifetime` seconds after `now`: the name is `<end>:<user>`, the
    end in seconds since the epoch; the password is its HMAC-SHA1 under the shared `secret`, in base64."""
    name = f"{now // NANOSECONDS + lifetime}:{user}"
    digest = hmac.new(secret.encode(), name.encode(), hashlib.sha1)
    return name, base64.b64encode(digest.digest()).decode()


@dataclass(frozen=True, slots=True)
class Turn:
    """A TURN server that shares `secret` with us. `lifetime` is in seconds."""

    urls: tuple[str, ...]
    secret: str = field(repr=False)
    lifetime: int
    clock: Clock

    def ice_server(self, user: str) -> dict[str, Any]:
        """An `RTCIceServer` for this user (W3C WebRTC §4.2.2)."""
        name, password = turn_credentials(self.secret, user, self.clock.now(), self.lifetime)
        return {"urls": list(self.urls), "username": name, "credential": password}
