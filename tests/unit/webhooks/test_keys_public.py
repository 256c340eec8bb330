"""The published key set, read by others' readers of key sets."""

from __future__ import annotations

import base64
import random

import jwt
import msgspec

from callboard.clock import NANOSECONDS
from callboard.consumer import public_keys
from callboard.webhooks.keys import chosen, rotated, signer_at
from callboard.webhooks.keys_public import KeySet, published, thumbprint
from callboard.webhooks.signing import Verifier

RANDOM = random.Random(4).randbytes
NOW = 1_800_000_000 * NANOSECONDS


def test_the_thumbprint_is_that_of_rfc_8037() -> None:
    assert thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo") == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_only_public_keys_are_published_with_their_times() -> None:
    present = rotated(chosen((), None, ["v1", "v1a"], RANDOM, NOW), 60, RANDOM, NOW + NANOSECONDS)
    new, old = published("e1", present)
    assert (new.endpoint_id, new.iat, new.exp) == ("e1", 1_800_000_001, msgspec.UNSET)
    assert (old.endpoint_id, old.iat, old.exp) == ("e1", 1_800_000_000, 1_800_000_061)
    document = msgspec.json.encode(KeySet(keys=[new, old]))
    for key in present:
        assert key.text.encode()[6:40] not in document


def test_a_reader_of_json_web_keys_can_verify_with_them() -> None:
    present = chosen((), None, ["v1a"], RANDOM, NOW)
    (key,) = published("e1", present)
    (read,) = jwt.PyJWKSet.from_json(msgspec.json.encode(KeySet(keys=[key])).decode()).keys
    assert read.key_id == key.kid
    signature = signer_at(present, NOW).sign(b"id", b"1", b"body").removeprefix(b"v1a,")
    read.key.verify(base64.b64decode(signature), b"id.1.body")


def test_a_receiver_takes_the_keys_of_its_own_endpoint_only() -> None:
    mine, others = (chosen((), None, ["v1a"], RANDOM, NOW) for _ in range(2))
    document = msgspec.json.encode(KeySet(keys=[*published("e1", others), *published("e2", mine)]))
    strange = msgspec.json.decode(document)
    strange["keys"].append({"kty": "RSA", "endpoint_id": "e2", "n": "x"})
    (key,) = public_keys(msgspec.json.encode(strange), "e2")
    signed = signer_at(mine, NOW).sign(b"id", b"1", b"body")
    assert Verifier(key).matches(b"id.1.body", [signed])
    assert public_keys(document, "e3") == []
