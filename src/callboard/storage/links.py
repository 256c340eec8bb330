"""URLs of the local folder that anybody may GET until they expire, signed by us. Pure.

Owns: their form, `<base URL>/<key>?expires=<seconds since the epoch>&signature=<base64url>`, `sign` and `verify`.

Always holds: the signature is HMAC-SHA256 (RFC 2104) over key and expiry, so neither can be exchanged. With several
secrets the first signs and each of them verifies (rotation). Errors hold neither a secret nor a signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote

MINIMUM_SECRET_BYTES = 16

_MAXIMUM_DIGITS = 12
_CONTEXT = b"callboard storage link v1"


class InvalidLinkError(ValueError):
    """The URL was not signed by us, or something in it was changed."""


class ExpiredLinkError(InvalidLinkError):
    """It was valid once."""


def sign(base_url: str, key: str, expires: int, secret: bytes) -> str:
    """The URL for `key` that is valid before `expires` (seconds since the epoch, UTC)."""
    return (
        f"{base_url.rstrip('/')}/{quote(key, safe='/')}?expires={expires}&signature={_signature(key, expires, secret)}"
    )


def verify(secrets: Sequence[bytes], key: str, expires: str, signature: str, now: int) -> None:
    """Return if the link may be followed. `key` is the path without its percent-encoding, `now` in seconds.

    Raises `ExpiredLinkError` only for links that were signed by us, `InvalidLinkError` for all others.
    """
    if not (expires.isascii() and expires.isdigit() and len(expires) <= _MAXIMUM_DIGITS):
        raise InvalidLinkError("expires must be whole seconds since the epoch, in digits")
    given = signature.encode(errors="replace")
    matches = [hmac.compare_digest(_signature(key, int(expires), secret).encode(), given) for secret in secrets]
    if not any(matches):
        raise InvalidLinkError("the signature does not match key and expiry")
    if int(expires) <= now:
        raise ExpiredLinkError(f"the link expired {now - int(expires)} seconds ago")


def check_secrets(secrets: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return `secrets`. Raises `ValueError` when there is none or one is too short to be one."""
    if not secrets or any(len(secret) < MINIMUM_SECRET_BYTES for secret in secrets):
        raise ValueError(f"at least one secret of at least {MINIMUM_SECRET_BYTES} bytes is needed to sign URLs")
    return tuple(secrets)


def _signature(key: str, expires: int, secret: bytes) -> str:
    # The expiry has no "\n", so the parts cannot be shifted into each other.
    content = b"%b\n%d\n%b" % (_CONTEXT, expires, key.encode(errors="surrogatepass"))
    return base64.urlsafe_b64encode(hmac.digest(secret, content, hashlib.sha256)).rstrip(b"=").decode()
