"""Tokens: only what the workspace signed, the way it is meant to be signed, opens a door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.auth.tokens import (
    MAX_LIFETIME_SECONDS,
    MAX_TOKEN_LENGTH,
    BadClaim,
    BadSignature,
    Expired,
    InvalidToken,
    Malformed,
    NotYetValid,
    Tokens,
)
from callboard.clock import NANOSECONDS, RandomIds
from callboard.rooms.models import Workspace

NOW = 1_800_000_000
ROOM = "5f9edc6ac238215aec2312df"
SECRET = "a secret that is long enough for HS256, and then some"
WORKSPACE = Workspace(id="5" * 24, app_id="6" * 24, access_key="the-access-key", secret=SECRET, created_at=0)


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW

    def now(self) -> int:
        return self.seconds * NANOSECONDS


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(clock: Clock) -> Tokens:
    return Tokens(WORKSPACE, clock, RandomIds(7))


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of a valid app token, with changes; a change to `None` leaves the claim out."""
    valid = {
        "access_key": "the-access-key",
        "type": "app",
        "version": 2,
        "room_id": ROOM,
        "role": "host",
        "user_id": "user.001",
        "jti": "f7d3f8c2-6d5b-4b8a-9a0b-2f1d1c6a2f55",
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 3600,
    } | changes
    return {name: value for name, value in valid.items() if value is not None}


def signed(payload: dict[str, Any], key: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(payload, key, algorithm=algorithm)


def parts(*segments: bytes) -> str:
    return ".".join(base64.urlsafe_b64encode(segment).rstrip(b"=").decode() for segment in segments)


def test_a_minted_app_token_verifies_and_says_who_may_join_which_room_as_what(tokens: Tokens) -> None:
    verified = tokens.verify_app_token(tokens.mint_app_token(ROOM, "host", "user.001"))
    assert (verified.room_id, verified.role, verified.user_id) == (ROOM, "host", "user.001")
    assert (verified.iat, verified.nbf, verified.exp) == (NOW, NOW, NOW + 24 * 3600)
    assert verified.access_key == "the-access-key"


def test_an_app_token_may_name_no_user(tokens: Tokens) -> None:
    assert tokens.verify_app_token(tokens.mint_app_token(ROOM, "host")).user_id is None


def test_a_minted_management_token_verifies(tokens: Tokens) -> None:
    assert tokens.verify_management_token(tokens.mint_management_token()).type == "management"


def test_two_tokens_for_the_same_are_two_tokens(tokens: Tokens) -> None:
    first, second = (tokens.verify_app_token(tokens.mint_app_token(ROOM, "host")) for _ in range(2))
    assert first.jti != second.jti


def test_a_token_that_an_ordinary_jwt_library_signed_is_valid(tokens: Tokens) -> None:
    assert tokens.verify_app_token(signed(claims())).user_id == "user.001"


def test_an_ordinary_jwt_library_verifies_a_minted_token(tokens: Tokens) -> None:
    decoded = jwt.decode(
        tokens.mint_app_token(ROOM, "a role", "zoë > ~?"),
        SECRET,
        algorithms=["HS256"],
        options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    assert (decoded["type"], decoded["version"], decoded["user_id"]) == ("app", 2, "zoë > ~?")


@pytest.mark.parametrize(
    "header",
    [{"alg": "none"}, {"alg": "None", "typ": "JWT"}, {"typ": "JWT"}, {"alg": None}, {"alg": ["HS256"]}],
)
def test_a_token_that_is_not_signed_is_refused(tokens: Tokens, header: dict[str, Any]) -> None:
    token = parts(json.dumps(header).encode(), json.dumps(claims()).encode(), b"")
    with pytest.raises(Malformed, match="HS256"):
        tokens.verify_app_token(token)


def test_another_hmac_with_the_right_secret_is_refused(tokens: Tokens) -> None:
    with pytest.raises(Malformed, match="HS256"):
        tokens.verify_app_token(signed(claims(), SECRET * 2, "HS512"))


def test_a_token_that_says_rs256_and_is_signed_with_hmac_is_refused(tokens: Tokens) -> None:
    message = parts(b'{"alg":"RS256","typ":"JWT"}', json.dumps(claims()).encode())
    signature = hmac.new(SECRET.encode(), message.encode(), hashlib.sha256).digest()
    with pytest.raises(Malformed, match="HS256"):
        tokens.verify_app_token(f"{message}.{parts(signature)}")


def test_a_token_that_another_secret_signed_is_refused(tokens: Tokens) -> None:
    with pytest.raises(BadSignature):
        tokens.verify_app_token(signed(claims(), "another secret that is long enough as well"))


def test_a_changed_payload_is_refused(tokens: Tokens) -> None:
    header, _, signature = signed(claims()).split(".")
    with pytest.raises(BadSignature):
        tokens.verify_app_token(f"{header}.{parts(json.dumps(claims(role='admin')).encode())}.{signature}")


def test_the_signature_is_judged_before_the_claims(tokens: Tokens) -> None:
    with pytest.raises(BadSignature):
        tokens.verify_app_token(signed({"type": 7}, "another secret that is long enough as well"))


def test_a_token_lives_until_a_minute_after_exp(tokens: Tokens, clock: Clock) -> None:
    token = signed(claims(exp=NOW + 100))
    clock.seconds = NOW + 159
    tokens.verify_app_token(token)
    clock.seconds = NOW + 160
    with pytest.raises(Expired):
        tokens.verify_app_token(token)


def test_who_was_let_in_is_known_by_a_token_that_has_expired_since(tokens: Tokens, clock: Clock) -> None:
    token = tokens.mint_app_token(ROOM, "host", "user.001", lifetime_seconds=100)
    clock.seconds = NOW + 1000
    assert tokens.app_claims_once_valid(token).user_id == "user.001"
    with pytest.raises(BadSignature):
        tokens.app_claims_once_valid(signed(claims(), "another secret that is long enough as well"))
    with pytest.raises(BadClaim):
        tokens.app_claims_once_valid(tokens.mint_management_token())


@pytest.mark.parametrize("name", ["nbf", "iat"])
def test_a_token_from_the_future_waits_but_a_minute_is_forgiven(tokens: Tokens, clock: Clock, name: str) -> None:
    token = signed(claims(**{name: NOW + 100}))
    with pytest.raises(NotYetValid, match=name):
        tokens.verify_app_token(token)
    clock.seconds = NOW + 40
    tokens.verify_app_token(token)


def test_a_token_may_live_ninety_days_and_no_longer(tokens: Tokens) -> None:
    tokens.verify_app_token(signed(claims(exp=NOW + MAX_LIFETIME_SECONDS)))
    with pytest.raises(BadClaim, match="90 days"):
        tokens.verify_app_token(signed(claims(exp=NOW + MAX_LIFETIME_SECONDS + 61)))


@pytest.mark.parametrize("seconds", [0, -1, MAX_LIFETIME_SECONDS + 1])
def test_no_token_is_minted_that_would_not_be_accepted(tokens: Tokens, seconds: int) -> None:
    with pytest.raises(ValueError, match="90 days"):
        tokens.mint_management_token(seconds)


def test_an_app_token_does_not_open_the_rest_api(tokens: Tokens) -> None:
    with pytest.raises(BadClaim, match="type must be"):
        tokens.verify_management_token(tokens.mint_app_token(ROOM, "host"))


def test_a_management_token_does_not_join_a_room(tokens: Tokens) -> None:
    with pytest.raises(BadClaim, match="type must be"):
        tokens.verify_app_token(tokens.mint_management_token())


def test_a_token_of_another_access_key_is_refused(tokens: Tokens) -> None:
    with pytest.raises(BadClaim, match="access_key"):
        tokens.verify_app_token(signed(claims(access_key="another-key")))


@pytest.mark.parametrize("name", ["access_key", "type", "version", "room_id", "role", "jti", "iat", "nbf", "exp"])
def test_a_missing_claim_is_named(tokens: Tokens, name: str) -> None:
    with pytest.raises(BadClaim, match=f"{name} is missing"):
        tokens.verify_app_token(signed(claims(**{name: None})))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("version", 1),
        ("version", "2"),
        ("type", "admin"),
        ("room_id", "a room"),
        ("room_id", ROOM + "\n"),
        ("role", ""),
        ("role", 7),
        ("user_id", 7),
        ("user_id", "a\0b"),
        ("jti", ""),
        ("exp", "tomorrow"),
        ("exp", 1e300),
        ("iat", -1),
        ("nbf", [NOW]),
        ("access_key", 7),
    ],
)
def test_a_claim_that_says_nonsense_is_named(tokens: Tokens, name: str, value: Any) -> None:
    payload = json.dumps(claims(**{name: value})).encode()
    token = jwt.api_jws.encode(payload, SECRET, algorithm="HS256")
    with pytest.raises(BadClaim, match=f"the claim {name} must be"):
        tokens.verify_app_token(token)


def test_what_a_wrong_claim_says_is_not_repeated(tokens: Tokens) -> None:
    with pytest.raises(BadClaim) as caught:
        tokens.verify_app_token(signed(claims(type="xyzzy")))
    assert "xyzzy" not in str(caught.value)


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"null", b"{", b"\xff\xfe", b"[" * 5000])
def test_a_signed_payload_that_is_no_object_is_refused(tokens: Tokens, payload: bytes) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify_app_token(jwt.api_jws.encode(payload, SECRET, algorithm="HS256"))


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b", "a.b.c", "e30.e30.e30", "Bearer x", "é.é.é", "\0", "=.=.=", " " * 100],
)
def test_garbage_is_refused(tokens: Tokens, token: str) -> None:
    with pytest.raises(Malformed):
        tokens.verify_app_token(token)


def test_a_huge_token_is_refused_before_it_is_looked_at(tokens: Tokens) -> None:
    token = signed(claims(user_id="x" * MAX_TOKEN_LENGTH))
    with pytest.raises(Malformed, match=str(MAX_TOKEN_LENGTH)):
        tokens.verify_app_token(token)


@given(st.text(max_size=200))
def test_no_text_at_all_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(InvalidToken):
        Tokens(WORKSPACE, Clock(), RandomIds(7)).verify_management_token(text)


def test_an_error_does_not_quote_the_token(tokens: Tokens, clock: Clock) -> None:
    token = tokens.mint_app_token(ROOM, "host", "user.001")
    clock.seconds = NOW + 10 * MAX_LIFETIME_SECONDS
    with pytest.raises(Expired) as caught:
        tokens.verify_app_token(token)
    assert not any(part in str(caught.value) for part in token.split("."))


_awkward = st.text(st.sampled_from(">?~\x7f<=}az09é€😀\\\"'/"), max_size=40)


@given(user_id=st.text(max_size=60) | _awkward, role=_awkward, seed=st.integers(0, 2**32))
def test_the_payload_is_plain_base64_whatever_the_user_is_called(user_id: str, role: str, seed: int) -> None:
    token = Tokens(WORKSPACE, Clock(), RandomIds(seed)).mint_app_token(ROOM, role, user_id)
    payload = token.split(".")[1]
    assert not set(payload) & set("-_")
    decoded = json.loads(base64.b64decode(payload + "=" * (-len(payload) % 4), validate=True))
    assert (decoded["user_id"], decoded["role"]) == (user_id, role)


def test_a_secret_that_is_too_short_for_hs256_is_refused(clock: Clock) -> None:
    short = Workspace(id="5" * 24, app_id="6" * 24, access_key="k", secret="short", created_at=0)
    with pytest.raises(ValueError, match="32 bytes"):
        Tokens(short, clock, RandomIds(7))


def test_the_secret_of_a_workspace_is_not_in_its_repr() -> None:
    assert SECRET not in repr(WORKSPACE)
