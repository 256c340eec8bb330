"""Credentials for a TURN server: what they are made of, and who is told them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard.clock import NANOSECONDS, SystemClock
from callboard.config import ConfigError, Media, Settings, load
from callboard.parts import turn_of
from callboard.signaling.turn import Turn, turn_credentials

NOW = 1_700_000_000 * NANOSECONDS + 999_999_999


class Fixed:
    """A clock that stands still."""

    def now(self) -> int:
        return NOW


TURN = Turn(("turn:turn.example.org:3478",), "logen", 3600, Fixed())


def test_the_credentials_are_those_of_coturn_for_the_same_secret() -> None:
    # printf '%s' 1700003600:ann | openssl dgst -sha1 -hmac logen -binary | base64
    assert turn_credentials("logen", "ann", NOW, 3600) == ("1700003600:ann", "QN8qZ2AVLsKGSuWQHjJx5JX4D5c=")


@given(st.text(min_size=1), st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(0, 10**10))
def test_the_password_is_the_mac_of_the_name(secret: str, user: str, seconds: int) -> None:
    name, password = turn_credentials(secret, user, seconds * NANOSECONDS, 60)
    assert name == f"{seconds + 60}:{user}"
    expected = hmac.digest(secret.encode(), name.encode(), hashlib.sha1)
    assert base64.b64decode(password) == expected


def test_a_client_is_told_credentials_of_its_own_and_not_the_secret() -> None:
    server = TURN.ice_server("0b0e4ae0-peer")
    assert server["urls"] == ["turn:turn.example.org:3478"]
    assert server["username"] == "1700003600:0b0e4ae0-peer"
    assert "logen" not in repr(server)
    assert "logen" not in repr(TURN)
    assert replace(TURN, secret="other").ice_server("0b0e4ae0-peer")["credential"] != server["credential"]


def test_without_a_shared_secret_there_is_no_such_server() -> None:
    assert turn_of(Settings(), SystemClock()) is None
    media = Media(turn_urls=("turns:t:5349",), turn_secret="logen", turn_seconds=60)
    made = turn_of(Settings(media=media), Fixed())
    assert made == Turn(("turns:t:5349",), "logen", 60, made.clock if made else Fixed())


def test_the_shared_secret_is_never_shown() -> None:
    settings = load(None, {"CALLBOARD_MEDIA__TURN_SECRET": "hunter2", "CALLBOARD_MEDIA__TURN_URLS": '["turn:t:3478"]'})
    assert settings.media.turn_secret == "hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "problem"),
    [
        ({"TURN_SECRET": "hunter2"}, "turn_urls: must be set"),
        ({"TURN_URLS": '["turn:t:3478"]'}, "turn_secret: must be set"),
        ({"TURN_URLS": '["stun:t:3478"]', "TURN_SECRET": "hunter2"}, "turn:… or turns:…"),
    ],
)
def test_a_turn_server_is_set_as_a_whole_or_not_at_all(variables: dict[str, str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, {f"CALLBOARD_MEDIA__{name}": value for name, value in variables.items()})
    assert problem in str(caught.value)
    assert "hunter2" not in str(caught.value)
