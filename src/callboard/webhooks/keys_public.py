"""The public keys of endpoints, as they are published: a JSON Web Key Set (RFC 7517, RFC 8037). Pure.

Owns: `PublicKey` and `KeySet`. Besides the members that every reader of key sets knows, a key says which endpoint it
belongs to, its `whpk_` text, and when it began and, after a rotation, ends to sign.

Always holds: a key's `kid` is its thumbprint (RFC 7638), so it depends on nothing but the key.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from callboard.clock import NANOSECONDS
from callboard.webhooks.keys import SigningKey
from callboard.webhooks.keys_text import public_bytes_of

PATH = "/.well-known/callboard/webhook-keys"


class PublicKey(Struct, frozen=True, kw_only=True):
    """A public key that deliveries to one endpoint are signed with."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: Literal["EdDSA"] = "EdDSA"
    use: Literal["sig"] = "sig"
    kid: Annotated[str, Meta(description="The key's thumbprint (RFC 7638, SHA-256).")]
    x: Annotated[str, Meta(description="The key: base64url of its 32 bytes, without padding.")]
    endpoint_id: Annotated[str, Meta(description="The endpoint whose deliveries it signs. Trust no other's keys.")]
    whpk: Annotated[str, Meta(description="The same key as Standard Webhooks writes it.")]
    iat: Annotated[int, Meta(description="When it was made, in seconds since the epoch.")]
    exp: (
        Annotated[int, Meta(description="After a rotation: when it ends to sign, in seconds since the epoch.")]
        | UnsetType
    ) = UNSET


class KeySet(Struct, frozen=True, kw_only=True):
    """Public keys. A receiver keeps those of its own endpoint, and asks again at most once in five minutes."""

    keys: list[PublicKey]


def published(endpoint_id: str, keys: Sequence[SigningKey]) -> list[PublicKey]:
    """The public keys of an endpoint's signing keys, in their order."""
    return [_published(endpoint_id, key) for key in keys if key.public_key]


def _published(endpoint_id: str, key: SigningKey) -> PublicKey:
    x = _base64url(public_bytes_of(key.public_key))
    return PublicKey(
        kid=thumbprint(x),
        x=x,
        endpoint_id=endpoint_id,
        whpk=key.public_key,
        iat=key.created_at // NANOSECONDS,
        exp=key.expires_at // NANOSECONDS if key.expires_at else UNSET,
    )


def thumbprint(x: str) -> str:
    """The thumbprint (RFC 7638, SHA-256) of the Ed25519 key whose `x` this is (RFC 8037 §2)."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    return _base64url(hashlib.sha256(members.encode()).digest())


def _base64url(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode().translate(_URL_SAFE).rstrip("=")


_URL_SAFE = str.maketrans("+/", "-_")
