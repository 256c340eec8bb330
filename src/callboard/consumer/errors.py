"""What can be wrong with a delivery.

    ConsumerError
    ├── VerificationError       it cannot be said that Callboard sent this
    │   ├── MissingHeader       … because a header is not there
    │   ├── InvalidHeader       … because one is there twice, or is not what it should be
    │   ├── ClockOff            … because it is too old or too new, by this clock
    │   ├── UnknownScheme       … because none of its signatures is of a scheme that there is a key for
    │   ├── BodyChanged         … because the body is not as it was sent
    │   └── SecretMismatch      … because no key that was given is the one it was signed with
    ├── SeveralEvents           it is from Callboard, and a batch where one event was asked for
    ├── UnreadableEvent         it is from Callboard, and says something that this version does not know
    └── InProgress (`dedupe`)   somebody is handling the same event at this moment

Always holds: every message says what to do about it, and none has a secret. A secret that is none is no fault of the
delivery: that is `InvalidSecret`, a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

Part = Literal["headers", "clock", "scheme", "secret", "body"]


class ConsumerError(Exception):
    """Base of all. The answer to such a delivery is a status of 400: Callboard then sends it again later."""


class VerificationError(ConsumerError):
    """The delivery is not to be trusted. `part` says which part of it, or of the receiver, is wrong."""

    part: ClassVar[Part]


class MissingHeader(VerificationError):  # noqa: N818 - what is wrong, as its message says
    """A header of Standard Webhooks is not there. `name`: which."""

    part = "headers"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the header {name} is missing: this is no delivery of Callboard's, or something in between (a proxy, an"
            " API gateway, the code that hands the headers over) takes it away"
        )
        self.name = name


class InvalidHeader(VerificationError):  # noqa: N818
    """A header is there twice or has a value that it cannot have. `name`: which."""

    part = "headers"

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"the header {name} {reason}")
        self.name = name


class ClockOff(VerificationError):  # noqa: N818
    """`webhook-timestamp` and this clock differ by more than `tolerance`; `seconds` is positive if it is ahead."""

    part = "clock"

    def __init__(self, seconds: float, tolerance: float) -> None:
        place, cause = ("ahead of", "slow") if seconds > 0 else ("behind", "fast, or an old delivery is repeated")
        super().__init__(
            f"webhook-timestamp is {abs(seconds):.0f} seconds {place} this clock, and {tolerance:.0f} are allowed:"
            f" this clock is {cause}; or Callboard's is wrong"
        )
        self.seconds = seconds
        self.tolerance = tolerance


class UnknownScheme(VerificationError):  # noqa: N818
    """No signature is of a scheme that there is a key for. `found`: the schemes of the signatures; `usable`: ours."""

    part = "scheme"

    def __init__(self, found: Sequence[str], usable: Sequence[str]) -> None:
        missing = {"v1": "its whsec_ secret", "v1a": "its whpk_ public key"}
        wanted = " or ".join(missing[scheme] for scheme in found if scheme in missing)
        remedy = f"give {wanted} of the endpoint" if wanted else "this is no delivery of Callboard's, or of a newer one"
        super().__init__(
            f"the signatures are of scheme {_listed(found)}, and the keys given are for {_listed(usable)}: {remedy}"
        )
        self.found = tuple(found)
        self.usable = tuple(usable)


class BodyChanged(VerificationError):  # noqa: N818
    """The body is not the one that was signed. `how`: what was done to it."""

    part = "body"

    def __init__(self, how: str) -> None:
        super().__init__(
            f"the body is not as it was sent: {how}. Hand over the bytes of the request before anything parses them"
        )
        self.how = how


class SecretMismatch(VerificationError):  # noqa: N818
    """No key that was given is the one this was signed with, or somebody changed the delivery. `tried`: keys tried."""

    part = "secret"

    def __init__(self, tried: int) -> None:
        what = "the secret does not match" if tried == 1 else f"none of the {tried} secrets matches"
        super().__init__(
            f"{what}: is it this endpoint's, and was it rotated since? If it is right, the id, the timestamp or the"
            " body was changed on the way"
        )
        self.tried = tried


class UnreadableEvent(ConsumerError):  # noqa: N818
    """It was signed by Callboard, and is no event of this version's catalogue. `type`: its name, if it has one."""

    def __init__(self, type_: str, reason: str) -> None:
        super().__init__(f"the event cannot be read: {reason}; a newer version of callboard may know it")
        self.type = type_


class SeveralEvents(ConsumerError):  # noqa: N818
    """It is a batch of `count` events: the endpoint's `delivery` has a `batch`."""

    def __init__(self, count: int) -> None:
        super().__init__(
            f"this is a batch of {count} events: read it with receive_all (an adapter's `batches`), or take `batch` out"
            " of the endpoint's `delivery`"
        )
        self.count = count


def _listed(schemes: Sequence[str]) -> str:
    return ", ".join(schemes) or "none"
