"""The signing keys of an endpoint over time: chosen, rotated, run out. Pure.

Owns: `SigningKey` and what becomes of an endpoint's keys. Of each scheme that is on, the newest key has no end; those
that it took the place of go on signing beside it until they expire. So a receiver that has not heard of a rotation
yet goes on accepting deliveries, and one that has accepts them too.

Always holds: whatever instant is asked for, there is at least one active key of each scheme that is on. The newest come
first, as their signatures do. No private part of a key is in a `repr` or an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from callboard.clock import NANOSECONDS
from callboard.errors import Conflict, Invalid
from callboard.webhooks.keys_text import (
    InvalidSecret,
    Scheme,
    check_signing_key,
    new_private_key,
    new_secret,
    public_key_of,
    scheme_of,
)
from callboard.webhooks.signing import Signer

SCHEMES: Final[tuple[Scheme, ...]] = ("v1", "v1a")
DEFAULT: Final[Scheme] = "v1"
"""What every receiver can verify, with nothing but an HMAC."""
MAX_SECRETS: Final = 5
"""Keys that somebody may bring along."""
MAX_KEYS: Final = 10
"""Keys that sign at the same time: each makes every delivery longer, and takes time."""
OVERLAP_SECONDS: Final = 86_400.0
MAX_OVERLAP_SECONDS: Final = 604_800.0

RandomBytes = Callable[[int], bytes]


class SigningKey(Struct, frozen=True, kw_only=True):
    """A `whsec_` or `whsk_` key and its time, in nanoseconds (UTC). `expires_at` is 0 until it is known."""

    text: str
    created_at: int
    expires_at: int = 0

    @property
    def scheme(self) -> Scheme:
        """Which scheme it signs with."""
        return scheme_of(self.text)

    @property
    def public_key(self) -> str:
        """The `whpk_` text that receivers verify with; "" for a secret of `v1`, which has no public part."""
        return public_key_of(self.text) if self.scheme == "v1a" else ""

    def active(self, now: int) -> bool:
        """Whether it signs at `now`."""
        return not self.expires_at or now < self.expires_at

    def __repr__(self) -> str:
        return f"SigningKey({self.scheme}, created_at={self.created_at}, expires_at={self.expires_at})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("scheme", self.scheme), ("created_at", self.created_at), ("expires_at", self.expires_at)]


def active(keys: Sequence[SigningKey], now: int) -> tuple[SigningKey, ...]:
    """Those that sign at `now`."""
    return tuple(key for key in keys if key.active(now))


def signer_at(keys: Sequence[SigningKey], now: int) -> Signer:
    """What signs at `now`, with every active key. Raises `InvalidSecret` if there is none."""
    return Signer([key.text for key in active(keys, now)])


def expiring(keys: Sequence[SigningKey]) -> bool:
    """Whether some of them have an end, so that who signs depends on the time."""
    return any(key.expires_at for key in keys)


def made(schemes: Sequence[Scheme], random_bytes: RandomBytes, now: int) -> tuple[SigningKey, ...]:
    """A new key for each of these schemes."""
    return tuple(SigningKey(text=_MAKERS[scheme](random_bytes), created_at=now) for scheme in schemes)


def chosen(
    present: Sequence[SigningKey],
    texts: Sequence[str] | None,
    schemes: Sequence[Scheme] | None,
    random_bytes: RandomBytes,
    now: int,
) -> tuple[SigningKey, ...]:
    """The keys of an endpoint that has those `present`, for somebody who asks for `texts` and `schemes`.

    `texts`, which were checked, take the place of all keys of their schemes; one that is present keeps its age. Only
    `schemes` are on then: one that has no key gets a new one. None leaves things as they are, with `v1` for an endpoint
    that has no key at all.
    """
    keys = active(present, now)
    if texts is not None:
        ages = {key.text: key.created_at for key in keys}
        brought = [SigningKey(text=text, created_at=ages.get(text, now)) for text in dict.fromkeys(texts)]
        replaced = {key.scheme for key in brought}
        keys = (*brought, *(key for key in keys if key.scheme not in replaced))
    on = schemes or {key.scheme for key in keys} or {DEFAULT}
    missing = [scheme for scheme in SCHEMES if scheme in on and scheme not in {key.scheme for key in keys}]
    return (*(key for key in keys if key.scheme in on), *made(missing, random_bytes, now))


def rotated(
    keys: Sequence[SigningKey], overlap_seconds: float, random_bytes: RandomBytes, now: int
) -> tuple[SigningKey, ...]:
    """A new key for each scheme that is on; those there were go on for `overlap_seconds` at most, 0 is not at all.

    Raises `Invalid` for another overlap than 0 to `MAX_OVERLAP_SECONDS`, and `Conflict` when more than `MAX_KEYS` would
    sign at the same time, which cannot be without overlap.
    """
    if not 0 <= overlap_seconds <= MAX_OVERLAP_SECONDS:  # false for what is not a number
        raise Invalid("invalid rotation", (f"overlap_seconds: must be 0 to {MAX_OVERLAP_SECONDS:.0f} (7 days)",))
    until = now + int(overlap_seconds * NANOSECONDS)
    present = active(keys, now)
    on = {key.scheme for key in present}
    new = made([scheme for scheme in SCHEMES if scheme in on], random_bytes, now)
    old = active([_ending(key, until) for key in present], now)
    if len(new) + len(old) > MAX_KEYS:
        detail = f"{len(old)} older keys still sign: wait until some expire, or rotate with overlap_seconds 0"
        raise Conflict("too many keys", (detail,))
    return (*new, *old)


def _ending(key: SigningKey, until: int) -> SigningKey:
    return replace(key, expires_at=min(key.expires_at or until, until))


def problems(texts: Sequence[str] | None, schemes: Sequence[Scheme] | None) -> Iterator[str]:
    """What is wrong with what somebody asks `chosen` for; no key is repeated."""
    if schemes is not None and not schemes:
        yield f"schemes: must be one or both of {', '.join(SCHEMES)}"
    if texts is None:
        return
    if not 1 <= len(texts) <= MAX_SECRETS:
        yield f"secrets: must be 1 to {MAX_SECRETS}"
    for index, text in enumerate(texts):
        try:
            check_signing_key(text)
        except InvalidSecret as error:
            yield f"secrets[{index}]: {error}"
        else:
            if schemes and scheme_of(text) not in schemes:
                yield f"secrets[{index}]: is for {scheme_of(text)}, which is not among schemes"


_MAKERS: Final[dict[Scheme, Callable[[RandomBytes], str]]] = {"v1": new_secret, "v1a": new_private_key}
