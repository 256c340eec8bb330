"""Signatures, checked against the reference library of Standard Webhooks, RFC 8032 and `cryptography`."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature as CryptographyMismatch
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from callboard.webhooks.keys_text import InvalidSecret, new_private_key, new_secret, public_bytes_of, public_key_of
from callboard.webhooks.signing import InvalidSignature, Signer, Verifier, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
PRIVATE = new_private_key(lambda n: b"p" * n)
PUBLIC = public_key_of(PRIVATE)

keys = st.binary(min_size=24, max_size=64)
seeds = st.binary(min_size=32, max_size=32)
texts = st.text(max_size=2000)
seconds = st.integers(min_value=1, max_value=4_000_000_000)


def whsec(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


def test_the_example_of_the_specification_gives_its_signature() -> None:
    signature = Signer([SECRET]).sign(b"msg_p5jXN8AQM9LWM0D4loKWxJek", b"1614265330", b'{"test": 2432232314}')
    assert signature == b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(keys, texts, seconds)
def test_the_reference_library_makes_the_same_signature(key: bytes, body: str, timestamp: int) -> None:
    expected = Webhook(whsec(key)).sign("msg_1", datetime.fromtimestamp(timestamp, UTC), body)
    assert Signer([whsec(key)]).sign(b"msg_1", b"%d" % timestamp, body.encode()).decode() == expected


@pytest.mark.parametrize("secret", [SECRET, OTHER])
@pytest.mark.parametrize("others", [(), (PRIVATE,)])
def test_with_several_keys_the_reference_library_accepts_either_secret(secret: str, others: tuple[str, ...]) -> None:
    now = int(datetime.now(UTC).timestamp())
    signature = Signer([*others, SECRET, OTHER]).sign(b"msg_1", b"%d" % now, b'{"a":1}').decode()
    assert [one.partition(",")[0] for one in signature.split(" ")] == ["v1a"] * len(others) + ["v1", "v1"]
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}
    assert Webhook(secret).verify('{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret(secrets.token_bytes)).verify('{"a":1}', headers)


@given(seeds, st.binary(max_size=500), seconds)
def test_cryptography_verifies_what_a_private_key_signs(seed: bytes, body: bytes, timestamp: int) -> None:
    private = new_private_key(lambda _: seed)
    (scheme, _, signature) = Signer([private]).sign(b"id", b"%d" % timestamp, body).partition(b",")
    assert scheme == b"v1a"
    public = Ed25519PublicKey.from_public_bytes(public_bytes_of(public_key_of(private)))
    public.verify(base64.b64decode(signature), b"id.%d.%b" % (timestamp, body))
    with pytest.raises(CryptographyMismatch):
        public.verify(base64.b64decode(signature), b"id.%d.%b" % (timestamp, body + b" "))


def test_a_signer_signs_again_and_again() -> None:
    for present in ([SECRET], [SECRET, OTHER], [PRIVATE], [PRIVATE, SECRET]):
        signer = Signer(present)
        first = signer.sign(b"a", b"1", b"x")
        assert signer.sign(b"b", b"1", b"x") != first
        assert signer.sign(b"a", b"1", b"x") == first


@given(
    st.lists(st.one_of(keys.map(whsec), seeds.map(lambda seed: new_private_key(lambda _: seed))), min_size=1), seconds
)
def test_each_key_signs_as_it_does_alone_in_the_order_of_the_keys(several: list[str], timestamp: int) -> None:
    alone = [Signer([one]).sign(b"id", b"%d" % timestamp, b"body") for one in several]
    assert Signer(several).sign(b"id", b"%d" % timestamp, b"body").split(b" ") == alone


@given(st.one_of(keys.map(whsec), seeds.map(lambda seed: new_private_key(lambda _: seed))), st.binary(), seconds)
def test_what_was_signed_verifies_and_what_was_changed_does_not(key: str, body: bytes, timestamp: int) -> None:
    stamp, known = b"%d" % timestamp, key if key.startswith("whsec_") else public_key_of(key)
    signatures = Signer([OTHER, key]).sign(b"id", stamp, body)
    verify(known, b"id", stamp, b"v1a,abc v2,x v1 " + signatures, body, now=timestamp + 300)
    for id_, when, content in (
        (b"ie", stamp, body),
        (b"id", b"%d" % (timestamp + 1), body),
        (b"id", stamp, body + b" "),
    ):
        with pytest.raises(InvalidSignature):
            verify(known, id_, when, signatures, content, now=timestamp)


@pytest.mark.parametrize(
    "signature", [b"", b"v1a", b"v1a,", b"v1a,!", b"v1a,AAAA", b"v1a," + b"A" * 85 + b"=", b"v1,AAAA", b"v1a,\xff"]
)
def test_a_signature_that_is_none_does_not_match(signature: bytes) -> None:
    assert not Verifier(PUBLIC).matches(b"content", [signature])
    assert not Verifier(SECRET).matches(b"content", [signature])


def test_a_signature_of_one_scheme_does_not_count_for_the_other() -> None:
    signature = Signer([PRIVATE]).sign(b"id", b"1", b"x")
    assert Verifier(PUBLIC).matches(b"id.1.x", [signature])
    for other in (b"v1,", b"v2a,", b"v1A,", b""):
        assert not Verifier(PUBLIC).matches(b"id.1.x", [signature.replace(b"v1a,", other)])


def test_nobody_verifies_with_a_private_key() -> None:
    with pytest.raises(InvalidSecret, match="receivers have the public one"):
        Verifier(PRIVATE)


def test_nothing_is_signed_with_a_public_key() -> None:
    with pytest.raises(InvalidSecret, match="must start with 'whsec_'"):
        Signer([PUBLIC])


@pytest.mark.parametrize("now", [1_000_301, 999_699])
def test_a_delivery_too_old_or_too_new_is_refused(now: int) -> None:
    signatures = Signer([SECRET]).sign(b"id", b"1000000", b"")
    with pytest.raises(InvalidSignature, match="within 300 seconds"):
        verify(SECRET, b"id", b"1000000", signatures, b"", now=now)


@pytest.mark.parametrize("timestamp", [b"", b"-5", b"1.5", b"1e9", b"\xb2", b"9" * 5000])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: bytes) -> None:
    with pytest.raises(InvalidSignature, match="digits"):
        verify(SECRET, b"id", timestamp, b"v1,abc", b"", now=0)


def test_no_key_at_all_is_refused() -> None:
    with pytest.raises(InvalidSecret):
        Signer([])
