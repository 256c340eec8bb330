"""Signatures of deliveries: Standard Webhooks 1.0.0, `v1` (HMAC-SHA256) and `v1a` (Ed25519). Pure.

Owns: `Signer`, `Verifier` and `verify`. `keys_text` says what the texts of keys look like.

Always holds: what is signed is `id.timestamp.body`, the bytes as they are sent. With several keys there are several
signatures, in the order of the keys and separated by a space, so that a receiver which knows any one of them accepts
the delivery (rotation). A key never appears in a `repr` or an error.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature as _Mismatch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from callboard.webhooks.keys_text import (
    PRIVATE,
    PUBLIC,
    InvalidSecret,
    Scheme,
    check_signing_key,
    key_of,
    private_key_of,
    public_bytes_of,
    scheme_of,
)

TOLERANCE = 300
"""Seconds by which timestamp and receiver's clock may differ (Standard Webhooks, "Verifying")."""

_BLOCK = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class InvalidSignature(ValueError):  # noqa: N818 - what is wrong, not an error of ours
    """The delivery is not from who knows the key, or is too old or too new; the message says which."""


class Signer:
    """Signs deliveries with every one of an endpoint's keys.

    The keys of `v1` are hashed once: each signature continues from copies of HMAC's two states (RFC 2104), which takes
    two thirds of the time of `hmac.digest`. A signature of `v1a` takes some thirty times as long.
    """

    __slots__ = ("_first", "_others")

    def __init__(self, keys: Sequence[str]) -> None:
        """Raises `InvalidSecret` for a text that is no `whsec_` or `whsk_` key, and when there is no key at all."""
        if not keys:
            raise InvalidSecret("at least one key is needed")
        parts = [_part(text) for text in keys]
        # The usual case, one secret, is written out in `sign`: it is the dispatcher's inner loop.
        self._first = parts[0] if len(parts) == 1 and isinstance(parts[0], tuple) else None
        self._others = parts

    def sign(self, id_: bytes, timestamp: bytes, body: bytes) -> bytes:
        """The value of `webhook-signature`. `timestamp` is in whole seconds since the epoch, in digits."""
        content = b"%b.%b.%b" % (id_, timestamp, body)
        if self._first is None:
            return b" ".join([_signature(part, content) for part in self._others])
        inner, outer = self._first
        digest = inner.copy()
        digest.update(content)
        signature = outer.copy()
        signature.update(digest.digest())
        return b"v1," + binascii.b2a_base64(signature.digest(), newline=False)


def verify(
    key: str,
    id_: bytes,
    timestamp: bytes,
    signatures: bytes,
    body: bytes,
    *,
    now: int,
    tolerance: int = TOLERANCE,
) -> None:
    """Return if one of `signatures` (the value of `webhook-signature`) is the one of `key`, `whsec_` or `whpk_`.

    Raises `InvalidSignature`. `now` and `tolerance` are in seconds. Signatures of other schemes are passed over.
    """
    if not timestamp.isdigit() or len(timestamp) > 12:
        raise InvalidSignature("webhook-timestamp must be whole seconds since the epoch, in digits")
    if abs(int(timestamp) - now) > tolerance:
        raise InvalidSignature(f"webhook-timestamp must be within {tolerance} seconds of the receiver's clock")
    if not Verifier(key).matches(b"%b.%b.%b" % (id_, timestamp, body), signatures.split(b" ")):
        raise InvalidSignature("no signature in webhook-signature matches id, timestamp and body")


class Verifier:
    """Knows one key, and whether a signature is that key's."""

    __slots__ = ("_public", "_states", "scheme")

    def __init__(self, key: str) -> None:
        """`key` is a `whsec_` secret or a `whpk_` public key. Raises `InvalidSecret`."""
        self.scheme: Scheme = scheme_of(key)
        if key.startswith(PRIVATE):
            raise InvalidSecret(f"is the sender's private key: receivers have the public one, {PUBLIC!r}…")
        self._states = _states(key_of(key)) if self.scheme == "v1" else None
        self._public = Ed25519PublicKey.from_public_bytes(public_bytes_of(key)) if self.scheme == "v1a" else None

    def matches(self, content: bytes, signatures: Sequence[bytes]) -> bool:
        """Whether one of `signatures`, each with its scheme before a comma, is the one of `content`."""
        if self._states is not None:
            expected = _hmac(self._states, content)
            return any(hmac.compare_digest(expected, signature) for signature in signatures)
        return any(self._verifies(content, signature) for signature in signatures)

    def _verifies(self, content: bytes, signature: bytes) -> bool:
        assert self._public is not None
        if not signature.startswith(b"v1a,"):
            return False
        try:
            self._public.verify(binascii.a2b_base64(signature[4:], strict_mode=True), content)
        except (_Mismatch, binascii.Error):
            return False
        return True


_States = tuple["hashlib._Hash", "hashlib._Hash"]


def _part(text: str) -> _States | Ed25519PrivateKey:
    check_signing_key(text)
    return _states(key_of(text)) if scheme_of(text) == "v1" else private_key_of(text)


def _signature(part: _States | Ed25519PrivateKey, content: bytes) -> bytes:
    if isinstance(part, tuple):
        return _hmac(part, content)
    return b"v1a," + binascii.b2a_base64(part.sign(content), newline=False)


def _states(key: bytes) -> _States:
    padded = key.ljust(_BLOCK, b"\0")  # keys are at most 64 bytes, SHA-256's block: none needs hashing first
    return hashlib.sha256(padded.translate(_INNER)), hashlib.sha256(padded.translate(_OUTER))


def _hmac(states: _States, content: bytes) -> bytes:
    inner, outer = states[0].copy(), states[1].copy()
    inner.update(content)
    outer.update(inner.digest())
    return b"v1," + binascii.b2a_base64(outer.digest(), newline=False)
