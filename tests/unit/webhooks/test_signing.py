"""Signatures, checked against the reference library of Standard Webhooks."""

from __future__ import annotations

import base64
import secrets
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from callboard.webhooks.keys_text import InvalidSecret, key_of, new_secret
from callboard.webhooks.signing import InvalidSignature, Signer, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()

keys = st.binary(min_size=24, max_size=64)
texts = st.text(max_size=2000)
seconds = st.integers(min_value=1, max_value=4_000_000_000)


def test_the_example_of_the_specification_gives_its_signature() -> None:
    signature = Signer([SECRET]).sign(b"msg_p5jXN8AQM9LWM0D4loKWxJek", b"1614265330", b'{"test": 2432232314}')
    assert signature == b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(keys, texts, seconds)
def test_the_reference_library_makes_the_same_signature(key: bytes, body: str, timestamp: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    expected = Webhook(secret).sign("msg_1", datetime.fromtimestamp(timestamp, UTC), body)
    assert Signer([secret]).sign(b"msg_1", b"%d" % timestamp, body.encode()).decode() == expected


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_with_two_secrets_the_reference_library_accepts_either(secret: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    signature = Signer([SECRET, OTHER]).sign(b"msg_1", b"%d" % now, b'{"a":1}').decode()
    assert signature.count("v1,") == signature.count(" ") + 1 == 2
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(now), "webhook-signature": signature}
    assert Webhook(secret).verify('{"a":1}', headers) == {"a": 1}
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret(secrets.token_bytes)).verify('{"a":1}', headers)


def test_a_signer_signs_again_and_again() -> None:
    signer = Signer([SECRET])
    first = signer.sign(b"a", b"1", b"x")
    assert signer.sign(b"b", b"1", b"x") != first
    assert signer.sign(b"a", b"1", b"x") == first


@given(keys, st.binary(max_size=500), seconds)
def test_what_was_signed_verifies(key: bytes, body: bytes, timestamp: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    stamp = b"%d" % timestamp
    signatures = Signer([OTHER, secret]).sign(b"id", stamp, body)
    verify(secret, b"id", stamp, b"v1a,abc " + signatures, body, now=timestamp + 300)
    for id_, when, content in (
        (b"ie", stamp, body),
        (b"id", b"%d" % (timestamp + 1), body),
        (b"id", stamp, body + b" "),
    ):
        with pytest.raises(InvalidSignature):
            verify(secret, id_, when, signatures, content, now=timestamp)


@pytest.mark.parametrize("now", [1_000_301, 999_699])
def test_a_delivery_too_old_or_too_new_is_refused(now: int) -> None:
    signatures = Signer([SECRET]).sign(b"id", b"1000000", b"")
    with pytest.raises(InvalidSignature, match="within 300 seconds"):
        verify(SECRET, b"id", b"1000000", signatures, b"", now=now)


@pytest.mark.parametrize("timestamp", [b"", b"-5", b"1.5", b"1e9", b"\xb2", b"9" * 5000])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(timestamp: bytes) -> None:
    with pytest.raises(InvalidSignature, match="digits"):
        verify(SECRET, b"id", timestamp, b"v1,abc", b"", now=0)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "must start with"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "must be base64"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8IL\nPZIo2LaLaSw", "must be base64"),
        ("whsec_é", "must be base64"),
        ("whsec_" + base64.b64encode(bytes(23)).decode(), "24 to 64 bytes, not 23"),
        ("whsec_" + base64.b64encode(bytes(65)).decode(), "24 to 64 bytes, not 65"),
    ],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str, reason: str) -> None:
    with pytest.raises(InvalidSecret, match=reason) as raised:
        key_of(secret)
    assert secret not in str(raised.value)
    assert raised.value.__cause__ is None


def test_no_secret_at_all_is_refused() -> None:
    with pytest.raises(InvalidSecret):
        Signer([])


def test_a_new_secret_is_one() -> None:
    assert len(key_of(new_secret(secrets.token_bytes))) == 32
    assert new_secret(secrets.token_bytes) != new_secret(secrets.token_bytes)
