"""The public keys that Callboard publishes, for receivers that verify with them. Pure.

Owns: `public_keys`. Whoever receives fetches the document itself, with what it fetches other things with.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct


class _Key(Struct):
    """What of a published key is needed. Others may be of kinds that are not known here."""

    endpoint_id: str = ""
    whpk: str = ""


class _KeySet(Struct):
    keys: list[_Key]


def public_keys(document: bytes, endpoint_id: str) -> list[str]:
    """The `whpk_` texts of one endpoint's keys in the `document` at `/.well-known/callboard/webhook-keys`.

    Only the receiver's own endpoint is to be trusted: the others' owners could sign for it. Raises `ValueError` for a
    document that is no key set.
    """
    keys = msgspec.json.decode(document, type=_KeySet).keys
    return [key.whpk for key in keys if key.endpoint_id == endpoint_id and key.whpk]
