"""What is accepted, and what is said about everything else."""

from __future__ import annotations

import random
import secrets
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callboard.consumer import (
    BodyChanged,
    ClockOff,
    InvalidHeader,
    InvalidSecret,
    MissingHeader,
    SecretMismatch,
    UnknownScheme,
    VerificationError,
    diagnose,
    verify,
)
from callboard.webhooks.keys_text import new_private_key, new_secret, public_key_of

NOW = 1_800_000_000
fixed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def raised(headers: Any, body: bytes, keys: Any, now: float = NOW, **more: Any) -> VerificationError:
    """What `verify` raises, after a look at whether `diagnose` says the same."""
    with pytest.raises(VerificationError) as caught:
        verify(headers, body, keys, now=now, **more)
    first = next(finding for finding in diagnose(headers, body, keys, now, **more) if not finding.ok)
    assert (type(first.error), first.text, first.part) == (type(caught.value), str(caught.value), caught.value.part)
    return caught.value


def accepted(headers: Any, body: bytes, keys: Any) -> bool:
    """Whether `verify` returns, after a look at whether `diagnose` has nothing against it either."""
    verify(headers, body, keys, now=NOW)
    findings = diagnose(headers, body, keys, NOW)
    assert [finding.part for finding in findings] == ["headers", "clock", "scheme", "secret", "body"]
    return all(finding.ok for finding in findings)


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title, str.swapcase])
def test_headers_may_be_in_any_case(sent: Any, case: Any) -> None:
    assert accepted({case(name): value for name, value in sent.headers().items()}, sent.body, sent.secret)


def test_headers_may_be_pairs_of_texts_or_bytes(sent: Any) -> None:
    pairs = list(sent.headers().items())
    assert accepted(pairs, sent.body, sent.secret)
    assert accepted([(name.encode(), value.encode()) for name, value in pairs], sent.body, sent.secret)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_body_may_be_any_kind_of_bytes(sent: Any, kind: Any) -> None:
    assert accepted(sent.headers(), kind(sent.body), sent.secret)


@pytest.mark.parametrize("body", ["{}", {"type": "x"}, None, []])
def test_what_was_parsed_or_decoded_is_no_body(sent: Any, body: Any) -> None:
    for call in (
        lambda: verify(sent.headers(), body, sent.secret, now=NOW),
        lambda: diagnose({}, body, sent.secret, NOW),
    ):
        with pytest.raises(TypeError, match="must be the bytes of the request as they came, not"):
            call()


def test_either_scheme_is_enough(sent: Any) -> None:
    for signing in ([sent.secret], [sent.private], [sent.secret, sent.private], [sent.private, sent.secret]):
        headers = sent.headers(signing)
        for signer, known in ((sent.secret, sent.secret), (sent.private, sent.public)):
            if signer in signing:
                assert accepted(headers, sent.body, known)
                assert accepted(headers, sent.body, [new_secret(secrets.token_bytes), known])


def test_white_space_around_a_secret_does_no_harm(sent: Any) -> None:
    assert accepted(sent.headers(), sent.body, f" {sent.secret}\n")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, ""])
def test_a_missing_header_is_named(sent: Any, name: str, value: str | None) -> None:
    headers = sent.headers()
    del headers[name]
    error = raised(headers | ({} if value is None else {name: value}), sent.body, sent.secret)
    assert isinstance(error, MissingHeader)
    assert (error.name, error.part) == (name, "headers")
    assert f"the header {name} is missing" in str(error)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_there_twice_is_refused(sent: Any, name: str) -> None:
    headers = sent.headers()
    error = raised([*headers.items(), (name.upper(), headers[name])], sent.body, sent.secret)
    assert isinstance(error, InvalidHeader)
    assert error.name == name


@pytest.mark.parametrize("value", ["-5", "1.5", "1e9", "²", "٣", "9" * 19, "yesterday", " 1800000000"])
def test_a_timestamp_that_is_no_number_of_seconds_is_refused(sent: Any, value: str) -> None:
    error = raised(sent.headers() | {"webhook-timestamp": value}, sent.body, sent.secret)
    assert isinstance(error, InvalidHeader)
    assert error.name == "webhook-timestamp"


@pytest.mark.parametrize(("now", "seconds"), [(NOW + 301, -301), (NOW - 300.5, 300.5), (0, NOW), (NOW * 10, NOW * -9)])
def test_a_clock_that_is_off_is_told_by_how_much(sent: Any, now: float, seconds: float) -> None:
    error = raised(sent.headers(), sent.body, sent.secret, now)
    assert isinstance(error, ClockOff)
    assert (error.seconds, error.tolerance) == (seconds, 300)
    assert f"{abs(seconds):.0f} seconds {'ahead of' if seconds > 0 else 'behind'} this clock" in str(error)


def test_the_tolerance_can_be_chosen(sent: Any) -> None:
    verify(sent.headers(), sent.body, sent.secret, now=NOW + 1000, tolerance_seconds=1000)
    raised(sent.headers(), sent.body, sent.secret, NOW + 11, tolerance_seconds=10)


def test_by_default_now_is_the_time(sent: Any) -> None:
    with pytest.raises(ClockOff):
        verify(sent.headers(), sent.body, sent.secret)


def test_a_key_of_the_other_scheme_is_told_which_one_is_needed(sent: Any) -> None:
    error = raised(sent.headers([sent.private]), sent.body, sent.secret)
    assert isinstance(error, UnknownScheme)
    assert (error.found, error.usable) == (("v1a",), ("v1",))
    assert "give its whpk_ public key of the endpoint" in str(error)
    assert "give its whsec_ secret" in str(raised(sent.headers(), sent.body, sent.public))


@pytest.mark.parametrize("signature", ["sha256=abc", "v2,abc", "v9", ",", "%", "\x80v1"])
def test_signatures_of_no_known_scheme_are_told_so(sent: Any, signature: str) -> None:
    error = raised(sent.headers() | {"webhook-signature": signature}, sent.body, [sent.secret, sent.public])
    assert isinstance(error, UnknownScheme)
    assert "no delivery of Callboard's" in str(error)


def test_another_secret_does_not_match(sent: Any) -> None:
    error = raised(sent.headers(), sent.body, new_secret(secrets.token_bytes))
    assert isinstance(error, SecretMismatch)
    assert str(error).startswith("the secret does not match")
    several = [new_secret(secrets.token_bytes), public_key_of(new_private_key(secrets.token_bytes))]
    error = raised(sent.headers([sent.private, sent.secret]), sent.body, several)
    assert isinstance(error, SecretMismatch)
    assert str(error).startswith("none of the 2 secrets matches")


@pytest.mark.parametrize("change", [{"webhook-id": "other"}, {"webhook-timestamp": str(NOW - 1)}])
def test_another_id_or_timestamp_does_not_match(sent: Any, change: dict[str, str]) -> None:
    assert isinstance(raised(sent.headers() | change, sent.body, sent.secret), SecretMismatch)


def test_a_body_with_other_content_does_not_match_and_no_key_is_said_to_be_right(sent: Any) -> None:
    for body in (sent.body.replace(b"guest", b"host!"), b"null", b"[" * 5000, b"\xff" * len(sent.body), b"1" * 5000):
        headers = sent.headers() | {"content-length": str(len(body))}
        assert isinstance(raised(headers, body, sent.secret), SecretMismatch)


def test_an_empty_body_is_told_to_have_been_read_before(sent: Any) -> None:
    error = raised(sent.headers(), b"", sent.secret)
    assert isinstance(error, BodyChanged)
    assert "it is empty" in str(error)


def test_a_body_that_was_cut_is_told_so(sent: Any) -> None:
    error = raised(sent.headers(), sent.body[:100], sent.secret)
    assert isinstance(error, BodyChanged)
    assert f"it has 100 bytes, and content-length says {len(sent.body)}" in str(error)


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_x", "whpk_AAAA"])
def test_a_secret_that_is_none_is_an_error_of_the_receiver_and_not_repeated(sent: Any, secret: str) -> None:
    with pytest.raises(InvalidSecret) as caught:
        verify(sent.headers(), sent.body, [sent.secret, secret], now=NOW)
    assert not isinstance(caught.value, VerificationError)
    assert secret not in str(caught.value) or secret in ("", "whsec_")
    finding, *others = diagnose(sent.headers(), sent.body, [sent.secret, secret], NOW)
    assert (finding.part, finding.ok, finding.text) == ("secret", False, f"secret 2 {caught.value}")
    assert all(other.ok for other in others)


def test_without_any_secret_nothing_is_accepted(sent: Any) -> None:
    with pytest.raises(InvalidSecret):
        verify(sent.headers(), sent.body, [], now=NOW)


def test_a_receiver_has_no_private_key(sent: Any) -> None:
    with pytest.raises(InvalidSecret, match="is the sender's private key"):
        verify(sent.headers([sent.private]), sent.body, sent.private, now=NOW)


def test_a_diagnosis_tells_everything_that_is_wrong_at_once(sent: Any) -> None:
    findings = diagnose(sent.headers(), sent.body + b"\n", sent.secret, NOW + 1000)
    assert [(finding.part, finding.ok) for finding in findings] == [
        ("headers", True), ("clock", False), ("scheme", True), ("secret", True), ("body", False),
    ]  # fmt: skip
    headers = sent.headers()
    del headers["webhook-id"]
    del headers["webhook-signature"]
    findings = diagnose(headers, sent.body, sent.secret, NOW + 1000)
    assert [(finding.part, finding.ok) for finding in findings] == [
        ("headers", False), ("headers", False), ("clock", False),
    ]  # fmt: skip
    assert diagnose({}, b"", sent.secret, NOW)[0].text.startswith("the header webhook-id is missing")


def test_a_diagnosis_says_which_secret_it_was(sent: Any) -> None:
    keys = [new_secret(secrets.token_bytes), sent.secret]
    texts = [finding.text for finding in diagnose(sent.headers(), sent.body, keys, NOW)]
    assert "secret 2 of 2 is the one it was signed with" in texts


def test_only_so_many_signatures_are_looked_at(sent: Any) -> None:
    right = sent.headers()["webhook-signature"]
    headers = sent.headers() | {"webhook-signature": " ".join(["v1,AAAA"] * 31 + [right])}
    assert accepted(headers, sent.body, sent.secret)
    headers = sent.headers() | {"webhook-signature": " ".join(["v1,AAAA"] * 32 + [right])}
    assert isinstance(raised(headers, sent.body, sent.secret), SecretMismatch)


@fixed
@given(data=st.data())
def test_whatever_one_byte_becomes_nothing_is_accepted_but_what_was_sent(sent: Any, data: st.DataObject) -> None:
    headers, body = sent.headers([sent.secret, sent.private]), sent.body
    place = data.draw(st.integers(0, len(body) - 1))
    changed = body[:place] + bytes([body[place] ^ data.draw(st.integers(1, 255))]) + body[place + 1 :]
    for known in (sent.secret, sent.public):
        with pytest.raises(VerificationError):
            verify(headers, changed, known, now=NOW)


@fixed
@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature", "content-length", "x"]),
        st.one_of(st.text(max_size=200), st.sampled_from([str(NOW), "v1,", "v1a,AAAA", "v1,AAAA v1a,!"])),
    ),
    st.binary(max_size=200),
)
def test_whatever_strangers_send_is_refused_and_no_other_error_happens(sent: Any, headers: Any, body: bytes) -> None:
    raised(headers, body, [sent.secret, sent.public])


def test_no_error_has_a_secret(sent: Any) -> None:
    other = new_secret(random.Random(9).randbytes)
    errors = [
        raised({}, b"", other),
        raised(sent.headers(), sent.body, other),
        raised(sent.headers(), sent.body + b" ", sent.secret),
        raised(sent.headers([sent.private]), sent.body, other),
    ]
    for error in errors:
        for key in (other, sent.secret, sent.private):
            assert key[6:] not in f"{error!r} {error} {vars(error)}"
