"""The texts of signing keys, as Standard Webhooks 1.0.0 writes them ("Signature scheme"). Pure.

A key's text says its scheme:

* `whsec_` and base64 of 24 to 64 bytes: the secret of `v1`, known to both sides;
* `whsk_` and base64 of 64 bytes: the private key of `v1a`, RFC 8032's 32 bytes and the public key's (the 32 alone are
  read too); it never leaves the sender;
* `whpk_` and base64 of 32 bytes: the public key that belongs to it.

Owns: making, reading and checking them. Always holds: no error repeats a key.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from typing import Final, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SYMMETRIC: Final = "whsec_"
PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
MINIMUM_BYTES: Final = 24
MAXIMUM_BYTES: Final = 64
NEW_SECRET_BYTES: Final = 32
ED25519_BYTES: Final = 32

Scheme = Literal["v1", "v1a"]


class InvalidSecret(ValueError):  # noqa: N818 - what is wrong, not an error of ours
    """The text is no key of the kind that is needed; the message says why, without the text."""


def new_secret(random_bytes: Callable[[int], bytes]) -> str:
    """A new secret for `v1`, in its text form; `random_bytes(n)` must be unpredictable (`secrets.token_bytes`)."""
    return _text(SYMMETRIC, random_bytes(NEW_SECRET_BYTES))


def new_private_key(random_bytes: Callable[[int], bytes]) -> str:
    """A new private key for `v1a`, in its text form; `random_bytes` as for `new_secret`."""
    seed = random_bytes(ED25519_BYTES)
    return _text(PRIVATE, seed + _public_bytes(Ed25519PrivateKey.from_private_bytes(seed)))


def scheme_of(text: str) -> Scheme:
    """The scheme that the key `text` is for, judged by its prefix. Raises `InvalidSecret`."""
    if text.startswith(SYMMETRIC):
        return "v1"
    if text.startswith((PRIVATE, PUBLIC)):
        return "v1a"
    raise InvalidSecret(f"must start with {SYMMETRIC!r}, {PRIVATE!r} or {PUBLIC!r}")


def check_signing_key(text: str) -> None:
    """Return if deliveries can be signed with it: a secret or a private key. Raises `InvalidSecret`."""
    if text.startswith(PRIVATE):
        private_key_of(text)
    elif text.startswith(SYMMETRIC):
        key_of(text)
    else:
        raise InvalidSecret(f"must start with {SYMMETRIC!r} (v1) or {PRIVATE!r} (v1a)")


def key_of(secret: str) -> bytes:
    """The bytes of a `whsec_` secret. Raises `InvalidSecret`."""
    key = _bytes(SYMMETRIC, secret)
    if not MINIMUM_BYTES <= len(key) <= MAXIMUM_BYTES:
        raise InvalidSecret(f"must decode to {MINIMUM_BYTES} to {MAXIMUM_BYTES} bytes, not {len(key)}")
    return key


def public_key_of(private: str) -> str:
    """The `whpk_` text of the public key that belongs to a `whsk_` one, which was checked. Raises `InvalidSecret`."""
    both = _bytes(PRIVATE, private)
    return _text(PUBLIC, both[ED25519_BYTES:] or _public_bytes(private_key_of(private)))


def public_bytes_of(public: str) -> bytes:
    """The 32 bytes of a `whpk_` public key. Raises `InvalidSecret`."""
    key = _bytes(PUBLIC, public)
    if len(key) != ED25519_BYTES:
        raise InvalidSecret(f"must decode to {ED25519_BYTES} bytes, not {len(key)}")
    return key


def private_key_of(text: str) -> Ed25519PrivateKey:
    """The key that a `whsk_` text stands for. Raises `InvalidSecret`."""
    both = _bytes(PRIVATE, text)
    if len(both) not in {ED25519_BYTES, 2 * ED25519_BYTES}:
        raise InvalidSecret(f"must decode to {ED25519_BYTES} or {2 * ED25519_BYTES} bytes, not {len(both)}")
    private = Ed25519PrivateKey.from_private_bytes(both[:ED25519_BYTES])
    if len(both) > ED25519_BYTES and both[ED25519_BYTES:] != _public_bytes(private):
        raise InvalidSecret("must be a key pair: its second half is not the public key of the first")
    return private


def _public_bytes(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes_raw()


def _text(prefix: str, key: bytes) -> str:
    return prefix + binascii.b2a_base64(key, newline=False).decode()


def _bytes(prefix: str, text: str) -> bytes:
    if not text.startswith(prefix):
        raise InvalidSecret(f"must start with {prefix!r}")
    try:
        return binascii.a2b_base64(text[len(prefix) :].encode("ascii"), strict_mode=True)
    except ValueError:  # binascii.Error and UnicodeEncodeError: neither may carry the text along
        raise InvalidSecret(f"must be base64 after {prefix!r}") from None
