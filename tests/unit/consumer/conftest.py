"""Deliveries as they come, and what happens to them on the way."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import pytest

from callboard.events import decode, sample
from callboard.webhooks.keys_text import new_private_key, new_secret, public_key_of
from callboard.webhooks.signing import Signer

NOW = 1_800_000_000


@dataclass(frozen=True)
class Sent:
    """A delivery of an event, signed with `signing` keys; `secret` and `public` are what receivers know."""

    secret: str
    private: str
    id: str = "0b7a6e0c-5d0e-4b57-9d3c-7a1f6f0c2e11"
    timestamp: int = NOW
    body: bytes = field(default=msgspec.json.encode(decode(msgspec.json.encode(sample("peer.join.success")))))

    @property
    def public(self) -> str:
        return public_key_of(self.private)

    def headers(self, signing: Sequence[str] = ()) -> dict[str, str]:
        """The headers, signed with the secret if nothing else is said."""
        stamp = b"%d" % self.timestamp
        signature = Signer(signing or [self.secret]).sign(self.id.encode(), stamp, self.body)
        return {
            "webhook-id": self.id,
            "webhook-timestamp": stamp.decode(),
            "webhook-signature": signature.decode(),
            "callboard-stream": "s1",
            "callboard-seq": "17",
            "content-length": str(len(self.body)),
            "content-type": "application/json",
        }


@pytest.fixture
def sent() -> Sent:
    source = random.Random(6).randbytes
    return Sent(new_secret(source), new_private_key(source))
