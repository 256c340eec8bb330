"""Signatures of deliveries: Standard Webhooks 1.0.0, symmetric scheme `v1` (HMAC-SHA256). Pure.

Owns: the form of a secret (`whsec_` and base64 of 24 to 64 bytes), `Signer` and `verify`.

Always holds: what is signed is `id.timestamp.body`, the bytes as they are sent. With several secrets there
are several signatures, in the order of the secrets and separated by a space, so that a receiver which knows
any one of them accepts the delivery (rotation). A secret never appears in a `repr` or an error.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Callable, Sequence

PREFIX = "whsec_"
MINIMUM_BYTES = 24
MAXIMUM_BYTES = 64
NEW_SECRET_BYTES = 32
TOLERANCE = 300
"""Seconds by which timestamp and receiver's clock may differ (Standard Webhooks, "Verifying")."""

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class InvalidSecret(ValueError):  # noqa: N818 - as `InvalidSignature`
    """The text is not a `whsec_` secret; the message says why, without the text."""


class InvalidSignature(ValueError):  # noqa: N818 - what is wrong, not an error of ours
    """The delivery is not from who knows the secret, or is too old or too new; the message says which."""


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A new secret in its text form; `random_bytes(n)` must be unpredictable (`secrets.token_bytes`)."""
    return PREFIX + binascii.b2a_base64(random_bytes(NEW_SECRET_BYTES), newline=False).decode()


def key_of(secret: str) -> bytes:
    """The key that `secret` stands for. Raises `InvalidSecret`."""
    if not secret.startswith(PREFIX):
        raise InvalidSecret(f"must start with {PREFIX!r}")
    try:
        key = binascii.a2b_base64(secret[len(PREFIX) :].encode("ascii"), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError: neither may carry the text along
        raise InvalidSecret(f"must be base64 after {PREFIX!r}") from None
    if not MINIMUM_BYTES <= len(key) <= MAXIMUM_BYTES:
        raise InvalidSecret(f"must decode to {MINIMUM_BYTES} to {MAXIMUM_BYTES} bytes, not {len(key)}")
    return key


class Signer:
    """Signs deliveries with every one of an endpoint's secrets.

    The keys are hashed once: each signature continues from copies of HMAC's two states (RFC 2104), which
    takes two thirds of the time of `hmac.digest`.
    """

    __slots__ = ("_first", "_others")

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises `InvalidSecret` for a secret that is none, and when there is no secret at all."""
        if not secrets:
            raise InvalidSecret("at least one secret is needed")
        states = [_states(key_of(secret)) for secret in secrets]
        self._first, self._others = states[0], states[1:]

    def sign(self, id_: bytes, timestamp: bytes, body: bytes) -> bytes:
        """The value of `webhook-signature`. `timestamp` is in whole seconds since the epoch, in digits."""
        content = b"%b.%b.%b" % (id_, timestamp, body)
        inner, outer = self._first
        digest = inner.copy()
        digest.update(content)
        signature = outer.copy()
        signature.update(digest.digest())
        value = b"v1," + binascii.b2a_base64(signature.digest(), newline=False)
        if not self._others:
            return value
        return b" ".join([value, *(_sign(states, content) for states in self._others)])


def verify(
    secret: str,
    id_: bytes,
    timestamp: bytes,
    signatures: bytes,
    body: bytes,
    *,
    now: int,
    tolerance: int = TOLERANCE,
) -> None:
    """Return if one of `signatures` (the value of `webhook-signature`) is `secret`'s.

    Raises `InvalidSignature`. `now` and `tolerance` are in seconds. Signatures of other schemes (`v1a`, …)
    are passed over.
    """
    if not timestamp.isdigit() or len(timestamp) > 12:
        raise InvalidSignature("webhook-timestamp must be whole seconds since the epoch, in digits")
    if abs(int(timestamp) - now) > tolerance:
        raise InvalidSignature(f"webhook-timestamp must be within {tolerance} seconds of the receiver's clock")
    expected = _sign(_states(key_of(secret)), b"%b.%b.%b" % (id_, timestamp, body))
    matches = [hmac.compare_digest(expected, candidate) for candidate in signatures.split(b" ")]
    if not any(matches):
        raise InvalidSignature("no signature in webhook-signature matches id, timestamp and body")


_States = tuple["hashlib._Hash", "hashlib._Hash"]


def _states(key: bytes) -> _States:
    padded = key.ljust(_BLOCK, b"\0")  # keys are at most 64 bytes, SHA-256's block: none needs hashing first
    return hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))


def _sign(states: _States, content: bytes) -> bytes:
    inner, outer = states[0].copy(), states[1].copy()
    inner.update(content)
    outer.update(inner.digest())
    return b"v1," + binascii.b2a_base64(outer.digest(), newline=False)
