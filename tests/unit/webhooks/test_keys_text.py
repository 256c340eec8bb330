"""The texts of keys: the specification's, RFC 8032's keys, and texts that are no keys."""

from __future__ import annotations

import base64
import secrets

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from callboard.webhooks.keys_text import (
    InvalidSecret,
    check_signing_key,
    key_of,
    new_private_key,
    new_secret,
    private_key_of,
    public_bytes_of,
    public_key_of,
    scheme_of,
)

# RFC 8032 §7.1, TEST 1.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
POINT = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
EMPTY_SIGNED = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)


def text(prefix: str, data: bytes) -> str:
    return prefix + base64.b64encode(data).decode()


def test_a_new_secret_is_one() -> None:
    assert len(key_of(new_secret(secrets.token_bytes))) == 32
    assert new_secret(secrets.token_bytes) != new_secret(secrets.token_bytes)


def test_a_new_private_key_is_the_pair_of_rfc_8032() -> None:
    private = new_private_key(lambda _: SEED)
    assert private == text("whsk_", SEED + POINT)
    assert public_key_of(private) == text("whpk_", POINT)
    assert public_bytes_of(public_key_of(private)) == POINT
    assert private_key_of(private).sign(b"") == EMPTY_SIGNED


def test_a_private_key_without_its_public_half_is_read_too() -> None:
    assert public_key_of(text("whsk_", SEED)) == text("whpk_", POINT)
    assert private_key_of(text("whsk_", SEED)).sign(b"") == EMPTY_SIGNED


@given(st.binary(min_size=32, max_size=32))
def test_the_public_half_is_the_one_that_cryptography_finds(seed: bytes) -> None:
    expected = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert public_bytes_of(public_key_of(new_private_key(lambda _: seed))) == expected


def test_the_prefix_says_the_scheme() -> None:
    assert scheme_of(new_secret(secrets.token_bytes)) == "v1"
    assert scheme_of(new_private_key(secrets.token_bytes)) == scheme_of(text("whpk_", POINT)) == "v1a"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "must be base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8IL\nPZIo2LaLaSw", "must be base64"),
        ("whsec_é", "must be base64"),
        (text("whsec_", bytes(23)), "24 to 64 bytes, not 23"),
        (text("whsec_", bytes(65)), "24 to 64 bytes, not 65"),
        (text("whsk_", SEED[:-1]), "32 or 64 bytes, not 31"),
        (text("whsk_", SEED + POINT[:-1]), "32 or 64 bytes, not 63"),
        (text("whsk_", SEED + SEED), "not the public key of the first"),
        (text("whpk_", POINT), "must start with"),
        ("WHSEC_" + "A" * 32, "must start with"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_and_not_repeated(key: str, reason: str) -> None:
    with pytest.raises(InvalidSecret, match=reason) as raised:
        check_signing_key(key)
    assert key.partition("_")[2][:20] not in str(raised.value) or not key.partition("_")[2]
    assert raised.value.__cause__ is None


def test_a_public_key_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidSecret, match="32 bytes, not 33"):
        public_bytes_of(text("whpk_", POINT + b"x"))
