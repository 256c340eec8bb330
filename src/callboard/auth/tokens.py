"""Tokens: who may join which room as what (app token), who may use the REST API (management token).

Owns: minting and verifying the JWTs of platform.md §1.2 and §1.3 (RFC 7519, signed per RFC 7515).

Always holds: the one algorithm is HS256, whatever a token's header says. The signature is checked before
any claim is read. An error says what is wrong and never quotes the token. The payload of a minted token has
no `-` and no `_`, because the official client decodes it as plain base64 (signal.md §0).
"""

from __future__ import annotations

import json
import re
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from jwt import PyJWS
from jwt.exceptions import InvalidAlgorithmError, InvalidSignatureError, InvalidTokenError
from msgspec import Meta, Struct

from callboard.clock import NANOSECONDS, Clock, Ids
from callboard.errors import Unauthorized
from callboard.rooms.models import Workspace

ALGORITHM: Final = "HS256"
LEEWAY_SECONDS: Final = 60
MAX_LIFETIME_SECONDS: Final = 90 * 24 * 3600
DEFAULT_LIFETIME_SECONDS: Final = 24 * 3600
MAX_TOKEN_LENGTH: Final = 8192
MIN_SECRET_BYTES: Final = 32

# In base64 of ASCII only these, as the third byte of three, give `-` or `_` (RFC 4648 §5: values 62 and
# 63). Another `jti` would not move them to another place (it has a fixed length), so they are written as
# JSON escapes.
_ESCAPES: Final = {ord(c): f"\\u{ord(c):04x}" for c in ">?~\x7f"}

_Seconds = Annotated[float, Meta(ge=0, lt=1e11)]
_Text = Annotated[str, Meta(min_length=1)]

_ALLOWED: Final = {
    "access_key": "the access key of the workspace",
    "version": "2 (a number)",
    "type": "app to join a room, management to use the REST API",
    "jti": "a unique text",
    "iat": "seconds since the epoch",
    "nbf": "seconds since the epoch",
    "exp": "seconds since the epoch",
    "room_id": "a room's id (24 hexadecimal digits)",
    "role": "the name of a role",
    "user_id": "a text (without NUL)",
}


class InvalidToken(Unauthorized):
    """Base of all that can be wrong with a token."""

    def __init__(self, what: str) -> None:
        super().__init__("Token validation error", (what,))


class Malformed(InvalidToken):
    """It is no JWT, or not the one kind that is accepted."""


class BadSignature(InvalidToken):
    """It was not signed with the workspace's secret."""


class Expired(InvalidToken):
    """It was valid once."""


class NotYetValid(InvalidToken):
    """It will be valid later, or somebody's clock is wrong."""


class BadClaim(InvalidToken):
    """A claim is missing or says something that is not allowed."""


class _Claims(Struct, frozen=True, kw_only=True):
    """Claims that every token has. Times are seconds since the epoch."""

    access_key: _Text
    version: Literal[2]
    jti: _Text
    iat: _Seconds
    nbf: _Seconds
    exp: _Seconds


class AppClaims(_Claims, frozen=True, kw_only=True):
    """Who may join which room as what. `user_id` is the customer's name for the user, None when not given."""

    type: Literal["app"]
    room_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{24}\Z")]
    role: _Text
    user_id: Annotated[str, Meta(pattern=r"^[^\x00]*\Z")] | None = None


class ManagementClaims(_Claims, frozen=True, kw_only=True):
    """The bearer is the customer's backend."""

    type: Literal["management"]


_C = TypeVar("_C", bound=_Claims)


class Tokens:
    """Mints and verifies the tokens of one workspace."""

    def __init__(self, workspace: Workspace, clock: Clock, ids: Ids) -> None:
        """Raises `ValueError` when the secret is shorter than HS256 needs (RFC 7518 §3.2: 32 bytes)."""
        self._key = workspace.secret.encode()
        if len(self._key) < MIN_SECRET_BYTES:
            raise ValueError(f"the workspace's secret is shorter than {MIN_SECRET_BYTES} bytes")
        self._access_key = workspace.access_key
        self._clock = clock
        self._ids = ids
        self._jws = PyJWS(algorithms=[ALGORITHM])
        self._app = msgspec.json.Decoder(AppClaims)
        self._management = msgspec.json.Decoder(ManagementClaims)

    def mint_app_token(
        self,
        room_id: str,
        role: str,
        user_id: str | None = None,
        lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS,
    ) -> str:
        """A token to join `room_id` as `role`, valid from now on. Raises `ValueError` (lifetime)."""
        named = {} if user_id is None else {"user_id": user_id}
        return self._mint({"type": "app", "room_id": room_id, "role": role, **named}, lifetime_seconds)

    def mint_management_token(self, lifetime_seconds: int = DEFAULT_LIFETIME_SECONDS) -> str:
        """A token for the REST API, from now on. Raises `ValueError` (lifetime)."""
        return self._mint({"type": "management"}, lifetime_seconds)

    def verify_app_token(self, token: str) -> AppClaims:
        """The claims of a valid app token. Raises `InvalidToken`."""
        return self._checked(_decode(self._app, self._payload(token)))

    def app_claims_once_valid(self, token: str) -> AppClaims:
        """As `verify_app_token`, for a token that may have expired: what it said is still what we signed.

        For peers that are in the room already, and come back (signal.md §1.5). Raises `InvalidToken`.
        """
        return self._checked(_decode(self._app, self._payload(token)), expired=True)

    def verify_management_token(self, token: str) -> ManagementClaims:
        """The claims of a valid management token. Raises `InvalidToken`."""
        return self._checked(_decode(self._management, self._payload(token)))

    def _mint(self, claims: dict[str, object], lifetime_seconds: int) -> str:
        if not 0 < lifetime_seconds <= MAX_LIFETIME_SECONDS:
            raise ValueError(f"a token lives 1 to {MAX_LIFETIME_SECONDS} seconds (90 days)")
        now = self._clock.now() // NANOSECONDS
        times = {"jti": self._ids.uuid(), "iat": now, "nbf": now, "exp": now + lifetime_seconds}
        text = json.dumps({"access_key": self._access_key, "version": 2, **claims, **times}, separators=(",", ":"))
        payload = text.translate(_ESCAPES).encode("ascii")
        return self._jws.encode(payload, self._key, algorithm=ALGORITHM, headers={"typ": "JWT"})

    def _payload(self, token: str) -> bytes:
        if not token.isascii() or len(token) > MAX_TOKEN_LENGTH:
            raise Malformed(f"not a token: more than {MAX_TOKEN_LENGTH} characters, or not ASCII")
        try:
            payload = self._jws.decode(token, self._key, algorithms=[ALGORITHM])
        except InvalidSignatureError:
            raise BadSignature("the signature does not match: signed with another secret?") from None
        except InvalidAlgorithmError:
            raise Malformed(f"the algorithm (alg) must be {ALGORITHM}") from None
        except InvalidTokenError:
            raise Malformed("not a token: three base64url parts, separated by dots, are expected") from None
        if not isinstance(payload, bytes):
            raise Malformed("not a token: its payload is no text")
        return payload

    def _checked(self, claims: _C, *, expired: bool = False) -> _C:
        now = self._clock.now() / NANOSECONDS
        if claims.access_key != self._access_key:
            raise BadClaim("access_key is not the one of this workspace")
        if claims.exp <= now - LEEWAY_SECONDS and not expired:
            raise Expired("the token has expired (exp)")
        for name, instant in (("nbf", claims.nbf), ("iat", claims.iat)):
            if instant > now + LEEWAY_SECONDS:
                raise NotYetValid(f"the token is not valid yet ({name} is in the future)")
        if claims.exp - claims.iat > MAX_LIFETIME_SECONDS + LEEWAY_SECONDS:
            raise BadClaim("exp is more than 90 days after iat")
        return claims


def _decode(decoder: msgspec.json.Decoder[_C], payload: bytes) -> _C:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as error:
        raise BadClaim(_what(str(error))) from None
    except msgspec.DecodeError:
        raise Malformed("not a token: its payload is not JSON") from None


def _what(error: str) -> str:
    """Which claim is wrong and what it has to be, from msgspec's message, but without the claim's value."""
    if missing := re.search(r"missing required field `(\w+)`", error):
        return f"the claim {missing[1]} is missing"
    if wrong := re.search(r"at `\$\.(\w+)`", error):
        return f"the claim {wrong[1]} must be {_ALLOWED[wrong[1]]}"
    return "the claims must be a JSON object"
